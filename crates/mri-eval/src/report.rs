//! The result of an evaluation: as JSON (serde) and as a plain-text table.
//!
//! ```json
//! {"t1_to_t2": {"model": M, "baselines": {"copy": M, "invert": M, "histogram": M, "lut": M, "retrieval": M},
//!               "cases": [{"name": .., "subject": .., "model": C, "baselines": {"copy": C, ..}}, ..],
//!               "flicker": {"model": S, "baselines": {"copy": S, ..}, "volumes": [{"name": .., "slices": .., "model": .., "baselines": {..}}]},
//!               "uncertainty": {"members": .., "reliability": [{"sd": .., "rmse": ..}, ..], ..},
//!               "range": [0, 255], "fitted_on": {"histogram": .., "lut": .., "retrieval": ..}},
//!  "t2_to_t1": ..,
//!  "failed": [{"name": .., "reason": ..}]}
//! ```
//!
//! `M = {"psnr_db": {"mean", "sd"}, "ssim": .., "ms_ssim": .., "mae": .., "nmse": .., "nmi": .., "pearson": ..,
//! "foreground": {the same without ms_ssim}}`; `C` has plain numbers in place of mean and SD. A number that does not exist
//! is null, and a mean over fewer than all cases says how many were left out: `"infinite"` (exact outputs have no finite
//! PSNR) and `"undefined"`. A baseline that could not be fitted is null. `"failed"` appears only when something failed, `"flicker"` only where the cases are slices of volumes, and
//! `"uncertainty"` ([`Calibration`]) only where the model states one.

use crate::calibration::Calibration;
use crate::evaluation::Direction;
use crate::flicker::FlickerReport;
use crate::probes::ProbeReport;
use crate::scores::{Metrics, Scores, Summary};
use serde::ser::{SerializeMap, SerializeStruct};
use serde::{Serialize, Serializer};
use std::fmt;

/// One value per baseline.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Baselines<T> {
    /// [`copy`](crate::baselines::copy) of the source.
    pub copy: T,
    /// [`invert`](crate::baselines::invert)ed source.
    pub invert: T,
    /// [`fit_histogram_match`](crate::baselines::fit_histogram_match), unpaired.
    pub histogram: T,
    /// [`LookupFit`](crate::baselines::LookupFit), an oracle that saw training pairs.
    pub lut: T,
    /// Partner of the [`nearest`](crate::baselines::nearest) training source, an oracle too.
    pub retrieval: T,
}

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
        let mut fields = serializer.serialize_struct("DirectionReport", 6)?;
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

impl Report {
    /// The table for a terminal: model against baselines, mean ± SD over cases, a block per direction. No trailing newline.
    pub fn table(&self) -> String {
        let mut blocks: Vec<String> =
            self.directions.iter().map(|report| Block(report).to_string()).collect();
        let failed =
            self.failed.iter().map(|Failed { name, reason }| format!("not evaluated: {name}: {reason}"));
        let failed = failed.collect::<Vec<_>>().join("\n");
        if !failed.is_empty() {
            blocks.push(failed);
        }
        blocks.join("\n\n")
    }
}

struct Block<'a>(&'a DirectionReport);

impl fmt::Display for Block<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_direction(f, self.0)
    }
}

fn write_direction(f: &mut fmt::Formatter<'_>, report: &DirectionReport) -> fmt::Result {
    let Direction { from, to, .. } = &report.direction;
    let count = report.cases.len();
    let cases = plural(count, "case");
    writeln!(f, "{from} -> {to}, {count} {cases}, mean ± SD")?;
    writeln!(f, "{:<19}|{:^44}|{:^30}", "", "whole frame", "foreground")?;
    let header = |f: &mut fmt::Formatter<'_>| write!(f, "{:>14} {:>15}", "PSNR dB", "SSIM");
    write!(f, "{:<19}|", "")?;
    header(f)?;
    write!(f, " {:>6} {:>6}|", "MAE", "NMI")?;
    header(f)?;
    writeln!(f)?;
    for (name, scores) in report.rows() {
        write!(f, "{name:<19}|")?;
        let Some(Scores { frame, foreground }) = scores else {
            writeln!(f, " not fitted: needs training images or more cases")?;
            continue;
        };
        write_quality(f, frame)?;
        write!(f, " {:>6} {:>6}|", number(frame.mae.mean, 2), number(frame.nmi.mean, 3))?;
        write_quality(f, foreground)?;
        writeln!(f)?;
    }
    if let Some(FlickerReport { model, baselines, volumes }) = &report.flicker {
        let percent = |summary: &Summary| number(summary.mean.map(|mean| 100.0 * mean), 2);
        let Baselines { copy, invert, histogram, lut, retrieval } = baselines;
        write!(f, "flicker of {} {}, % of the range: ", volumes.len(), plural(volumes.len(), "volume"))?;
        write!(f, "model {}, copy {}, invert {}", percent(model), percent(copy), percent(invert))?;
        let (histogram, lut, retrieval) = (percent(histogram), percent(lut), percent(retrieval));
        writeln!(f, ", histogram {histogram}, lut {lut}, retrieval {retrieval}")?;
    }
    if let Some(uncertainty) = &report.uncertainty {
        writeln!(f, "{uncertainty}")?;
    }
    let FittedOn { histogram, lut, retrieval } = &report.fitted_on;
    if histogram == lut && lut == retrieval {
        write!(f, "histogram, lut and retrieval fitted on {lut}")
    } else {
        write!(f, "histogram fitted on {histogram}; lut and retrieval on {lut}")
    }
}

fn write_quality(f: &mut fmt::Formatter<'_>, metrics: &Metrics<Summary>) -> fmt::Result {
    write!(f, "{:>14} {:>15}", mean_sd(&metrics.psnr_db, 2), mean_sd(&metrics.ssim, 3))
}

fn mean_sd(summary: &Summary, decimals: usize) -> String {
    match (summary.mean, summary.sd) {
        (None, _) if summary.infinite > 0 => "inf".to_owned(),
        (None, _) => "-".to_owned(),
        (mean, None) => number(mean, decimals),
        (mean, sd) => format!("{} ± {}", number(mean, decimals), number(sd, decimals)),
    }
}

fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
}

fn plural(count: usize, word: &str) -> String {
    if count == 1 { word.to_owned() } else { format!("{word}s") }
}
