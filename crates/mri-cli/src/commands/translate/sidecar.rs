//! The JSON file beside a synthetic NIfTI volume, which says what it is and how it was made.

use anyhow::Result;
use mri_data::normalize::{IntensityMap, Normalizer};
use mri_data::study::VolumeRef;
use mri_data::volume::SliceAxis;
use serde::Serialize;
use serde_json::{Map, Value};

use super::plan::BidsSource;
use super::work::Worker;
use crate::translator::{ModelFile, Sampling, Translated};

pub const NOTICE: &str = "Synthetic image: for research only, not for diagnosis.";

#[derive(Serialize)]
struct Sidecar<'a> {
    synthetic: bool,
    notice: &'static str,
    from: &'a str,
    to: &'a str,
    source: Source,
    /// The only one, or else `models`.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<Model<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    models: Vec<Model<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ensemble: Option<Ensemble>,
    software: Software,
    slice_axis: SliceAxis,
    neighbours: usize,
    normalization: NormalizationRecord<'a>,
    /// Of the output's voxels.
    units: &'static str,
    /// Voxels of the source that were NaN or infinite, and stood for air.
    voxels_not_finite: usize,
    #[serde(rename = "Description", skip_serializing_if = "Option::is_none")]
    bids_description: Option<&'static str>,
    #[serde(rename = "Sources", skip_serializing_if = "Option::is_none")]
    bids_sources: Option<[&'a str; 1]>,
    #[serde(rename = "SkullStripped", skip_serializing_if = "Option::is_none")]
    bids_skull_stripped: Option<bool>,
}

/// Without names for DICOM: those of its files and folders are often the patient's.
#[derive(Serialize)]
struct Source {
    format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    files: usize,
    sha256: String,
}

#[derive(Serialize)]
struct Model<'a> {
    sha256: &'a str,
    manifest_sha256: &'a str,
}

/// Which number of several outputs the voxels are.
#[derive(Serialize)]
struct Ensemble {
    /// What they are made by.
    of: Sampling,
    members: usize,
    statistic: Statistic,
}

/// What is written of the members' outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Statistic {
    Mean,
    StandardDeviation,
}

#[derive(Serialize)]
struct Software {
    name: &'static str,
    version: &'static str,
}

/// The way of the intensities: source values to network units, and network units to values of the output.
#[derive(Serialize)]
struct NormalizationRecord<'a> {
    source: Fitted<'a>,
    output: Fitted<'a>,
}

#[derive(Serialize)]
struct Fitted<'a> {
    /// As in a configuration: the method and its settings.
    #[serde(flatten)]
    method: Map<String, Value>,
    /// Pairs (value in the file, network units).
    knots: &'a [(f32, f32)],
}

impl<'a> Fitted<'a> {
    fn of(normalizer: &Normalizer, map: &'a IntensityMap) -> Result<Self> {
        let method = match serde_json::to_value(normalizer)?.get_mut("normalization").map(Value::take) {
            Some(Value::Object(method)) => method,
            _ => Map::new(),
        };
        Ok(Self { method, knots: map.knots() })
    }
}

/// The text of the sidecar of `made`, or of the map of its uncertainty, which came from `source`.
pub fn text<'a, H>(
    worker: &'a Worker<'_>,
    source: &VolumeRef,
    bids: Option<&BidsSource>,
    made: &Translated<H>,
    statistic: Statistic,
) -> Result<String> {
    let (translator, to) = (worker.translator, worker.to);
    let domains = translator.domains();
    let target = &translator.settings().normalizers[to];
    let is_dicom = source.series().is_some();
    let model =
        |(sha256, file): (&'a str, &'a ModelFile)| Model { sha256, manifest_sha256: &file.manifest_sha256 };
    let mut models: Vec<_> =
        worker.models_sha256.iter().map(String::as_str).zip(translator.files()).map(model).collect();
    let model = if models.len() == 1 { models.pop() } else { None };
    let (members, of) = translator.members();
    let slashed =
        || source.relative().iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/");
    let sidecar = Sidecar {
        synthetic: true,
        notice: NOTICE,
        from: domains[1 - to],
        to: domains[to],
        source: Source {
            format: if is_dicom { "DICOM" } else { "NIfTI" },
            file: (!is_dicom).then(slashed),
            files: source.paths().len(),
            sha256: source.sha256()?,
        },
        model,
        models,
        ensemble: (members > 1).then_some(Ensemble { of, members, statistic }),
        software: Software { name: "mri-cyclegan", version: env!("CARGO_PKG_VERSION") },
        slice_axis: worker.pass.axis,
        neighbours: translator.settings().neighbours,
        normalization: NormalizationRecord {
            source: Fitted::of(&translator.settings().normalizers[1 - to], &made.maps.source)?,
            output: Fitted::of(target, &made.maps.target)?,
        },
        units: units(target),
        voxels_not_finite: made.not_finite,
        bids_description: bids.map(|_| NOTICE),
        bids_sources: bids.map(|source| [source.uri.as_str()]),
        bids_skull_stripped: bids.and_then(|source| source.skull_stripped),
    };
    Ok(format!("{}\n", serde_json::to_string_pretty(&sidecar)?))
}

/// What the values of a synthetic volume are measured in.
pub fn units(target: &Normalizer) -> &'static str {
    match target.depth() {
        Some(_) => "grey values of the training images",
        None => "intensities of the training volumes",
    }
}
