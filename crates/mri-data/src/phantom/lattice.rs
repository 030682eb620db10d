//! The smooth fields of a subject on a coarse lattice in one slice.
//!
//! Everything that needs random waves varies over centimetres, so it is evaluated every 2 mm and interpolated; only
//! the sharp borders between tissues are decided at every sample.

use super::{
    cortex::{Folding, Nearness},
    head::Layers,
    subject::Subject,
};

const SPACING_MM: f32 = 2.0;
/// Outside this distance from the brain there is only air.
const AIR_MM: f32 = 32.0;
const FIELDS: usize = 16;

/// What is known at one point of a slice.
pub(crate) struct Local {
    /// Position in the mean head, in mm.
    pub(crate) canonical: [f32; 3],
    pub(crate) near: Nearness,
    pub(crate) folding: Folding,
    pub(crate) layers: Layers,
    pub(crate) ripple: f32,
}

/// The fields at the nodes of one slice.
pub(crate) struct Lattice {
    left_mm: f32,
    top_mm: f32,
    columns: usize,
    rows: usize,
    nodes: Vec<[f32; FIELDS]>,
}

impl Lattice {
    /// Covers `width_mm` by `height_mm` from its left and top (greatest y) edges, at height `level_mm`.
    pub(crate) fn new(
        subject: &Subject,
        level_mm: f32,
        [left_mm, top_mm]: [f32; 2],
        [width_mm, height_mm]: [f32; 2],
    ) -> Self {
        let (left_mm, top_mm) = (left_mm - 2.0 * SPACING_MM, top_mm + 2.0 * SPACING_MM);
        let nodes_over = |extent_mm: f32| (extent_mm / SPACING_MM).ceil() as usize + 5;
        let (columns, rows) = (nodes_over(width_mm), nodes_over(height_mm));
        let mut folds = vec![[0.0; 4]; rows * columns];
        let mut nodes = vec![[0.0; FIELDS]; rows * columns];
        for (index, (node, fold)) in nodes.iter_mut().zip(&mut folds).enumerate() {
            let x = left_mm + SPACING_MM * (index % columns) as f32;
            let y = top_mm - SPACING_MM * (index / columns) as f32;
            (*node, *fold) = sample(subject, [x, y, level_mm]);
        }
        for row in 1..rows - 1 {
            for column in 1..columns - 1 {
                let at = row * columns + column;
                for (kind, field) in [(0, 4), (1, 5)] {
                    let across = (folds[at + 1][kind] - folds[at - 1][kind]) / 2.0;
                    let along = (folds[at + columns][kind] - folds[at - columns][kind]) / 2.0;
                    let up = folds[at][kind + 2] - folds[at][kind];
                    let slope = (across * across + along * along + up * up).sqrt() / SPACING_MM;
                    nodes[at][field + 2] = slope;
                }
            }
        }
        Self { left_mm, top_mm, columns, rows, nodes }
    }

    /// The fields at a point of the slice by bilinear interpolation; `None` in the air.
    pub(crate) fn at(&self, x: f32, y: f32) -> Option<Local> {
        let (u, v) = ((x - self.left_mm) / SPACING_MM, (self.top_mm - y) / SPACING_MM);
        let (column, row) =
            ((u.max(0.0) as usize).min(self.columns - 2), (v.max(0.0) as usize).min(self.rows - 2));
        let (u, v) = (u - column as f32, v - row as f32);
        let at = row * self.columns + column;
        let [a, b, c, d] = [at, at + 1, at + self.columns, at + self.columns + 1].map(|i| &self.nodes[i]);
        if a[3].max(b[3]).max(c[3]).max(d[3]) < -AIR_MM {
            return None;
        }
        let (left, right) = ((1.0 - u) * (1.0 - v), u * (1.0 - v));
        let (below_left, below_right) = ((1.0 - u) * v, u * v);
        let n: [f32; FIELDS] =
            std::array::from_fn(|i| left * a[i] + right * b[i] + below_left * c[i] + below_right * d[i]);
        // Where a field is flat its zero sheet is not near, however small its value.
        let distance_mm = |value: f32, slope: f32| value.abs() / (slope * slope + 0.025 * 0.025).sqrt();
        Some(Local {
            canonical: [n[0], n[1], n[2]],
            near: Nearness {
                depth_mm: n[3],
                major_mm: distance_mm(n[4], n[6]),
                minor_mm: distance_mm(n[5], n[7]),
            },
            folding: Folding { sulcus_depth_mm: n[8], opening_mm: n[9], midline_mm: n[10] },
            layers: Layers { csf_mm: n[11], diploe_mm: n[12], muscle_mm: n[13], fat_mm: n[14] },
            ripple: n[15],
        })
    }
}

/// The fields at one node (slopes left out), and the fold fields there and one spacing above.
fn sample(subject: &Subject, scanner: [f32; 3]) -> ([f32; FIELDS], [f32; 4]) {
    let p = subject.shape.canonical(scanner);
    let depth_mm = subject.shape.depth_mm(p);
    if depth_mm < -AIR_MM {
        return (
            [p[0], p[1], p[2], depth_mm, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
            [0.0; 4],
        );
    }
    let layers = subject.shape.layers(p, subject.atrophy);
    let (mut major, mut minor, mut above) = (0.0, 0.0, [0.0; 2]);
    let mut folding = Folding { sulcus_depth_mm: 0.0, opening_mm: 0.0, midline_mm: 0.0 };
    if depth_mm > -3.0 * SPACING_MM {
        let [x, y, z] = scanner;
        [major, minor] = subject.cortex.fields(p);
        above = subject.cortex.fields(subject.shape.canonical([x, y, z + SPACING_MM]));
        folding = subject.cortex.folding(p);
    }
    let Layers { csf_mm, diploe_mm, muscle_mm, fat_mm } = layers;
    let Folding { sulcus_depth_mm, opening_mm, midline_mm } = folding;
    let [x, y, z] = p;
    let ripple = subject.ripple.at(p);
    let node = [
        x,
        y,
        z,
        depth_mm,
        major,
        minor,
        0.0,
        0.0,
        sulcus_depth_mm,
        opening_mm,
        midline_mm,
        csf_mm,
        diploe_mm,
        muscle_mm,
        fat_mm,
        ripple,
    ];
    (node, [major, minor, above[0], above[1]])
}
