//! Tables of the model against the baselines, from what `evaluate --json` writes.

use std::fmt::Write;

use serde_json::Value;

use crate::plot::escaped;

/// A column: heading, path of keys, decimals.
const COLUMNS: [(&str, &[&str], usize); 9] = [
    ("PSNR (dB)", &["psnr_db"], 2),
    ("SSIM", &["ssim"], 3),
    ("MAE", &["mae"], 4),
    ("NMI", &["nmi"], 3),
    ("PSNR (dB), foreground", &["foreground", "psnr_db"], 2),
    ("SSIM, foreground", &["foreground", "ssim"], 3),
    ("PSNR (dB), inside", &["inside", "psnr_db"], 2),
    ("SSIM, inside", &["inside", "ssim"], 3),
    ("Sharpness, foreground", &["foreground", "sharpness"], 2),
];

/// Heading of the column that evaluations of volumes have further.
const FLICKER: &str = "Flicker (% of the range)";

/// The baselines in the order of the table, in words.
const BASELINES: [(&str, &str); 5] = [
    ("copy", "copy the source"),
    ("invert", "invert the source"),
    ("histogram", "match histograms"),
    ("lut", "lookup table *"),
    ("retrieval", "nearest slice's partner *"),
];

/// One table a direction.
pub(super) fn tables(evaluation: &Value) -> String {
    let mut html: String = super::directions(evaluation).map(|(name, scores)| table(name, scores)).collect();
    if html.contains(" *<") {
        html.push_str(
            "<p class=\"note\">* oracles: they saw true pairs in training, the model saw none.</p>\n",
        );
    }
    html
}

/// The model and the baselines of a measure, in words.
pub(super) fn methods(measure: &Value) -> Vec<(&'static str, &Value)> {
    let model = measure.get("model").map(|model| ("the model", model));
    let baselines =
        BASELINES.iter().filter_map(|(key, words)| Some((*words, measure.get("baselines")?.get(key)?)));
    model.into_iter().chain(baselines.filter(|(_, row)| !row.is_null())).collect()
}

fn table(direction: &str, scores: &Value) -> String {
    let flicker = scores.get("flicker");
    let model = scores.get("model").map(|model| ("the model", model, at_or_null(flicker, &["model"])));
    let baselines = BASELINES.iter().filter_map(|(key, words)| {
        let row = scores.get("baselines")?.get(key)?;
        Some((*words, row, at_or_null(flicker, &["baselines", key])))
    });
    let rows: Vec<(&str, &Value, &Value)> = model.into_iter().chain(baselines).collect();
    let cases = scores.get("cases").and_then(Value::as_array).map_or(0, Vec::len);

    let known =
        |(_, keys, _): &&(&str, &[&str], usize)| rows.iter().any(|(_, row, _)| mean(row, keys).is_some());
    let columns: Vec<_> = COLUMNS.iter().filter(known).collect();
    let mut html = format!(
        "<table>\n<caption>{}, {cases} cases: mean ± SD</caption>\n<tr><th></th>",
        escaped(&direction.replace("_to_", " to "))
    );
    for (heading, ..) in &columns {
        let _ = write!(html, "<th scope=\"col\">{heading}</th>");
    }
    if flicker.is_some() {
        let _ = write!(html, "<th scope=\"col\">{FLICKER}</th>");
    }
    html.push_str("</tr>\n");
    for (place, (name, row, flickering)) in rows.iter().enumerate() {
        let class = if place == 0 { " class=\"model\"" } else { "" };
        let _ = write!(html, "<tr{class}><th scope=\"row\">{name}</th>");
        for (_, keys, decimals) in &columns {
            write_cell(&mut html, mean(row, keys), sd(row, keys), *decimals);
        }
        if flicker.is_some() {
            let percent = |value: Option<f64>| value.map(|value| 100.0 * value);
            write_cell(&mut html, percent(mean(flickering, &[])), percent(sd(flickering, &[])), 2);
        }
        html.push_str("</tr>\n");
    }
    html + "</table>\n"
}

fn write_cell(html: &mut String, mean: Option<f64>, sd: Option<f64>, decimals: usize) {
    let _ = match (mean, sd) {
        (Some(mean), Some(sd)) => {
            write!(html, "<td>{mean:.decimals$} <small>± {sd:.decimals$}</small></td>")
        }
        (Some(mean), None) => write!(html, "<td>{mean:.decimals$}</td>"),
        _ => write!(html, "<td></td>"),
    };
}

fn at_or_null<'a>(flicker: Option<&'a Value>, keys: &[&str]) -> &'a Value {
    flicker.and_then(|flicker| at(flicker, keys)).unwrap_or(&Value::Null)
}

fn at<'a>(row: &'a Value, keys: &[&str]) -> Option<&'a Value> {
    keys.iter().try_fold(row, |value, key| value.get(key))
}

/// The mean of `{"mean":..,"sd":..}`, or a plain number.
fn mean(row: &Value, keys: &[&str]) -> Option<f64> {
    let value = at(row, keys)?;
    value.get("mean").unwrap_or(value).as_f64()
}

fn sd(row: &Value, keys: &[&str]) -> Option<f64> {
    at(row, keys)?.get("sd")?.as_f64()
}
