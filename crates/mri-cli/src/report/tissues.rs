//! The overlap of tissues as tables, and how to read them, from what `evaluate --json` writes.

use std::fmt::Write;

use serde_json::Value;

use super::{directions, scores::methods};
use crate::plot::escaped;

const TISSUES: [(&str, &str); 3] =
    [("csf", "Cerebrospinal fluid"), ("grey_matter", "Grey matter"), ("white_matter", "White matter")];

/// One table a direction; nothing where no case has labels.
pub fn section(evaluation: &Value) -> String {
    let known = directions(evaluation).filter_map(|(name, scores)| Some((name, scores.get("tissues")?)));
    let mut html = String::new();
    for (direction, tissues) in known {
        let cases = tissues.get("cases").and_then(Value::as_u64).unwrap_or_default();
        let direction = escaped(&direction.replace("_to_", " to "));
        let _ =
            write!(html, "<table>\n<caption>{direction}, {cases} cases: mean Dice</caption>\n<tr><th></th>");
        for (_, heading) in TISSUES {
            let _ = write!(html, "<th scope=\"col\">{heading}</th>");
        }
        html.push_str("</tr>\n");
        let ceiling = tissues.get("ceiling").map(|ceiling| ("the true image", ceiling));
        for (place, (name, row)) in methods(tissues).into_iter().chain(ceiling).enumerate() {
            let class = if place == 0 { " class=\"model\"" } else { "" };
            let _ = write!(html, "<tr{class}><th scope=\"row\">{name}</th>");
            for (tissue, _) in TISSUES {
                let mean = row.get(tissue).and_then(|summary| summary.get("mean")?.as_f64());
                let mean = mean.map_or_else(String::new, |mean| format!("{mean:.3}"));
                let _ = write!(html, "<td>{mean}</td>");
            }
            html.push_str("</tr>\n");
        }
        html.push_str("</table>\n");
    }
    if !html.is_empty() {
        html.push_str(
            "<p class=\"note\">The pixels of the brain, told apart by their grey value alone, against the true labels: 1 is \
             full overlap. The last row is the ceiling, the same on the true image; what a method lacks to it are tissues \
             that lie elsewhere or have the wrong grey.</p>\n",
        );
    }
    html
}
