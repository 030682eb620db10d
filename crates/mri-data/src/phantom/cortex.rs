//! The folded cortex: sulci as the zero sheets of a random field that runs around each hemisphere.
//!
//! The field is evaluated on positions projected towards a shell around the core of the hemisphere, so its zero
//! sheets stand nearly upright on the surface and wind along it, as sulci do. What lies near such a sheet, and not
//! deeper than the sulcus there, is fluid; what lies within the thickness of the cortex of fluid is grey matter.

use rand::{Rng, RngExt};

use super::{tissue::Tissue, waves::Waves};

/// The folds of one brain.
#[derive(Clone, Debug)]
pub(crate) struct Cortex {
    major: Waves,
    minor: Waves,
    sway: [Waves; 3],
    depth: Waves,
    opening: Waves,
    midline: Waves,
    asymmetry: f32,
    thickness_mm: f32,
    atrophy: f32,
}

/// What the cortex depends on at one place, apart from its distance to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Folding {
    pub(crate) sulcus_depth_mm: f32,
    pub(crate) opening_mm: f32,
    pub(crate) midline_mm: f32,
}

/// Distances (mm) of one point to the surfaces of the brain and to the sheets of its folds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nearness {
    pub(crate) depth_mm: f32,
    pub(crate) major_mm: f32,
    pub(crate) minor_mm: f32,
}

impl Cortex {
    pub(crate) fn new(rng: &mut impl Rng, atrophy: f32) -> Self {
        let wavelength_mm = 22.0 + rng.random_range(-1.5..1.5f32);
        Self {
            major: Waves::new(rng, 22, wavelength_mm, 0.12),
            minor: Waves::new(rng, 16, 0.75 * wavelength_mm, 0.15),
            sway: std::array::from_fn(|_| Waves::new(rng, 6, 45.0, 0.3)),
            depth: Waves::new(rng, 8, 42.0, 0.3),
            opening: Waves::new(rng, 8, 24.0, 0.3),
            midline: Waves::new(rng, 6, 45.0, 0.3),
            asymmetry: rng.random_range(0.4..0.8),
            thickness_mm: rng.random_range(2.9..3.4) - 0.4 * atrophy,
            atrophy,
        }
    }

    /// Values of the fields whose zero sheets are the major and the minor sulci.
    pub(crate) fn fields(&self, p: [f32; 3]) -> [f32; 2] {
        const SWAY_MM: f32 = 3.0;
        let swayed: [f32; 3] = std::array::from_fn(|i| p[i] + SWAY_MM * self.sway[i].at(p));
        let side = self.asymmetry * (p[0] / 14.0).clamp(-1.0, 1.0);
        let q = around_hemisphere(swayed);
        [self.major.at_side(q, side), self.minor.at_side(q, side)]
    }

    pub(crate) fn folding(&self, p: [f32; 3]) -> Folding {
        let wide = 0.42 + 0.6 * self.atrophy;
        Folding {
            sulcus_depth_mm: (22.0 + 6.5 * self.depth.at(p)).clamp(8.0, 32.0),
            opening_mm: wide * (1.0 + 0.5 * self.opening.at(p)).max(0.1),
            midline_mm: 1.1 * self.midline.at(p),
        }
    }

