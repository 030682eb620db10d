//! The result of an evaluation: as JSON (serde) and as a plain-text table.
//!
//! ```json
//! {"t1_to_t2": {"model": M, "baselines": {"copy": M, "invert": M, "histogram": M, "lut": M, "retrieval": M},
//!               "cases": [{"name": .., "subject": .., "model": C, "baselines": {"copy": C, ..}}, ..],
//!               "flicker": {"model": S, "baselines": {"copy": S, ..}, "volumes": [{"name": .., "slices": .., "model": .., "baselines": {..}}]},
//!               "lesions": {..}, "tissues": {..},
//!               "uncertainty": {"members": .., "reliability": [{"sd": .., "rmse": ..}, ..], ..},
//!               "range": [0, 255], "fitted_on": {"histogram": .., "lut": .., "retrieval": ..}},
//!  "t2_to_t1": ..,
//!  "failed": [{"name": .., "reason": ..}]}
//! ```
//!
//! `M = {"psnr_db": {"mean", "sd"}, "ssim": .., "ms_ssim": .., "mae": .., "nmse": .., "nmi": .., "pearson": ..,
//! "foreground": {the same without ms_ssim}, "inside": {the same}}`; `C` has plain numbers in place of mean and SD. A number that does not exist
//! is null, and a mean over fewer than all cases says how many were left out: `"infinite"` (exact outputs have no finite
//! PSNR) and `"undefined"`. A baseline that could not be fitted is null. `"failed"` appears only when something failed, `"flicker"` only where the cases are slices of volumes,
//! `"lesions"` ([`LesionReport`]) only where cases have a mask of lesions, `"tissues"` ([`TissueReport`]) only where they have labels, and
//! `"uncertainty"` ([`Calibration`]) only where the model states one.

use crate::calibration::Calibration;
use crate::evaluation::Direction;
use crate::flicker::FlickerReport;
use crate::lesions::LesionReport;
use crate::probes::ProbeReport;
use crate::scores::{Scores, Summary};
use crate::tissues::TissueReport;
use serde::ser::{SerializeMap, SerializeStruct};
use serde::{Serialize, Serializer};

mod baselines;
mod table;

pub use baselines::Baselines;

/// What each fitted baseline was fitted on, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FittedOn {
    /// The histogram match.
    pub histogram: String,
    /// The lookup table.
    pub lut: String,
    /// The retrieval.
    pub retrieval: String,
}

/// Scores of one case.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CaseReport {
    /// Name of the case.
    pub name: String,
    /// Its subject, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The model's output.
    pub model: Scores<Option<f64>>,
    /// The baselines' outputs; `None` where one could not be fitted or found.
    pub baselines: Baselines<Option<Scores<Option<f64>>>>,
}

/// One direction of translation on all cases.
#[derive(Debug, Clone, PartialEq)]
pub struct DirectionReport {
    /// Names and ranges of the domains.
    pub direction: Direction,
    /// The model over all cases.
    pub model: Scores<Summary>,
    /// The baselines over all cases.
    pub baselines: Baselines<Option<Scores<Summary>>>,
    /// Every case.
    pub cases: Vec<CaseReport>,
    /// Origin of the fitted baselines.
    pub fitted_on: FittedOn,
    /// Of the volumes that the cases are slices of.
    pub flicker: Option<FlickerReport>,
    /// Of the generators; [`evaluate`](crate::evaluation::evaluate), which knows none, leaves them out.
    pub probes: Option<ProbeReport>,
    /// Of the model's uncertainty, where it states one: whoever knows it fills it in.
    pub uncertainty: Option<Calibration>,
    /// Where cases have a mask of lesions.
    pub lesions: Option<LesionReport>,
    /// Where cases have labels, and there was something to take the classes from.
    pub tissues: Option<TissueReport>,
}

impl DirectionReport {
    /// Model first, then the baselines in the order of the report, with their names.
    pub fn rows(&self) -> Vec<(&'static str, Option<&Scores<Summary>>)> {
        let baselines = &self.baselines;
        vec![
            ("model", Some(&self.model)),
            ("copy", baselines.copy.as_ref()),
            ("invert", baselines.invert.as_ref()),
            ("histogram", baselines.histogram.as_ref()),
            ("lut (oracle)", baselines.lut.as_ref()),
            ("retrieval (oracle)", baselines.retrieval.as_ref()),
        ]
    }
}

impl Serialize for DirectionReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("DirectionReport", 10)?;
        fields.serialize_field("model", &self.model)?;
        fields.serialize_field("baselines", &self.baselines)?;
        fields.serialize_field("cases", &self.cases)?;
        if let Some(flicker) = &self.flicker {
            fields.serialize_field("flicker", flicker)?;
        }
        if let Some(probes) = &self.probes {
            fields.serialize_field("probes", probes)?;
        }
        if let Some(uncertainty) = &self.uncertainty {
            fields.serialize_field("uncertainty", uncertainty)?;
        }
        if let Some(lesions) = &self.lesions {
            fields.serialize_field("lesions", lesions)?;
        }
        if let Some(tissues) = &self.tissues {
            fields.serialize_field("tissues", tissues)?;
        }
        fields.serialize_field("range", &self.direction.target_range)?;
        fields.serialize_field("fitted_on", &self.fitted_on)?;
        fields.end()
    }
}

/// A case that could not be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// Name of the case.
    pub name: String,
    /// Why, in one line.
    pub reason: String,
}

/// Both directions, and what failed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// Serialized under `"{from}_to_{to}"`.
    pub directions: Vec<DirectionReport>,
    /// Cases that are in no direction.
    pub failed: Vec<Failed>,
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for report in &self.directions {
            map.serialize_entry(&format!("{}_to_{}", report.direction.from, report.direction.to), report)?;
        }
        if !self.failed.is_empty() {
            map.serialize_entry("failed", &self.failed)?;
        }
        map.end()
    }
}
