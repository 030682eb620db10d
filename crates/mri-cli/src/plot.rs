//! Curves as SVG, readable on light and on dark paper: `RUN/losses.svg`, and the same inside the report.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use crate::history::{Curves, History};
use crate::whole_file;

mod axis;
pub mod reliability;
use axis::Axis;

const WIDTH: f64 = 760.0;
const CHART_HEIGHT: f64 = 300.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 190.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 44.0;
/// Okabe and Ito's colours, which the colour-blind can tell apart, without black and yellow.
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"];
/// Points of a drawn curve; longer ones are averaged in bins.
const MOST_POINTS: usize = 500;

/// Writes `RUN/losses.svg`.
pub fn write(run: &Path, history: &History) -> anyhow::Result<()> {
    whole_file::write_text(&run.join("losses.svg"), &svg(history))
}

/// The losses over images seen, then one chart for each kind of validation value over epochs.
pub fn svg(history: &History) -> String {
    let mut charts = Vec::new();
    if !history.losses.is_empty() {
        charts.push(chart("Losses", "images seen", &history.losses));
    }
    let mut kinds: BTreeMap<&str, Curves> = BTreeMap::new();
    for (name, points) in &history.validation {
        let (curve, kind) = name.rsplit_once(' ').unwrap_or((name, name));
        kinds.entry(kind).or_default().insert(curve.to_owned(), points.clone());
    }
    charts.extend(kinds.iter().map(|(kind, curves)| chart(&format!("Validation: {kind}"), "epoch", curves)));

    let height = CHART_HEIGHT * charts.len().max(1) as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" role=\"img\" aria-label=\"Training curves\">\n{STYLE}\n\
         <rect class=\"paper\" width=\"{WIDTH}\" height=\"{height}\"/>\n"
    );
    if charts.is_empty() {
        let _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"60\">nothing measured yet</text>");
    }
    for (place, chart) in charts.iter().enumerate() {
        let _ = writeln!(svg, "<g transform=\"translate(0 {})\">\n{chart}</g>", CHART_HEIGHT * place as f64);
    }
    svg + "</svg>\n"
}

const STYLE: &str = "<style>
svg { --ink: #1a1a1a; --rule: #d8d8d8; --paper: #ffffff; font: 12px system-ui, sans-serif }
@media (prefers-color-scheme: dark) { svg { --ink: #e8e8e8; --rule: #3d3d3d; --paper: #161616 } }
.paper { fill: var(--paper) } text { fill: var(--ink) } .title { font-weight: 600; font-size: 14px }
.rule { stroke: var(--rule); stroke-width: 1 } .curve { fill: none; stroke-width: 2; stroke-linejoin: round }
.raw { fill: none; stroke-width: 1; opacity: .25 }
</style>";

/// Values along both axes, and a rule across the chart at each of the vertical one, between `left` and `right`.
fn write_ticks(svg: &mut String, x_axis: &Axis, y_axis: &Axis, [left, right]: [f64; 2], bottom: f64) {
    for (value, y) in y_axis.ticks() {
        let _ = writeln!(
            svg,
            "<line class=\"rule\" x1=\"{left}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>",
            left - 6.0,
            y + 4.0
        );
    }
    for (value, x) in x_axis.ticks() {
        let y = bottom + 17.0;
        let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{value}</text>");
    }
}

fn chart(title: &str, x_name: &str, curves: &Curves) -> String {
    let points = || curves.values().flatten();
    let x_axis = Axis::linear(points().map(|point| point.0), LEFT, WIDTH - RIGHT);
    let y_axis = Axis::fitting(points().map(|point| point.1), CHART_HEIGHT - BOTTOM, TOP);
    let (bottom, right) = (CHART_HEIGHT - BOTTOM, WIDTH - RIGHT);

    let mut svg = format!("<text class=\"title\" x=\"{LEFT}\" y=\"20\">{}</text>\n", escaped(title));
    write_ticks(&mut svg, &x_axis, &y_axis, [LEFT, right], bottom);
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{x_name}</text>",
        (LEFT + right) / 2.0,
        bottom + 35.0
    );
    for (number, (name, points)) in curves.iter().enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        let dash = if number < COLOURS.len() { "" } else { " stroke-dasharray=\"6 3\"" };
        let binned = binned(points);
        let at = |(x, y): &(f64, f64)| format!("{:.1},{:.1}", x_axis.place(*x), y_axis.place(*y));
        let path = |points: &[(f64, f64)]| points.iter().map(at).collect::<Vec<_>>().join(" ");
        let smooth = smoothed(&binned);
        if smooth != binned {
            let _ =
                writeln!(svg, "<polyline class=\"raw\" stroke=\"{colour}\" points=\"{}\"/>", path(&binned));
        }
        let _ = writeln!(
            svg,
            "<polyline class=\"curve\" stroke=\"{colour}\"{dash} points=\"{}\"/>",
            path(&smooth)
        );
        if let ([only], false) = (smooth.as_slice(), smooth.is_empty()) {
            let (x, y) = (x_axis.place(only.0), y_axis.place(only.1));
            let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>");
        }
        let (x, y) = (right + 14.0, TOP + 6.0 + 18.0 * number as f64);
        let _ = writeln!(
            svg,
            "<line class=\"curve\" stroke=\"{colour}\"{dash} x1=\"{x}\" x2=\"{:.1}\" y1=\"{y}\" y2=\"{y}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            x + 22.0,
            x + 28.0,
            y + 4.0,
            escaped(&name.replace('_', " "))
        );
    }
    svg
}

/// Means of equal numbers of neighbouring points, at most [`MOST_POINTS`] of them.
fn binned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let bin = points.len().div_ceil(MOST_POINTS).max(1);
    let mean = |bin: &[(f64, f64)]| {
        let (x, y) = bin.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
        (x / bin.len() as f64, y / bin.len() as f64)
    };
    points.chunks(bin).map(mean).collect()
}

