//! One person: everything that is drawn once from the seed and holds for all slices.

use rand::RngExt;

use super::{
    cortex::Cortex, deep::Deep, head::HeadShape, lesion::Lesion, lesion::draw_lesions, waves::Waves,
};
use crate::random::stream;

/// A procedural head. The same seed gives the same anatomy.
///
/// Coordinates are millimetres with the origin near the anterior commissure: x to the right of the image, y to the
/// front, z up.
#[derive(Clone, Debug)]
pub struct Subject {
    pub(crate) shape: HeadShape,
    pub(crate) cortex: Cortex,
    pub(crate) deep: Deep,
    pub(crate) ripple: Waves,
    pub(crate) lesions: Vec<Lesion>,
    pub(crate) atrophy: f32,
    pub(crate) seed: u64,
}

impl Subject {
    /// A healthy subject.
    pub fn new(seed: u64) -> Self {
        let rng = &mut stream(seed, "phantom anatomy", 0);
        // Most people have little atrophy, a few much.
        let atrophy = rng.random_range(0.0..1.0f32).powi(2);
        let shape = HeadShape::new(rng);
        let cortex = Cortex::new(rng, atrophy);
        let deep = Deep::new(rng, atrophy);
        let ripple = Waves::new(rng, 8, 13.0, 0.4);
        Self { shape, cortex, deep, ripple, lesions: Vec::new(), atrophy, seed }
    }

    /// The anatomy of [`Subject::new`] with lesions: 6 to 13 small ones in the white matter around the ventricles
    /// (3 to 9 mm across) and a focal one (8 to 15 mm).
    pub fn with_lesions(seed: u64) -> Self {
        let lesions = draw_lesions(&mut stream(seed, "phantom lesions", 0));
        Self { lesions, ..Self::new(seed) }
    }

    /// How much tissue has given way to fluid, from 0 (none) to 1 (much): wider ventricles and sulci, thinner cortex.
    pub fn atrophy(&self) -> f32 {
        self.atrophy
    }
}
