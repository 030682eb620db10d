//! A procedural head: any number of subjects, each a consistent three-dimensional anatomy drawn from a seed, seen in
//! T1 and T2 weighting with its exact tissue labels.
//!
//! A [`Subject`] has scalp (skin, fat, muscle), skull with marrow, fluid around a folded cortex, white matter, falx and
//! sagittal sinus, ventricles, basal nuclei and thalami, and optionally lesions. Subjects differ in the size, shape and
//! pose of the head, in the thickness of its layers, in all folds, in the width of the ventricles and sulci (atrophy)
//! and in asymmetry. Signals come from tissue parameters, BrainWeb's where it has the tissue ([`Tissue::relaxation`]),
//! through the equations of the sequences ([`SpoiledGradientEcho`], [`SpinEcho`]), so the two contrasts of a slice are
//! exact partners. One grey scale per contrast ([`T1W_WHITE`], [`T2W_WHITE`]) holds for all slices of all subjects.
//!
//! Anatomical from the level of the commissures (z = 0) to the vertex (z about 75 mm); the skull base, eyes, temporal
//! poles, brain stem and cerebellum are left out.
//!
//! ```
//! use mri_data::phantom::{SliceGrid, Subject, Tissue};
//!
//! let slice = Subject::new(7).slice(22.0, &SliceGrid::square(96));
//! let mean = |image: &ndarray::Array2<f32>, tissue: Tissue| {
//!     let inside = image.iter().zip(&slice.labels).filter(|(_, label)| **label == tissue.label());
//!     let (sum, count) = inside.fold((0.0, 0.0), |(sum, count), (value, _)| (sum + value, count + 1.0));
//!     sum / count
//! };
//! assert!(mean(&slice.t1, Tissue::WhiteMatter) > mean(&slice.t1, Tissue::Csf));
//! assert!(mean(&slice.t2, Tissue::WhiteMatter) < mean(&slice.t2, Tissue::Csf));
//! ```

mod acquire;
mod cortex;
mod dataset;
mod deep;
mod description;
mod head;
mod lattice;
mod lesion;
mod options;
mod signal;
mod slice;
mod subject;
mod tissue;
mod waves;

pub use crate::atomic_file::Existing;
pub use acquire::Acquisition;
pub use dataset::{holds_dataset, holds_older_dataset, write_dataset};
pub use options::{DatasetOptions, Lesions};
pub use signal::{BRAINWEB_T1W, BRAINWEB_T2W, SpinEcho, SpoiledGradientEcho, T1W_WHITE, T2W_WHITE};
pub use slice::{FIELD_MM, PhantomSlice, SliceGrid};
pub use subject::Subject;
pub use tissue::{Relaxation, Tissue};
