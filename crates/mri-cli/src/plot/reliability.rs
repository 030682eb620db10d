//! Stated standard deviations against the errors that came, as SVG.

use std::fmt::Write;

use super::axis::Axis;
use super::{COLOURS, STYLE, escaped, write_ticks};

const SIDE: f64 = 380.0;
const LEFT: f64 = 56.0;
const TOP: f64 = 16.0;
const WIDTH: f64 = 620.0;
const HEIGHT: f64 = TOP + SIDE + 48.0;

/// A named curve of points (stated SD, RMSE).
pub type Curve = (String, Vec<(f64, f64)>);

/// Curves on two axes of one scale from 0, with the line on which both are equal.
pub fn reliability(curves: &[Curve]) -> String {
    let values = || curves.iter().flat_map(|(_, points)| points).flat_map(|(sd, rmse)| [*sd, *rmse]);
    let (right, bottom) = (LEFT + SIDE, TOP + SIDE);
    let x_axis = Axis::linear(values().chain([0.0]), LEFT, right);
    let y_axis = Axis::linear(values().chain([0.0]), bottom, TOP);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" \
         height=\"{HEIGHT}\" role=\"img\" aria-label=\"Stated standard deviation against error\">\n{STYLE}\n\
         <rect class=\"paper\" width=\"{WIDTH}\" height=\"{HEIGHT}\"/>\n"
    );
    write_ticks(&mut svg, &x_axis, &y_axis, [LEFT, right], bottom);
    let middle = TOP + SIDE / 2.0;
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">stated SD</text>\
         <text transform=\"rotate(-90 14 {middle:.1})\" x=\"14\" y=\"{middle:.1}\" text-anchor=\"middle\">RMSE</text>\
         <line class=\"curve\" stroke=\"var(--ink)\" stroke-dasharray=\"4 4\" x1=\"{LEFT}\" y1=\"{bottom}\" x2=\"{right}\" y2=\"{TOP}\"/>",
        LEFT + SIDE / 2.0,
        bottom + 38.0
    );
    for (number, (name, points)) in curves.iter().enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        let places: Vec<_> =
            points.iter().map(|(sd, rmse)| (x_axis.place(*sd), y_axis.place(*rmse))).collect();
        let path: Vec<_> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ =
            writeln!(svg, "<polyline class=\"curve\" stroke=\"{colour}\" points=\"{}\"/>", path.join(" "));
        for (x, y) in places {
            let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>");
        }
        legend(&mut svg, number, name, &format!("stroke=\"{colour}\""));
    }
    legend(&mut svg, curves.len(), "RMSE = SD", "stroke=\"var(--ink)\" stroke-dasharray=\"4 4\"");
    svg + "</svg>\n"
}

fn legend(svg: &mut String, line: usize, name: &str, stroke: &str) {
    let (x, y) = (LEFT + SIDE + 14.0, TOP + 10.0 + 18.0 * line as f64);
    let _ = writeln!(
        svg,
        "<line class=\"curve\" {stroke} x1=\"{x}\" x2=\"{:.1}\" y1=\"{y}\" y2=\"{y}\"/><text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
        x + 22.0,
        x + 28.0,
        y + 4.0,
        escaped(name)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_calibrated_point_lies_on_the_dashed_line() {
        let svg = reliability(&[("t1 to t2".into(), vec![(2.0, 2.0), (4.0, 8.0)])]);
        let calibrated = format!("cx=\"{:.1}\" cy=\"{:.1}\"", LEFT + SIDE / 4.0, TOP + SIDE * 0.75);
        let overconfident = format!("cx=\"{:.1}\" cy=\"{:.1}\"", LEFT + SIDE / 2.0, TOP);
        assert!(svg.contains(&calibrated) && svg.contains(&overconfident), "{svg}");
    }
}
