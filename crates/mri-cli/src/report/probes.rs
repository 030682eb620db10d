//! The probes of the networks as a table, and how to read it, from what `evaluate --json` writes.

use std::fmt::Write;

use mri_eval::probes::HIDES_ABOVE;
use serde_json::Value;

use super::directions;
use crate::plot::escaped;

/// A row: heading, path of keys below `probes`, factor, decimals.
const ROWS: [(&str, &str, f64, usize); 5] = [
    ("Cycle error (% of the range)", "/steganography/cycle_error", 100., 2),
    ("times, from the fake in 8 bits", "/steganography/ratio_8_bit", 1., 2),
    ("times, from the fake with noise", "/steganography/ratio_noise", 1., 2),
    ("Gain of the noise", "/steganography/noise_gain", 1., 2),
    ("Change by a shift of the input (% of the range)", "/shift/change", 100., 2),
];

/// Nothing where the networks were not probed.
pub fn section(evaluation: &Value) -> String {
    let probed: Vec<(&str, &Value)> =
        directions(evaluation).filter_map(|(name, scores)| Some((name, scores.get("probes")?))).collect();
    let Some((_, first)) = probed.first() else { return String::new() };
    let number = |pointer: &str| first.pointer(pointer).and_then(Value::as_f64).unwrap_or_default();
    let mut html =
        format!("<table>\n<caption>{} cases: mean ± SD</caption>\n<tr><th></th>", number("/cases"));
    for (name, _) in &probed {
        let _ = write!(html, "<th scope=\"col\">{}</th>", escaped(&name.replace("_to_", " to ")));
    }
    html.push_str("</tr>\n");
    for (heading, pointer, factor, decimals) in ROWS {
        let _ = write!(html, "<tr><th scope=\"row\">{heading}</th>");
        for (_, probes) in &probed {
            let _ = write!(html, "<td>{}</td>", cell(probes.pointer(pointer), factor, decimals));
        }
        html.push_str("</tr>\n");
    }
    let _ = write!(
        html,
        "</table>\n<ul class=\"note\">\n\
         <li>The cycle error is that of going there and back. A fake that hides its input in a faint pattern closes the \
         cycle only as it is: then the error grows in 8 bits or with noise of {}% of the range. Above {HIDES_ABOVE} times \
         it hides.</li>\n\
         <li>The gain is how much the way back enlarges that noise: 1 passes it on, far above 1 reads faint patterns.</li>\n\
         <li>The shift is of {} px: an output that changes much depends on where the anatomy lies on the pixels, and will \
         flicker between slices.</li>\n\
         <li>Sharpness, among the scores, is the root mean square gradient over that of the truth: 1 is right, below is \
         blurred or pale, above noisy or textured.</li>\n</ul>\n",
        100. * number("/steganography/noise_sd"),
        number("/shift/shift_px"),
    );
    html
}

fn cell(summary: Option<&Value>, factor: f64, decimals: usize) -> String {
    let figure = |key: &str| Some(factor * summary?.get(key)?.as_f64()?);
    match (figure("mean"), figure("sd")) {
        (Some(mean), Some(sd)) => format!("{mean:.decimals$} <small>± {sd:.decimals$}</small>"),
        (Some(mean), None) => format!("{mean:.decimals$}"),
        _ => String::new(),
    }
}
