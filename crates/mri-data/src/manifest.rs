//! What a data set is made of: every file with its subject, place, size and hash, and what was left out.

mod discover;

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub(crate) use discover::{Extent, near_blank};
pub use discover::{discover, discover_studies};

use crate::image::BitDepth;
use crate::pairing::Thumbnail;
use crate::source::ImageRef;
use crate::study::Study;
use crate::volume::SliceAxis;

/// One file of a data set (of a DICOM series, all its files).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Path inside the folder or archive, with forward slashes; of a series its folder.
    pub path: String,
    /// Name of the domain, such as `t1`.
    pub domain: String,
    /// The subject, as [`naming`](crate::naming) reads it from the path.
    pub subject: String,
    /// Number of the slice, where the file is one slice and its name has a number.
    pub slice: Option<u32>,
    /// Rows of a slice.
    pub height_px: usize,
    /// Columns of a slice.
    pub width_px: usize,
    /// Depth of the file.
    pub depth: BitDepth,
    /// SHA-256 of the bytes of the file (or files), in hexadecimal.
    pub sha256: String,
    /// Of a volume, which slices are in the data set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<UsedSlices>,
}

/// The slices of a volume, numbered from 0 along an axis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsedSlices {
    /// The direction that they are stacked along.
    pub axis: SliceAxis,
    /// How many there are.
    pub slices: usize,
    /// First and last of each run of slices that are used; the others are near-blank.
    pub used: Vec<[u32; 2]>,
    /// Voxels that are NaN or infinite, and taken for air.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub not_finite: usize,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// A slice left out because there is next to nothing on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// Path inside the folder or archive, with forward slashes.
    pub path: String,
    /// Name of the domain.
    pub domain: String,
}

/// A slice that can be read again. Cloning shares what is known of its file.
#[derive(Debug, Clone)]
pub struct Slice {
    /// What is known of its file.
    pub entry: Arc<Entry>,
    /// The file.
    pub study: Arc<Study>,
    /// Where in a volume it lies, counted from 0 along the axis.
    pub position: Option<u32>,
}

impl Slice {
    /// Its number: the position in a volume, or what the name of an image tells.
    pub fn number(&self) -> Option<u32> {
        self.position.or(self.entry.slice)
    }

    /// The path of its file, and the number of a volume's slice.
    pub fn label(&self) -> String {
        match self.position {
            Some(position) => format!("{} slice {position}", self.entry.path),
            None => self.entry.path.clone(),
        }
    }

    /// Whether the two are slices of one stack: of one volume, or single images of one subject.
    pub fn is_of_stack_of(&self, other: &Slice) -> bool {
        let single = self.position.is_none() && other.position.is_none();
        Arc::ptr_eq(&self.study, &other.study) || (single && self.entry.subject == other.entry.subject)
    }
}

/// All slices of one domain, ordered by subject, then single images by slice number and name, and volumes by name and
/// position.
#[derive(Debug, Clone)]
pub struct Domain {
    /// Name of the domain.
    pub name: String,
    /// The slices, at least one.
    pub slices: Vec<Slice>,
    /// The near-blank images that were left out. What is left out of a volume is in its [`Entry::volume`].
    pub dropped: Vec<Dropped>,
    /// Labels and thumbnails of the slices, or of some of them, for
    /// [`suspected_pairs`](crate::pairing::suspected_pairs).
    pub thumbnails: Vec<(String, Thumbnail)>,
}

impl Domain {
    /// Its files.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        let of_one_file = |a: &Slice, b: &Slice| Arc::ptr_eq(&a.entry, &b.entry);
        self.slices.chunk_by(of_one_file).filter_map(|slices| slices.first()).map(|slice| &*slice.entry)
    }

    /// How many near-blank slices were left out.
    pub fn near_blank(&self) -> usize {
        let of_volumes = self.entries().filter_map(|entry| entry.volume.as_ref());
        let left_out = of_volumes.map(|volume| {
            let used: u32 = volume.used.iter().map(|[first, last]| last - first + 1).sum();
            volume.slices - used as usize
        });
        self.dropped.len() + left_out.sum::<usize>()
    }

    /// Voxels of its volumes that are NaN or infinite, and taken for air.
    pub fn not_finite(&self) -> usize {
        self.entries().filter_map(|entry| entry.volume.as_ref()).map(|volume| volume.not_finite).sum()
    }
}

/// The record of a data set: two runs with the same [`Manifest::hash`] saw the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The files, domain by domain.
    pub entries: Vec<Entry>,
    /// What was left out.
    pub dropped: Vec<Dropped>,
}

impl Manifest {
    /// The record of these domains.
    pub fn new(domains: &[Domain]) -> Self {
        Self {
            entries: domains.iter().flat_map(|domain| domain.entries().cloned()).collect(),
            dropped: domains.iter().flat_map(|domain| domain.dropped.clone()).collect(),
        }
    }

    /// SHA-256, in hexadecimal, over the domain, path and hash of every entry.
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        for entry in &self.entries {
            for text in [&entry.domain, &entry.path, &entry.sha256] {
                hash.update((text.len() as u64).to_le_bytes());
                hash.update(text);
            }
        }
        hexadecimal(&hash.finalize())
    }

    /// Pairs of entries of different domains that are the same file, byte for byte: data that a run on unpaired contrasts
    /// cannot be meant to have.
    pub fn shared_files(&self) -> Vec<(&Entry, &Entry)> {
        let mut first_with: HashMap<&str, &Entry> = HashMap::new();
        let mut shared = Vec::new();
        for entry in &self.entries {
            match first_with.get(entry.sha256.as_str()) {
                Some(first) if first.domain != entry.domain => shared.push((*first, entry)),
                Some(_) => {}
                None => {
                    first_with.insert(&entry.sha256, entry);
                }
            }
        }
        shared
    }
}

pub(crate) fn slashed(source: &ImageRef) -> String {
    source.relative().iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
