//! Ventricles, cisterns and the grey nuclei in the middle of the brain.

use rand::{Rng, RngExt};

use super::tissue::Tissue;

/// A chain of round cones: points (mm, right hemisphere of the mean head) and the radius at each.
type Chain<const N: usize> = [([f32; 3], f32); N];

/// From the tip of the frontal horn over the body and the atrium into the occipital horn.
const LATERAL_VENTRICLE: Chain<6> = [
    ([23.0, 28.0, 6.0], 2.4),
    ([17.0, 21.0, 11.5], 3.8),
    ([7.5, 2.0, 20.5], 4.8),
    ([11.0, -20.0, 23.5], 5.2),
    ([19.0, -40.0, 15.0], 5.4),
    ([25.0, -63.0, 9.0], 1.8),
];
/// From the atrium down into the temporal horn.
const TEMPORAL_HORN: Chain<2> = [([21.0, -40.0, 13.0], 4.6), ([32.0, -22.0, -12.0], 2.0)];
/// Head, body and tail of the caudate nucleus, along the side of the ventricle.
const CAUDATE: Chain<4> = [
    ([15.5, 15.0, 0.0], 5.5),
    ([15.5, 7.0, 9.0], 6.0),
    ([17.0, -8.0, 20.0], 3.8),
    ([20.5, -30.0, 21.0], 1.8),
];

/// An ellipsoid turned about the vertical axis.
struct Ellipsoid {
    centre: [f32; 3],
    radii: [f32; 3],
    /// Sine and cosine of the turn that brings its back outwards.
    turn: [f32; 2],
}

const THALAMUS: Ellipsoid =
    Ellipsoid { centre: [11.5, -18.0, 8.0], radii: [8.5, 15.0, 12.0], turn: [0.342, 0.940] };
const PUTAMEN: Ellipsoid =
    Ellipsoid { centre: [27.5, 1.0, 2.5], radii: [4.8, 17.5, 12.0], turn: [0.208, 0.978] };
const PALLIDUM: Ellipsoid =
    Ellipsoid { centre: [20.5, -4.0, 0.5], radii: [4.6, 10.0, 7.5], turn: [0.375, 0.927] };

/// The size of the fluid spaces and the differences between the sides in one brain.
#[derive(Clone, Debug)]
pub(crate) struct Deep {
    ventricle_scale: f32,
    third_ventricle_mm: f32,
    asymmetry: f32,
    nuclei_shift_mm: [f32; 3],
}

impl Deep {
    pub(crate) fn new(rng: &mut impl Rng, atrophy: f32) -> Self {
        Self {
            ventricle_scale: rng.random_range(0.8..1.12) + 0.55 * atrophy,
            third_ventricle_mm: rng.random_range(1.0..2.0) + 1.5 * atrophy,
            asymmetry: rng.random_range(-0.12..0.12),
            nuclei_shift_mm: std::array::from_fn(|_| rng.random_range(-1.2..1.2)),
        }
    }

    /// The ventricle or nucleus at a point of the mean head; `ripple` (about -1 to 1) roughens their surfaces.
    pub(crate) fn tissue(&self, p: [f32; 3], ripple: f32) -> Option<Tissue> {
        let [x, y, z] = p;
        let half = [x.abs(), y, z];
        let side = 1.0 + self.asymmetry * x.signum();
        let rough_mm = 0.9 * ripple;

        let caudate_mm = along_chain(&CAUDATE, half, 1.0) + rough_mm;
        // The head of the caudate bulges into the frontal horn.
        if self.lateral_ventricle_mm(half, side).max(-1.5 - caudate_mm) + 0.4 * rough_mm < 0.0
            || self.in_midline_fluid(p)
        {
            return Some(Tissue::Csf);
        }
        let nucleus: [f32; 3] = std::array::from_fn(|i| half[i] + self.nuclei_shift_mm[i]);
        if caudate_mm < 0.0 {
            return Some(Tissue::Striatum);
        }
        if THALAMUS.distance_mm(nucleus) + rough_mm < 0.0 && half[0] > 1.0 {
            return Some(Tissue::Thalamus);
        }
        if PALLIDUM.distance_mm(nucleus) + rough_mm < 0.0 {
            return Some(Tissue::Pallidum);
        }
        (PUTAMEN.distance_mm(nucleus) + rough_mm < 0.0).then_some(Tissue::Striatum)
    }

    /// Signed distance (mm) to the wall of the lateral ventricle, negative inside.
    pub(crate) fn lateral_ventricle_mm(&self, half: [f32; 3], side: f32) -> f32 {
        let scale = self.ventricle_scale * side;
        let lateral_mm = along_chain(&LATERAL_VENTRICLE, half, scale);
        // The septum keeps the two ventricles a millimetre apart.
        let septum_mm = 0.7 - half[0];
        lateral_mm.min(along_chain(&TEMPORAL_HORN, half, scale)).max(septum_mm)
    }

    /// The third ventricle, and the cistern behind it.
    fn in_midline_fluid(&self, [x, y, z]: [f32; 3]) -> bool {
        let wide_mm = self.third_ventricle_mm;
        let third = (x / wide_mm).powi(2) + ((y + 9.0) / 16.0).powi(2) + ((z - 1.0) / 9.0).powi(2);
        let cistern = (x / (7.0 + wide_mm)).powi(2) + ((y + 38.0) / 3.5).powi(2) + ((z - 2.0) / 7.0).powi(2);
        third < 1.0 || cistern < 1.0
    }
}

impl Ellipsoid {
    /// About the signed distance (mm) to the surface.
    fn distance_mm(&self, p: [f32; 3]) -> f32 {
        let [x, y, z] = std::array::from_fn(|i| p[i] - self.centre[i]);
        let [sin, cos] = self.turn;
        let (across, along) = (cos * x + sin * y, cos * y - sin * x);
        let [a, b, c] = self.radii;
        let radius = ((across / a).powi(2) + (along / b).powi(2) + (z / c).powi(2)).sqrt();
        (radius - 1.0) * a.min(b).min(c)
    }
}

/// The chains are higher than wide: their radius upwards is 1.4 times that sideways.
const HEIGHT: [f32; 3] = [1.0, 1.0, 0.7];

/// Signed distance (mm) to a chain whose radii are multiplied by `scale`.
fn along_chain<const N: usize>(chain: &Chain<N>, p: [f32; 3], scale: f32) -> f32 {
    chain.windows(2).map(|ends| round_cone_mm(p, ends[0], ends[1], scale)).fold(f32::INFINITY, f32::min)
}

fn round_cone_mm(
    p: [f32; 3],
    (a, radius_a): ([f32; 3], f32),
    (b, radius_b): ([f32; 3], f32),
    scale: f32,
) -> f32 {
    let along: [f32; 3] = std::array::from_fn(|i| b[i] - a[i]);
    let from_a: [f32; 3] = std::array::from_fn(|i| p[i] - a[i]);
    let dot = |u: [f32; 3], v: [f32; 3]| u[0] * v[0] + u[1] * v[1] + u[2] * v[2];
    let t = (dot(from_a, along) / dot(along, along)).clamp(0.0, 1.0);
    let off: [f32; 3] = std::array::from_fn(|i| HEIGHT[i] * (from_a[i] - t * along[i]));
    dot(off, off).sqrt() - scale * (radius_a + t * (radius_b - radius_a))
}
