//! What became of lesions as tables, and how to read them, from what `evaluate --json` writes.

use std::fmt::Write;

use serde_json::Value;

use super::{directions, scores::methods};
use crate::plot::escaped;

/// One table a direction; nothing where no case has a mask of lesions.
pub fn section(evaluation: &Value) -> String {
    let known = directions(evaluation).filter_map(|(name, scores)| Some((name, scores.get("lesions")?)));
    let mut html = String::new();
    let mut thresholds = &Value::Null;
    for (direction, lesions) in known {
        let count = |key: &str| lesions.get(key).and_then(Value::as_u64).unwrap_or_default();
        thresholds = &lesions["thresholds"];
        let _ = writeln!(
            html,
            "<table>\n<caption>{}: {} lesions ({} more are too faint in the truth), {} pixels searched for inventions</caption>\n\
             <tr><th></th><th scope=\"col\">Contrast kept (median)</th><th scope=\"col\">Sign kept</th>\
             <th scope=\"col\">Erased</th><th scope=\"col\">Invented</th></tr>",
            escaped(&direction.replace("_to_", " to ")),
            count("judged"),
            count("unclear"),
            count("searched_px"),
        );
        for (place, (name, row)) in methods(lesions).into_iter().enumerate() {
            let class = if place == 0 { " class=\"model\"" } else { "" };
            let number = |pointer: &str, factor: f64, decimals: usize, unit: &str| {
                let value = row.pointer(pointer).and_then(Value::as_f64);
                value.map_or_else(String::new, |value| format!("{:.decimals$}{unit}", factor * value))
            };
            let _ = writeln!(
                html,
                "<tr{class}><th scope=\"row\">{name}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                number("/contrast_kept", 1.0, 2, ""),
                number("/sign_kept/share", 100.0, 0, " %"),
                number("/erased/share", 100.0, 0, " %"),
                number("/invented", 1.0, 0, ""),
            );
        }
        html.push_str("</table>\n");
    }
    if html.is_empty() {
        return html;
    }
    let threshold = |key: &str| 100.0 * thresholds.get(key).and_then(Value::as_f64).unwrap_or_default();
    let _ = write!(
        html,
        "<ul class=\"note\">\n\
         <li>Contrast kept is the contrast of a lesion to the tissue around it, as part of that in the truth: 1 is right, 0 \
         is a lesion that cannot be seen, above 1 it is overdone, below 0 it is dark for bright.</li>\n\
         <li>Erased lesions have less than {:.0} % of their contrast left, whatever its sign.</li>\n\
         <li>Invented are spots of at least {:.0} % of the contrast of a typical lesion where the truth is even. The search \
         leaves out borders of tissues and the scalp: 0 found is not 0 invented.</li>\n</ul>\n",
        threshold("erased_below"),
        threshold("invented_above"),
    );
    html
}