    /// The tissue at a point of the mean head inside the hull, apart from ventricles and nuclei.
    pub(crate) fn tissue(&self, p: [f32; 3], near: Nearness, folding: Folding) -> Tissue {
        let fissure = fissure(p, folding.midline_mm);
        let wide = folding.opening_mm;
        let shallow = |depth_mm: f32, scale_mm: f32| (1.0 - depth_mm / scale_mm).max(0.0);

        let fissure_mm = length(fissure.across_mm, fissure.past_edge_mm)
            - (0.45 + 0.5 * self.atrophy + 0.4 * wide + 0.9 * shallow(near.depth_mm, 9.0));
        if fissure_mm < 0.0 {
            let falx = fissure.across_mm < 0.3 && fissure.beyond_edge_mm > 7.0;
            return if falx { Tissue::Falx } else { Tissue::Csf };
        }
        let medial_mm = fissure_mm + fissure.past_edge_mm;
        let surface_mm = near.depth_mm.min(medial_mm);
        let reach = |sheet_mm: f32, bottom_mm: f32| length(sheet_mm, (surface_mm - bottom_mm).max(0.0));
        // The corpus callosum under the fissure has no cortex.
        let callosal = (fissure.beyond_edge_mm / 4.0).clamp(0.0, 1.0);
        let bottom_mm = if medial_mm < near.depth_mm {
            0.5 * callosal * folding.sulcus_depth_mm
        } else {
            folding.sulcus_depth_mm
        };
        let major_mm = reach(near.major_mm, bottom_mm) - wide * (0.85 + 0.9 * shallow(surface_mm, 6.0));
        let minor_mm = reach(near.minor_mm, 0.27 * bottom_mm) - 0.6 * wide;
        let insula_mm = insula(p, near, folding.midline_mm) - 0.3 - wide;

        let fluid_mm = near.depth_mm.min(major_mm).min(minor_mm).min(insula_mm);
        if fluid_mm < 0.0 {
            return Tissue::Csf;
        }
        if fluid_mm < self.thickness_mm || fissure_mm < self.thickness_mm * callosal {
            Tissue::GreyMatter
        } else {
            Tissue::WhiteMatter
        }
    }
}

/// Where a point falls on a shell around the flat core of its hemisphere: nearly the same for all depths.
fn around_hemisphere([x, y, z]: [f32; 3]) -> [f32; 3] {
    const SHELL_MM: f32 = 42.0;
    const LEAN: f32 = 0.5;
    let core = [32.0, y.clamp(-52.0, 20.0), z.clamp(-5.0, 32.0)];
    let away = [x.abs() - core[0], y - core[1], z - core[2]];
    let distance_mm = away.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-3);
    let onto_shell = (SHELL_MM + LEAN * (distance_mm - SHELL_MM)) / distance_mm;
    std::array::from_fn(|i| core[i] + away[i] * onto_shell)
}

struct Fissure {
    across_mm: f32,
    /// How far the point lies inside the edge of the fissure, over the corpus callosum (0 where the fissure is).
    past_edge_mm: f32,
    /// The signed distance beyond that edge, positive in the fissure.
    beyond_edge_mm: f32,
}

/// The fissure between the hemispheres: the midsagittal sheet outside the oval of corpus callosum and brain stem.
fn fissure([x, y, z]: [f32; 3], midline_mm: f32) -> Fissure {
    let oval = length((y + 3.0) / 39.0, (z - 1.0) / 31.0);
    let beyond_edge_mm = (oval - 1.0) * 31.0;
    Fissure { across_mm: (x - midline_mm).abs(), past_edge_mm: (-beyond_edge_mm).max(0.0), beyond_edge_mm }
}

/// Distance (mm) to the middle of the lateral (Sylvian) fissure and of the cleft over the insula behind it.
fn insula([x, y, z]: [f32; 3], near: Nearness, sway_mm: f32) -> f32 {
    let along = (y + 1.0) / 20.0;
    let up = (z - 5.0) / 15.0;
    let cleft_x_mm = 41.5 - 3.5 * along * along + 1.6 * sway_mm;
    let beyond_rim_mm = (length(along, up) - 1.0).max(0.0) * 17.0;
    let cleft_mm = length(x.abs() - cleft_x_mm, beyond_rim_mm);

    let wave_mm = 0.8 * near.major_mm.min(5.0) - 0.8 * near.minor_mm.min(4.0);
    let plane_mm = (z - 5.0 + 0.5 * (y + 3.0) + wave_mm) * 0.92;
    let ends_mm = (y - 20.0).max(-28.0 - y).max(0.0);
    let fissure_mm = length(length(plane_mm, (cleft_x_mm - x.abs()).max(0.0)), ends_mm);
    cleft_mm.min(fissure_mm)
}

/// `hypot` without its care for overflow, at a third of its cost.
fn length(a: f32, b: f32) -> f32 {
    (a * a + b * b).sqrt()
}
