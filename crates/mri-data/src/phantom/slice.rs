//! One slice of a subject: pixels from samples of tissue.

use ndarray::{Array2, Axis};

use super::{
    head::CENTRE_Y_MM,
    lattice::{Lattice, Local},
    lesion::affected,
    signal::grey_values,
    subject::Subject,
    tissue::Tissue,
};

/// Side of the square field of [`SliceGrid::square`], in mm: the largest heads fit.
pub const FIELD_MM: f32 = 240.0;

/// The pixels of a slice. The field is centred on the middle of the mean head.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SliceGrid {
    /// Rows.
    pub height_px: usize,
    /// Columns.
    pub width_px: usize,
    /// Side of a pixel, in mm.
    pub spacing_mm: f32,
}

impl SliceGrid {
    /// A square field of [`FIELD_MM`] in `size_px` by `size_px` pixels.
    pub fn square(size_px: usize) -> Self {
        Self { height_px: size_px, width_px: size_px, spacing_mm: FIELD_MM / size_px as f32 }
    }

    /// 217 rows by 181 columns of 1 mm, the in-plane grid of BrainWeb. The largest heads are cut at the sides.
    pub fn brainweb() -> Self {
        Self { height_px: 217, width_px: 181, spacing_mm: 1.0 }
    }
}

/// A slice in both contrasts with its truth. All arrays are (rows, columns), front of the head at the top.
#[derive(Clone, Debug, PartialEq)]
pub struct PhantomSlice {
    /// T1-weighted grey values: 0 is no signal, 1 is [`T1W_WHITE`](super::T1W_WHITE).
    pub t1: Array2<f32>,
    /// T2-weighted grey values: 0 is no signal, 1 is [`T2W_WHITE`](super::T2W_WHITE).
    pub t2: Array2<f32>,
    /// [`Tissue::label`] of what fills most of the pixel.
    pub labels: Array2<u8>,
    /// 1 where lesions fill at least half of the pixel, else 0.
    pub lesions: Array2<u8>,
}

impl Subject {
    /// The slice at a height of `level_mm` above the commissures, without noise.
    ///
    /// Every pixel is the mean over a grid of samples at most 0.45 mm apart, so pixels on a border hold the mixture
    /// of its tissues (partial volume). The slice is thin: nothing is averaged across it.
    pub fn slice(&self, level_mm: f32, grid: &SliceGrid) -> PhantomSlice {
        let SliceGrid { height_px, width_px, spacing_mm } = *grid;
        let (width_mm, height_mm) = (width_px as f32 * spacing_mm, height_px as f32 * spacing_mm);
        let (left_mm, top_mm) = (-0.5 * width_mm, CENTRE_Y_MM + 0.5 * height_mm);
        let lattice = Lattice::new(self, level_mm, [left_mm, top_mm], [width_mm, height_mm]);
        let grey = grey_values();
        let per_side = (spacing_mm / 0.45).ceil().max(2.0) as usize;
        let step_mm = spacing_mm / per_side as f32;

        let mut slice = PhantomSlice {
            t1: Array2::zeros((height_px, width_px)),
            t2: Array2::zeros((height_px, width_px)),
            labels: Array2::zeros((height_px, width_px)),
            lesions: Array2::zeros((height_px, width_px)),
        };
        for row in 0..height_px {
            for column in 0..width_px {
                let x = left_mm + spacing_mm * column as f32 + 0.5 * step_mm;
                let y = top_mm - spacing_mm * row as f32 - 0.5 * step_mm;
                let mut content = Content::default();
                for i in 0..per_side * per_side {
                    let (right, down) = (step_mm * (i % per_side) as f32, step_mm * (i / per_side) as f32);
                    if let Some(local) = lattice.at(x + right, y - down) {
                        content.add(self.tissue(&local), local.ripple);
                    }
                }
                let at = (row, column);
                let [t1, t2] = content.mean(&grey, per_side * per_side);
                slice.t1[at] = t1;
                slice.t2[at] = t2;
                slice.labels[at] = content.dominant(per_side * per_side);
                slice.lesions[at] = u8::from(2 * content.lesion_samples() >= per_side * per_side);
            }
        }
        slice.t1 = spread(&slice.t1);
        slice.t2 = spread(&slice.t2);
        slice
    }

