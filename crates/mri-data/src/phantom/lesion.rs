//! Lesions: rough balls of changed tissue.

use rand::{Rng, RngExt};

use super::tissue::Tissue;

/// One lesion in coordinates of the mean head.
#[derive(Clone, Debug)]
pub(crate) struct Lesion {
    centre: [f32; 3],
    radii: [f32; 3],
    tissue: Tissue,
}

/// Several white-matter lesions and a focal one, all between the commissures and the vertex.
pub(crate) fn draw_lesions(rng: &mut impl Rng) -> Vec<Lesion> {
    let count = rng.random_range(6..14);
    let mut lesions: Vec<Lesion> = (0..count)
        .map(|_| {
            let side = if rng.random_bool(0.5) { 1.0 } else { -1.0 };
            let centre = [
                side * rng.random_range(17.0..34.0),
                rng.random_range(-58.0..36.0),
                rng.random_range(14.0..46.0),
            ];
            Lesion::new(rng, centre, 1.5..4.5, Tissue::WhiteMatterLesion)
        })
        .collect();
    let side = if rng.random_bool(0.5) { 1.0 } else { -1.0 };
    let centre =
        [side * rng.random_range(18.0..50.0), rng.random_range(-70.0..40.0), rng.random_range(12.0..48.0)];
    lesions.push(Lesion::new(rng, centre, 4.0..7.5, Tissue::FocalLesion));
    lesions
}

impl Lesion {
    fn new(rng: &mut impl Rng, centre: [f32; 3], radius_mm: std::ops::Range<f32>, tissue: Tissue) -> Self {
        let radius_mm = rng.random_range(radius_mm);
        Self { centre, radii: std::array::from_fn(|_| radius_mm * rng.random_range(0.6..1.0)), tissue }
    }

    /// The lesion's tissue at a point where `healthy` would be; fluid and grey nuclei bound it, and a lesion of the
    /// white matter stays in the white matter. `ripple` (about -1 to 1) roughens its surface.
    fn tissue(&self, p: [f32; 3], healthy: Tissue, ripple: f32) -> Option<Tissue> {
        let open = match self.tissue {
            Tissue::FocalLesion => matches!(healthy, Tissue::WhiteMatter | Tissue::GreyMatter),
            _ => healthy == Tissue::WhiteMatter,
        };
        let radius: f32 = (0..3).map(|i| ((p[i] - self.centre[i]) / self.radii[i]).powi(2)).sum();
        (open && radius.sqrt() < 1.0 + 0.35 * ripple).then_some(self.tissue)
    }
}

/// The tissue at a point once the lesions have changed it.
pub(crate) fn affected(lesions: &[Lesion], p: [f32; 3], healthy: Tissue, ripple: f32) -> Tissue {
    lesions.iter().find_map(|lesion| lesion.tissue(p, healthy, ripple)).unwrap_or(healthy)
}