/// Exponential moving average over about a twentieth of the curve, its start corrected; short curves stay as they are.
fn smoothed(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if points.len() < 40 {
        return points.to_vec();
    }
    let keep = 1.0 - 1.0 / (points.len() as f64 / 20.0);
    let (mut sum, mut weight) = (0.0, 0.0);
    let average = |&(x, y): &(f64, f64)| {
        sum = keep * sum + (1.0 - keep) * y;
        weight = keep * weight + (1.0 - keep);
        (x, sum / weight)
    };
    points.iter().map(average).collect()
}

/// Text that is safe inside HTML and SVG, attributes included.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_keeps_a_constant_and_narrows_noise() {
        let constant: Vec<_> = (0..100).map(|x| (f64::from(x), 3.0)).collect();
        assert!(smoothed(&constant).iter().all(|(_, y)| (y - 3.0).abs() < 1e-12));
        let noisy: Vec<_> = (0..100).map(|x| (f64::from(x), f64::from(x % 2))).collect();
        assert!(smoothed(&noisy)[20..].iter().all(|(_, y)| (0.3..0.7).contains(y)));
    }

    #[test]
    fn binning_keeps_the_mean() {
        let points: Vec<_> = (0..10_000).map(|x| (f64::from(x), f64::from(x % 10))).collect();
        let binned = binned(&points);
        assert_eq!(binned.len(), 500);
        assert_eq!(binned.iter().map(|point| point.1).sum::<f64>() / 500.0, 4.5);
    }

    #[test]
    fn every_curve_has_a_line_and_a_name_that_cannot_break_the_page() {
        let curve: Vec<_> = (1..=50).map(|x| (f64::from(x), 1.0 / f64::from(x))).collect();
        let mut history = History::default();
        history.losses.insert("cycle".into(), curve.clone());
        history.losses.insert("<b>&".into(), curve.clone());
        history.validation.insert("t1_to_t2 ssim".into(), vec![(1.0, 0.5)]);
        let svg = svg(&history);
        assert_eq!(
            svg.matches("class=\"curve\" stroke").count(),
            6,
            "a polyline and a legend line for each of three"
        );
        assert!(svg.contains("&lt;b&gt;&amp;") && !svg.contains("<b>"));
        assert!(svg.contains("Validation: ssim") && svg.contains("t1 to t2"));
    }
}