    fn tissue(&self, local: &Local) -> Tissue {
        let p = local.canonical;
        let depth_mm = local.near.depth_mm;
        if in_sinus(p, depth_mm, local.folding.midline_mm) {
            return Tissue::Sinus;
        }
        if depth_mm < 0.0 {
            return local.layers.tissue(-depth_mm);
        }
        let deep = if depth_mm > 14.0 && p[2] < 40.0 { self.deep.tissue(p, local.ripple) } else { None };
        let healthy = deep.unwrap_or_else(|| self.cortex.tissue(p, local.near, local.folding));
        affected(&self.lesions, p, healthy, local.ripple)
    }
}

/// The point spread of an acquisition: a little of every pixel leaks into its neighbours.
fn spread(image: &Array2<f32>) -> Array2<f32> {
    const LEAK: f32 = 0.14;
    let mut spread = image.clone();
    for axis in [Axis(0), Axis(1)] {
        for mut lane in spread.lanes_mut(axis) {
            let mut before = lane[0];
            for i in 0..lane.len() {
                let here = lane[i];
                let after = lane[(i + 1).min(lane.len() - 1)];
                lane[i] = (1.0 - 2.0 * LEAK) * here + LEAK * (before + after);
                before = here;
            }
        }
    }
    spread
}

/// The superior sagittal sinus: a wedge under the skull in the midline, large at the back and small in front.
fn in_sinus([x, y, _]: [f32; 3], depth_mm: f32, midline_mm: f32) -> bool {
    let height_mm = if y > 0.0 { 4.0 } else { 4.0 + 3.0 * (-y / 100.0).min(1.0) };
    depth_mm > -1.0 && (x - midline_mm).abs() < 0.55 * (height_mm - 1.0 - depth_mm)
}

/// What the samples of one pixel hit.
#[derive(Default)]
struct Content {
    samples: [u16; Tissue::ALL.len()],
    grey_in_white: f32,
}

impl Content {
    fn add(&mut self, tissue: Tissue, ripple: f32) {
        self.samples[usize::from(tissue.label())] += 1;
        if tissue == Tissue::WhiteMatter {
            // White matter is not quite even: some of it has the signal of grey matter.
            self.grey_in_white += (0.03 + 0.03 * ripple).max(0.0);
        }
    }

    fn mean(&self, grey: &[[f32; 2]; Tissue::ALL.len()], samples: usize) -> [f32; 2] {
        let [white, cortex] = [Tissue::WhiteMatter, Tissue::GreyMatter].map(|t| grey[usize::from(t.label())]);
        std::array::from_fn(|contrast| {
            let pure: f32 = self.samples.iter().zip(grey).map(|(&n, g)| f32::from(n) * g[contrast]).sum();
            (pure + self.grey_in_white * (cortex[contrast] - white[contrast])) / samples as f32
        })
    }

    fn dominant(&self, samples: usize) -> u8 {
        let inside: usize = self.samples.iter().map(|&n| usize::from(n)).sum();
        let air = samples - inside + usize::from(self.samples[0]);
        let mut best = (air, 0);
        for tissue in &Tissue::ALL[1..] {
            let count = usize::from(self.samples[usize::from(tissue.label())]);
            if count > best.0 {
                best = (count, tissue.label());
            }
        }
        best.1
    }

    fn lesion_samples(&self) -> usize {
        let lesions = Tissue::ALL.iter().filter(|tissue| tissue.is_lesion());
        lesions.map(|tissue| usize::from(self.samples[usize::from(tissue.label())])).sum()
    }
}
