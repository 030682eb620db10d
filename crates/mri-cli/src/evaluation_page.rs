//! `evaluate --report DIR`: the table and the pictures on one page that needs nothing but itself.

use std::fmt::Write;
use std::io::Cursor;

use anyhow::Result;
use base64::Engine;
use mri_data::scratch::Scratch;
use mri_eval::report::Report;
use ndarray::ArrayView2;

use crate::evaluation::{Evaluation, Translated};
use crate::pictures::{Role, Sheet, Tile, grey, sheet};
use crate::plot::escaped;
use crate::report;

mod lesions;
mod uncertainty;

/// Pictures of at most this many cases, evenly chosen: a page stays small enough to open.
const MOST_CASES: usize = 24;

/// Errors are shown this many times brighter than the images.
const ERROR_GAIN: f32 = 2.0;

const STYLE: &str = ":root { color-scheme: light dark } body { font: 1rem/1.5 system-ui, sans-serif; max-width: 70rem; \
margin: 2rem auto; padding: 0 1rem } pre { overflow-x: auto } img { max-width: 100% } td, th { padding: .2rem .6rem; text-align: left; vertical-align: top } .warning { font-weight: bold }";

/// The page as HTML.
pub fn page(evaluation: &Evaluation) -> Result<String> {
    let Evaluation { report, cases, scratch } = evaluation;
    let step = cases.len().div_ceil(MOST_CASES).max(1);
    let shown: Vec<_> = cases.iter().step_by(step).collect();
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Evaluation</title>\n\
         <style>{STYLE}</style>\n<h1>Evaluation</h1>\n\
         <p class=\"warning\">The translated images are synthetic. They are for research only, not for diagnosis: \
         the model can invent anatomy and can hide lesions.</p>\n<pre>{}</pre>\n{}",
        escaped(&report.table()),
        uncertainty::section(report),
    );
    let json = serde_json::to_value(report)?;
    let of_lesions = report::lesions::section(&json) + &lesions::pictures(evaluation)?;
    for (title, content) in [
        ("Lesions", of_lesions),
        ("Tissues", report::tissues::section(&json)),
        ("Probes of the networks", report::probes::section(&json)),
    ] {
        if !content.is_empty() {
            writeln!(html, "<h2>{title}</h2>\n{content}")?;
        }
    }
    writeln!(
        html,
        "<h2>Source, synthetic, true, and their absolute difference (x{ERROR_GAIN}): {} of {} slices</h2>",
        shown.len(),
        cases.len()
    )?;
    for case in shown {
        write_case(&mut html, report, case, scratch)?;
    }
    html.push_str("</html>\n");
    Ok(html)
}

/// Both directions of a pair as one picture.
fn write_case(html: &mut String, report: &Report, case: &Translated, scratch: &Scratch) -> Result<()> {
    let mut rows = Vec::new();
    for (direction, (from, to)) in report.directions.iter().zip([(0, 1), (1, 0)]) {
        let [source, truth, output] =
            [case.images[from], case.images[to], case.outputs[to]].map(|kept| scratch.read(kept));
        let (source, truth, output) = (source?, truth?, output?);
        let tile = |label: String, pixels: ArrayView2<'_, f32>, white: f32| Tile {
            label,
            role: Role::Plain,
            picture: grey(pixels, (0.0, white)),
        };
        let (source_max, max) = (case.depths[from].max_value(), case.depths[to].max_value());
        let error = (&output - &truth).mapv(f32::abs);
        let (a, b) = (&direction.direction.from, &direction.direction.to);
        let mut row = vec![
            tile(format!("{a} source"), source.view(), source_max),
            tile(format!("synthetic {b}"), output.view(), max),
            tile(format!("true {b}"), truth.view(), max),
            tile(format!("error x{ERROR_GAIN}"), error.view(), max / ERROR_GAIN),
        ];
        if let Some(sd) = case.sds[to] {
            row.push(tile(format!("SD x{ERROR_GAIN}"), scratch.read(sd)?.view(), max / ERROR_GAIN));
        }
        rows.push(row);
    }
    let (name, picture) = (escaped(&case.name), data_uri(&sheet("", rows))?);
    writeln!(html, "<h3>{name}</h3>\n<img alt=\"{name}\" src=\"{picture}\">")?;
    Ok(())
}

fn data_uri(sheet: &Sheet) -> Result<String> {
    let mut png = Cursor::new(Vec::new());
    sheet.picture.write_to(&mut png, image::ImageFormat::Png)?;
    Ok(format!("data:image/png;base64,{}", base64::engine::general_purpose::STANDARD.encode(png.get_ref())))
}
