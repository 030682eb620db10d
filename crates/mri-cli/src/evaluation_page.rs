//! `evaluate --report DIR`: the table and the pictures on one page that needs nothing but itself.

use std::fmt::Write;
use std::io::Cursor;

use anyhow::Result;
use base64::Engine;
use mri_eval::report::Report;
use ndarray::ArrayView2;

use crate::evaluation::{Evaluation, Translated};
use crate::pictures::{Role, Tile, grey, sheet};
use crate::plot::escaped;

/// Pictures of at most this many pairs, evenly chosen: a page stays small enough to open.
const MOST_CASES: usize = 24;

/// Errors are shown this many times brighter than the images.
const ERROR_GAIN: f32 = 2.0;

const STYLE: &str = ":root { color-scheme: light dark } body { font: 1rem/1.5 system-ui, sans-serif; max-width: 70rem; \
margin: 2rem auto; padding: 0 1rem } pre { overflow-x: auto } img { max-width: 100% } .warning { font-weight: bold }";

/// The page as HTML.
pub fn page(evaluation: &Evaluation) -> Result<String> {
    let Evaluation { report, translated } = evaluation;
    let step = translated.len().div_ceil(MOST_CASES).max(1);
    let shown: Vec<_> = translated.iter().step_by(step).collect();
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Evaluation</title>\n\
         <style>{STYLE}</style>\n<h1>Evaluation</h1>\n\
         <p class=\"warning\">The translated images are synthetic. They are for research only, not for diagnosis: \
         the model can invent anatomy and can hide lesions.</p>\n<pre>{}</pre>\n\
         <h2>Source, synthetic, true, and their absolute difference (x{ERROR_GAIN}): {} of {} pairs</h2>\n",
        escaped(&report.table()),
        shown.len(),
        translated.len(),
    );
    for case in shown {
        write_case(&mut html, report, case)?;
    }
    html.push_str("</html>\n");
    Ok(html)
}

/// Both directions of a pair as one picture.
fn write_case(html: &mut String, report: &Report, case: &Translated) -> Result<()> {
    let Translated { pair, outputs } = case;
    let rows = report.directions.iter().zip([(0, 1), (1, 0)]).map(|(direction, (from, to))| {
        let (source, truth) = (&pair.images[from], &pair.images[to]);
        let tile = |label: String, pixels: ArrayView2<'_, f32>, white: f32| Tile {
            label,
            role: Role::Plain,
            picture: grey(pixels, (0.0, white)),
        };
        let (source_max, max) = (source.depth.max_value(), truth.depth.max_value());
        let error = (&outputs[to] - &truth.pixels).mapv(f32::abs);
        let (a, b) = (&direction.direction.from, &direction.direction.to);
        vec![
            tile(format!("{a} source"), source.pixels.view(), source_max),
            tile(format!("synthetic {b}"), outputs[to].view(), max),
            tile(format!("true {b}"), truth.pixels.view(), max),
            tile(format!("error x{ERROR_GAIN}"), error.view(), max / ERROR_GAIN),
        ]
    });
    let mut png = Cursor::new(Vec::new());
    sheet("", rows.collect()).picture.write_to(&mut png, image::ImageFormat::Png)?;
    let encoded = base64::engine::general_purpose::STANDARD.encode(png.get_ref());
    let name = escaped(&pair.name);
    writeln!(html, "<h3>{name}</h3>\n<img alt=\"{name}\" src=\"data:image/png;base64,{encoded}\">")?;
    Ok(())
}
