//! `phantom.json`: how a data set was made and what its values mean.

use serde::Serialize;

use super::{
    options::DatasetOptions,
    signal::{BRAINWEB_T1W, BRAINWEB_T2W, SpinEcho, SpoiledGradientEcho, T1W_WHITE, T2W_WHITE},
    tissue::{Relaxation, Tissue},
};

/// Counts changes of the anatomy and of the signals: data sets of different versions are different.
const PHANTOM_VERSION: u32 = 1;

#[derive(Serialize)]
pub(crate) struct Description<'a> {
    kind: &'static str,
    phantom_version: u32,
    options: &'a DatasetOptions,
    field_mm: f32,
    t1: Contrast<SpoiledGradientEcho>,
    t2: Contrast<SpinEcho>,
    tissues: Vec<LabelledTissue>,
}

#[derive(Serialize)]
struct Contrast<S> {
    sequence: S,
    /// The signal that is stored as 255.
    white: f32,
}

#[derive(Serialize)]
struct LabelledTissue {
    label: u8,
    name: Tissue,
    #[serde(flatten)]
    relaxation: Relaxation,
}

impl<'a> Description<'a> {
    pub(crate) fn new(options: &'a DatasetOptions) -> Self {
        let labelled = |tissue: Tissue| LabelledTissue {
            label: tissue.label(),
            name: tissue,
            relaxation: tissue.relaxation(),
        };
        Self {
            kind: "mri-cyclegan phantom data set",
            phantom_version: PHANTOM_VERSION,
            options,
            field_mm: super::FIELD_MM,
            t1: Contrast { sequence: BRAINWEB_T1W, white: T1W_WHITE },
            t2: Contrast { sequence: BRAINWEB_T2W, white: T2W_WHITE },
            tissues: Tissue::ALL.map(labelled).into(),
        }
    }

    /// The contents of the file. Compare these and not their values: numbers of 32 bits change when they are parsed.
    pub(crate) fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }
}
