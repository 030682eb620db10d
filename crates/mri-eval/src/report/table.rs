//! The report as text for a terminal.

use super::{DirectionReport, Failed, FittedOn, Report};
use crate::evaluation::Direction;
use crate::flicker::FlickerReport;
use crate::lesions::{LesionReport, LesionScores, Share};
use crate::probes::{ProbeReport, Steganography};
use crate::report::Baselines;
use crate::scores::{Metrics, Scores, Summary};
use crate::tissues::{TissueReport, Tissues};
use std::fmt;

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
        let Some(Scores { frame, foreground, .. }) = scores else {
            writeln!(f, " not fitted: needs training images or more cases")?;
            continue;
        };
        write_quality(f, frame)?;
        write!(f, " {:>6} {:>6}|", number(frame.mae.mean, 2), number(frame.nmi.mean, 3))?;
        write_quality(f, foreground)?;
        writeln!(f)?;
    }
    writeln!(f, "inside the head, PSNR dB: {}", listed(&report.model, &report.baselines, inside_psnr))?;
    if let Some(FlickerReport { model, baselines, volumes }) = &report.flicker {
        let percent = |summary: &Summary| number(summary.mean.map(|mean| 100.0 * mean), 2);
        write!(f, "flicker of {} {}, % of the range: ", volumes.len(), plural(volumes.len(), "volume"))?;
        writeln!(f, "{}", listed(model, &baselines.clone().map(Some), percent))?;
    }
    if let Some(LesionReport { judged, model, baselines, .. }) = &report.lesions {
        write!(f, "{judged} {}, contrast kept/sign kept/erased/invented: ", plural(*judged, "lesion"))?;
        writeln!(f, "{}", listed(model, baselines, lesion_scores))?;
    }
    if let Some(TissueReport { ceiling, model, baselines, .. }) = &report.tissues {
        let mean = |dice: &Tissues<Summary>| number(dice.mean(), 3);
        writeln!(f, "tissue Dice (ceiling {}): {}", mean(ceiling), listed(model, baselines, mean))?;
    }
    if let Some(uncertainty) = &report.uncertainty {
        writeln!(f, "{uncertainty}")?;
    }
    let sharpness = listed(&report.model, &report.baselines, sharpness);
    writeln!(f, "sharpness of the foreground, 1 as the truth: {sharpness}")?;
    if let Some(probes) = &report.probes {
        write_probes(f, probes)?;
    }
    let FittedOn { histogram, lut, retrieval } = &report.fitted_on;
    if histogram == lut && lut == retrieval {
        write!(f, "histogram, lut and retrieval fitted on {lut}")
    } else {
        write!(f, "histogram fitted on {histogram}; lut and retrieval on {lut}")
    }
}

/// The model and the baselines, one after the other.
fn listed<T>(model: &T, baselines: &Baselines<Option<T>>, show: impl Fn(&T) -> String) -> String {
    let baselines = baselines.as_ref().named().into_iter();
    let baselines =
        baselines.map(|(name, value)| format!(", {name} {}", value.as_ref().map_or("-".to_owned(), &show)));
    format!("model {}{}", show(model), baselines.collect::<String>())
}

fn inside_psnr(scores: &Scores<Summary>) -> String {
    let psnr = &scores.inside.psnr_db;
    if psnr.mean.is_none() && psnr.infinite > 0 { "inf".to_owned() } else { number(psnr.mean, 2) }
}

fn sharpness(scores: &Scores<Summary>) -> String {
    number(scores.foreground.sharpness.as_ref().and_then(|sharpness| sharpness.mean), 2)
}

fn write_probes(f: &mut fmt::Formatter<'_>, probes: &ProbeReport) -> fmt::Result {
    let ProbeReport { cases, steganography: Steganography { noise_sd, hiding }, shift } = probes;
    let percent = |summary: &Summary| number(summary.mean.map(|mean| 100.0 * mean), 2);
    let times = |summary: &Summary| number(summary.mean, 2);
    let verdict = if probes.is_hiding() { ": it hides its input in the fake" } else { "" };
    writeln!(
        f,
        "cycle error of {cases} {}, % of the range: {}, x{} from 8 bits, x{} with noise of {}%{verdict}",
        plural(*cases, "case"),
        percent(&hiding.cycle_error),
        times(&hiding.ratio_8_bit),
        times(&hiding.ratio_noise),
        100.0 * noise_sd,
    )?;
    writeln!(f, "change by a shift of {} px, % of the range: {}", shift.shift_px, percent(&shift.change))
}

fn lesion_scores(scores: &LesionScores) -> String {
    let percent = |share: &Share| number(share.share().map(|share| 100.0 * share), 0);
    let invented = scores.invented.map_or("-".to_owned(), |invented| invented.to_string());
    let LesionScores { contrast_kept, sign_kept, erased, .. } = scores;
    format!("{}/{}%/{}%/{invented}", number(*contrast_kept, 2), percent(sign_kept), percent(erased))
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
