//! The outer shape of a head: pose, proportions, the smooth hull of the brain, and the layers around it.

use rand::{Rng, RngExt};

use super::{tissue::Tissue, waves::Waves};

/// Middle of the brain along the anterior-posterior axis (mm, origin near the anterior commissure).
pub(crate) const CENTRE_Y_MM: f32 = -17.0;
const CENTRE_Z_MM: f32 = 12.0;
const INNER_TABLE_MM: f32 = 2.1;
const OUTER_TABLE_MM: f32 = 2.0;
const SKIN_MM: f32 = 2.2;

/// How one head differs from the mean one in pose and shape.
#[derive(Clone, Debug)]
pub(crate) struct HeadShape {
    canonical_from_scanner: [[f32; 3]; 3],
    shift_mm: [f32; 3],
    warp: [Waves; 3],
    warp_mm: [f32; 3],
    taper: f32,
    bumps: Waves,
    layers: [Waves; 4],
    diploe_mm: f32,
    muscle_mm: f32,
    fat_mm: f32,
}

/// Thicknesses (mm) of what varies between brain and air at one place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layers {
    pub(crate) csf_mm: f32,
    pub(crate) diploe_mm: f32,
    pub(crate) muscle_mm: f32,
    pub(crate) fat_mm: f32,
}

impl HeadShape {
    pub(crate) fn new(rng: &mut impl Rng) -> Self {
        let mut spread = |limit: f32| rng.random_range(-limit..limit);
        let size = 1.0 + spread(0.035);
        let scale = [size + spread(0.035), size + spread(0.035), size + spread(0.03)];
        let angles = [spread(0.05), spread(0.035), spread(0.06)];
        let shift_mm = [spread(3.0), spread(3.0), spread(2.0)];
        let taper = 0.05 + spread(0.05);
        let warp_mm = [1.3, 1.5, 0.7];
        let diploe_mm = 1.9 + spread(0.8);
        let muscle_mm = 5.5 + spread(1.5);
        let fat_mm = 3.5 + spread(1.1);
        let rotation = rotation(angles);
        Self {
            canonical_from_scanner: std::array::from_fn(|i| rotation[i].map(|r| r / scale[i])),
            shift_mm,
            warp: std::array::from_fn(|_| Waves::new(rng, 5, 150.0, 0.3)),
            warp_mm,
            taper,
            bumps: Waves::new(rng, 6, 70.0, 0.3),
            layers: [50.0, 90.0, 100.0, 110.0].map(|wavelength_mm| Waves::new(rng, 6, wavelength_mm, 0.3)),
            diploe_mm,
            muscle_mm,
            fat_mm,
        }
    }

    /// Where a point of the scanner (mm) lies in the mean head.
    pub(crate) fn canonical(&self, scanner: [f32; 3]) -> [f32; 3] {
        let centred = [
            scanner[0] - self.shift_mm[0],
            scanner[1] - CENTRE_Y_MM - self.shift_mm[1],
            scanner[2] - CENTRE_Z_MM - self.shift_mm[2],
        ];
        let centre = [0.0, CENTRE_Y_MM, CENTRE_Z_MM];
        std::array::from_fn(|i| {
            let row = self.canonical_from_scanner[i];
            let rigid = row[0] * centred[0] + row[1] * centred[1] + row[2] * centred[2];
            rigid + centre[i] + self.warp_mm[i] * self.warp[i].at(scanner)
        })
    }

    /// Depth under the hull of the brain (the smooth surface over its gyri), in mm; negative outside.
    pub(crate) fn depth_mm(&self, p: [f32; 3]) -> f32 {
        const STEP_MM: f32 = 1.0;
        let [x, y, z] = p;
        let here = self.hull(x, y, z);
        let slope = [
            self.hull(x + STEP_MM, y, z) - here,
            self.hull(x, y + STEP_MM, z) - here,
            self.hull(x, y, z + STEP_MM) - here,
        ];
        let slope = slope.iter().map(|d| d * d).sum::<f32>().sqrt() / STEP_MM;
        (1.0 - here) / slope.max(1.0 / 100.0) + 0.35 * self.bumps.at(p)
    }

    /// 1 on a superellipsoid that is narrower in front, less inside.
    fn hull(&self, x: f32, y: f32, z: f32) -> f32 {
        let along = (y - CENTRE_Y_MM) / 89.0;
        let up = (z - CENTRE_Z_MM) / if z > CENTRE_Z_MM { 67.0 } else { 100.0 };
        let across = x / (68.5 * (1.0 - self.taper * along));
        let power = |v: f32| v * v * v.abs().sqrt().sqrt();
        (power(across) + power(along) + power(up)).powf(1.0 / 2.25)
    }

    /// The thicknesses of the layers near a point; `atrophy` from 0 (none) to 1 widens the fluid.
    pub(crate) fn layers(&self, p: [f32; 3], atrophy: f32) -> Layers {
        let [csf, diploe, muscle, fat] = [0, 1, 2, 3].map(|i| self.layers[i].at(p));
        let lateral = (p[0].abs() / 60.0).min(1.0).powi(4);
        let temporal = lateral * bump((p[1] - 4.0) / 75.0) * bump((p[2] + 12.0) / 78.0);
        let occipital = bump((p[1] + 110.0) / 45.0);
        Layers {
            csf_mm: (1.0 + 1.2 * atrophy + (0.6 + 0.6 * atrophy) * csf).max(0.25),
            diploe_mm: (self.diploe_mm * (1.0 + 0.5 * occipital - 0.7 * temporal) + 0.5 * diploe).max(0.0),
            muscle_mm: (self.muscle_mm * temporal + 1.7 + 1.2 * occipital + 0.2 * muscle).max(0.4),
            fat_mm: (self.fat_mm * (1.0 + 0.25 * occipital - 0.2 * temporal) + 0.5 * fat).max(1.2),
        }
    }
}

impl Layers {
    /// The tissue `outside_mm` above the hull of the brain.
    pub(crate) fn tissue(&self, outside_mm: f32) -> Tissue {
        let layers = [
            (self.csf_mm, Tissue::Csf),
            (INNER_TABLE_MM, Tissue::Bone),
            (self.diploe_mm, Tissue::Marrow),
            (OUTER_TABLE_MM, Tissue::Bone),
            (self.muscle_mm, Tissue::Muscle),
            (self.fat_mm, Tissue::Fat),
            (SKIN_MM, Tissue::Skin),
        ];
        let mut rest_mm = outside_mm;
        for (thickness_mm, tissue) in layers {
            rest_mm -= thickness_mm;
            if rest_mm < 0.0 {
                return tissue;
            }
        }
        Tissue::Background
    }
}

/// A smooth hill: 1 at 0, 0 from -1 and 1 on.
fn bump(v: f32) -> f32 {
    (1.0 - v * v).max(0.0).powi(2)
}

/// Rotation matrix about x, then y, then z, by angles in radians.
fn rotation([about_x, about_y, about_z]: [f32; 3]) -> [[f32; 3]; 3] {
    let (sx, cx) = about_x.sin_cos();
    let (sy, cy) = about_y.sin_cos();
    let (sz, cz) = about_z.sin_cos();
    [
        [cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx],
        [sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx],
        [-sy, cy * sx, cy * cx],
    ]
}
