//! `phantom.json`: how a data set was made and what its values mean.

use serde::Serialize;
use serde_json::Value;

use super::{
    options::DatasetOptions,
    signal::{BRAINWEB_T1W, BRAINWEB_T2W, SpinEcho, SpoiledGradientEcho, T1W_WHITE, T2W_WHITE},
    tissue::{Relaxation, Tissue},
};

/// Counts changes of the anatomy, of the signals and of the files: data sets of different versions are different.
/// Since 2 the tables of pairs name labels and lesions.
const PHANTOM_VERSION: u32 = 2;

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

    /// Whether `older` is the text of an earlier version with the same options, whatever it says of lesions.
    pub(crate) fn replaces(&self, older: &str) -> bool {
        let parsed = |text: &str| serde_json::from_str::<Value>(text).ok();
        // Through text, as the older went: numbers of 32 bits change on that way.
        let (Some(mut older), Some(mut own)) =
            (parsed(older), self.to_json().ok().and_then(|text| parsed(&text)))
        else {
            return false;
        };
        let is_earlier = older["phantom_version"].as_u64() < own["phantom_version"].as_u64();
        for description in [&mut older, &mut own] {
            description["options"]["lesions"].take();
        }
        is_earlier && older["kind"] == own["kind"] && older["options"] == own["options"]
    }
}
