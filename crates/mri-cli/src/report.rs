//! `RUN/report.html`: one page that needs nothing but itself, made from what lies in the run folder.

use std::fmt::Write;
use std::io::Cursor;
use std::path::Path;

use anyhow::Context;
use base64::Engine;
use serde_json::Value;

use crate::history::{self, History};
use crate::pictures::{Role, Sheet};
use crate::plot::{self, escaped};
use crate::progress_gif;
use crate::whole_file;

pub mod lesions;
pub mod probes;
mod scores;
pub mod tissues;

/// Writes the report of a run from its `config.toml`, `metrics.jsonl`, `evaluation.json`, `samples/` and
/// `progress.gif`; what is missing is left out.
pub fn write(run: &Path) -> anyhow::Result<()> {
    whole_file::write_text(&run.join("report.html"), &page(run)?)
}

const WARNING: &str = "Every translated picture on this page is synthetic. The model can invent anatomy and can hide \
lesions: for research only, not for diagnosis.";

fn page(run: &Path) -> anyhow::Result<String> {
    let resolved = run.canonicalize().with_context(|| format!("cannot read {}", run.display()))?;
    let name = resolved.file_name().unwrap_or_default().to_string_lossy();
    let history = history::read(run)?;
    let evaluation = evaluation(run)?;
    let sections = [
        section("Collapsed", collapse(&history)),
        section("Scores on held-out images", scores::tables(&evaluation)),
        section("Lesions", lesions::section(&evaluation)),
        section("Tissues", tissues::section(&evaluation)),
        section("Probes of the networks", probes::section(&evaluation)),
        section("Compare", compare(run)?),
        section("How it got there", progress(run)?),
        section("Curves", plot::svg(&history)),
        section("Configuration", configuration(run)?),
    ];
    Ok(format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{name} · MRI contrast translation</title>\n<style>\n{}</style>\n</head>\n<body>\n\
         <h1>MRI contrast translation: {name}</h1>\n<p class=\"warning\" role=\"note\">{WARNING}</p>\n\
         {}<script>\n{}</script>\n</body>\n</html>\n",
        include_str!("report/page.css"),
        sections.concat(),
        include_str!("report/slider.js"),
        name = escaped(&name),
    ))
}

/// What `evaluate --json` writes, of the end of the run; null where it was not evaluated.
fn evaluation(run: &Path) -> anyhow::Result<Value> {
    let path = run.join("evaluation.json");
    if !path.exists() {
        return Ok(Value::Null);
    }
    let reading = || format!("cannot read {}", path.display());
    let text = std::fs::read_to_string(&path).with_context(reading)?;
    serde_json::from_str(&text).with_context(reading)
}

/// The directions of an evaluation, by name.
fn directions(evaluation: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let all = evaluation.as_object().into_iter().flatten();
    all.filter(|(_, scores)| scores.get("model").is_some()).map(|(name, scores)| (name.as_str(), scores))
}

/// A titled section; nothing where there is no content.
fn section(title: &str, content: String) -> String {
    if content.is_empty() { content } else { format!("<section>\n<h2>{title}</h2>\n{content}</section>\n") }
}

/// The signs of a collapse at the last validation; empty where there is none.
fn collapse(history: &History) -> String {
    if history.collapse.is_empty() {
        return String::new();
    }
    let signs: String = history.collapse.iter().map(|sign| format!("<li>{}</li>\n", escaped(sign))).collect();
    format!(
        "<p class=\"warning\">The generators of this run have collapsed: the model is of no use.</p>\n<ul>\n{signs}</ul>\n"
    )
}

/// The slider, and below it the tiles of the newest panel, one strip a case. The slider borrows the tiles' pictures.
fn compare(run: &Path) -> anyhow::Result<String> {
    let Some(newest) = progress_gif::samples(run)?.pop() else { return Ok(String::new()) };
    let sheet = Sheet::open(&newest)?;
    let rows = sheet.places.iter().map(|place| place.row + 1).max().unwrap_or(0);
    let mut strips = String::new();
    for row in 0..rows {
        let tiles: Vec<_> = sheet.places.iter().filter(|place| place.row == row).collect();
        let labels: Vec<_> =
            tiles.iter().filter(|place| place.role != Role::Cycled).map(|place| &*place.label).collect();
        let _ = writeln!(
            strips,
            "<div class=\"case\" data-name=\"{}: {}\">",
            row + 1,
            escaped(&labels.join(", "))
        );
        for place in tiles {
            let mut png = Cursor::new(Vec::new());
            sheet.tile(place).write_to(&mut png, image::ImageFormat::Png)?;
            let role = format!("{:?}", place.role).to_lowercase();
            let label = escaped(&place.label);
            let _ = writeln!(
                strips,
                "<figure class=\"{role}\"><img src=\"{}\" width=\"{}\" height=\"{}\" alt=\"{label}\">\
                 <figcaption>{label}</figcaption></figure>",
                data_uri("image/png", png.get_ref()),
                place.width,
                place.height,
            );
        }
        strips.push_str("</div>\n");
    }
    if strips.is_empty() {
        return Ok(strips); // a picture that someone else put there
    }
    let name = newest.file_stem().unwrap_or_default().to_string_lossy();
    let epoch = name.trim_start_matches("epoch_").trim_start_matches('0');
    Ok(format!(
        "<p>As the model was after epoch {epoch}; the scores are of the exported model, which may be of an earlier one.</p>\n\
         {}<div id=\"cases\">\n{strips}</div>\n",
        include_str!("report/slider.html")
    ))
}

fn progress(run: &Path) -> anyhow::Result<String> {
    let path = run.join("progress.gif");
    if !path.exists() {
        return Ok(String::new());
    }
    let gif = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let uri = data_uri("image/gif", &gif);
    Ok(format!(
        "<img class=\"wide\" src=\"{uri}\" alt=\"Panels of the validation images, epoch by epoch\">\n"
    ))
}

fn configuration(run: &Path) -> anyhow::Result<String> {
    let path = run.join("config.toml");
    if !path.exists() {
        return Ok(String::new());
    }
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(format!("<details><summary>config.toml</summary>\n<pre>{}</pre></details>\n", escaped(&text)))
}

fn data_uri(kind: &str, bytes: &[u8]) -> String {
    format!("data:{kind};base64,{}", base64::engine::general_purpose::STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests;
