//! How far the model's uncertainty can be trusted: a plot, and a sentence for each figure.

use std::fmt::Write;

use mri_eval::calibration::{Bin, Calibration, Coverage};
use mri_eval::report::{DirectionReport, Report};

use crate::plot::escaped;
use crate::plot::reliability::{Curve, reliability};

/// Nothing where the model states no uncertainty.
pub fn section(report: &Report) -> String {
    let stated = |direction: &'_ DirectionReport| direction.uncertainty.is_some();
    let directions: Vec<&DirectionReport> = report.directions.iter().filter(|d| stated(d)).collect();
    let calibrations: Vec<&Calibration> =
        directions.iter().filter_map(|direction| direction.uncertainty.as_ref()).collect();
    let Some(first) = calibrations.first() else { return String::new() };
    let names = directions.iter().map(|d| format!("{} to {}", d.direction.from, d.direction.to));
    let names: Vec<String> = names.collect();
    let points = |of: &Calibration| of.reliability.iter().map(|Bin { sd, rmse }| (*sd, *rmse)).collect();
    let curves: Vec<Curve> = names.iter().cloned().zip(calibrations.iter().map(|of| points(of))).collect();
    let mut html = format!(
        "<h2>Uncertainty</h2>\n<p>Each output is the mean of {} members, and the standard deviation (SD) of the members in a \
         pixel is the uncertainty that the model states there. Here it is held against the true error, over the head in all \
         slices. <strong>A small SD is no proof of being right</strong>: what all members learned wrongly, they say with one \
         voice, and a lesion that all of them erase leaves no trace in it.</p>\n\
         <p>A point of the plot is a tenth of the pixels, by rising SD. On the dashed line the error is as large as stated; \
         above it the members are overconfident, which is the rule.</p>\n{}",
        first.members,
        reliability(&curves),
    );
    html.push_str("<table>\n<tr><th></th>");
    for name in &names {
        let _ = write!(html, "<th scope=\"col\">{}</th>", escaped(name));
    }
    html.push_str("<th scope=\"col\">how to read it</th></tr>\n");
    for (name, value, reading) in rows(first) {
        let _ = write!(html, "<tr><th scope=\"row\">{name}</th>");
        for calibration in &calibrations {
            let _ = write!(html, "<td>{}</td>", value(calibration));
        }
        let _ = writeln!(html, "<td>{reading}</td></tr>");
    }
    html + "</table>\n"
}

type Row = (&'static str, fn(&Calibration) -> String, String);

/// Name, value and sentence of each figure.
fn rows(any: &Calibration) -> Vec<Row> {
    let expected = |coverage: Coverage| percent(coverage.expected);
    vec![
        (
            "RMSE / SD",
            |of| number(of.scale),
            format!(
                "What the SDs must be multiplied by to be right on the whole. Right members would have {:.2}.",
                any.expected_scale
            ),
        ),
        (
            "within 1 SD",
            |of| percent(of.within_1_sd.share),
            format!(
                "Pixels whose error is at most one SD: 68 % where many members are right, {} of {}.",
                expected(any.within_1_sd),
                any.members
            ),
        ),
        (
            "within 2 SD",
            |of| percent(of.within_2_sd.share),
            format!("The same for two: 95 %, here {}.", expected(any.within_2_sd)),
        ),
        (
            "rank correlation",
            |of| number(of.spearman),
            "Spearman's, of SD and absolute error: 1 where the SD puts the pixels in the order of their errors, 0 where it says \
             nothing of them."
                .into(),
        ),
        (
            "error in the most uncertain tenth",
            |of| {
                of.most_uncertain_tenth.map_or_else(
                    || "-".into(),
                    |tenth| format!("{} ({})", percent(tenth.share), percent(tenth.at_best)),
                )
            },
            "Share of all absolute error there: 10 % where the SD says nothing; in brackets the most that any tenth holds."
                .into(),
        ),
        (
            "ENCE",
            |of| number(of.ence),
            "Expected normalized calibration error: how far the points of the plot lie from the line, as a share of the SD; 0 is \
             perfect."
                .into(),
        ),
    ]
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "-".into(), |value| format!("{value:.2}"))
}
