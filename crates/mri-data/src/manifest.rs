//! What a data set is made of: every slice with its subject, place, size and hash, and what was left out.

use std::collections::HashMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::DataError;
use crate::image::{BitDepth, Image};
use crate::naming::subject_and_slice;
use crate::normalize::percentiles;
use crate::source::{ImageRef, natural_order};

/// One slice of a data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Path inside the folder or archive, with forward slashes.
    pub path: String,
    /// Name of the domain, such as `t1`.
    pub domain: String,
    /// The subject, as [`subject_and_slice`] reads it from the path.
    pub subject: String,
    /// Number of the slice, where the name has one.
    pub slice: Option<u32>,
    /// Rows.
    pub height_px: usize,
    /// Columns.
    pub width_px: usize,
    /// Depth of the file.
    pub depth: BitDepth,
    /// SHA-256 of the file's bytes, in hexadecimal.
    pub sha256: String,
}

/// A slice left out because there is next to nothing on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// Path inside the folder or archive, with forward slashes.
    pub path: String,
    /// Name of the domain.
    pub domain: String,
}

/// A slice that can be read again.
#[derive(Debug, Clone)]
pub struct Slice {
    /// What is known of it.
    pub entry: Entry,
    /// Where it is.
    pub source: ImageRef,
}

/// All slices of one domain, ordered by subject, slice number and name.
#[derive(Debug, Clone)]
pub struct Domain {
    /// Name of the domain.
    pub name: String,
    /// The slices, at least one.
    pub slices: Vec<Slice>,
    /// The near-blank slices that were left out.
    pub dropped: Vec<Dropped>,
}

/// The record of a data set: two runs with the same [`Manifest::hash`] saw the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The slices, domain by domain.
    pub entries: Vec<Entry>,
    /// What was left out.
    pub dropped: Vec<Dropped>,
}

impl Manifest {
    /// The record of these domains.
    pub fn new(domains: &[Domain]) -> Self {
        Self {
            entries: domains
                .iter()
                .flat_map(|domain| domain.slices.iter().map(|slice| slice.entry.clone()))
                .collect(),
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

/// Reads every image of a domain once, in parallel, and leaves out the near-blank ones.
///
/// # Errors
/// Those of reading, for the first image that cannot be read, and [`DataError::Domain`] if no slice is left.
pub fn discover(domain: &str, images: &[ImageRef]) -> Result<Domain, DataError> {
    let looked_at: Vec<(Entry, Extent)> = images
        .par_iter()
        .map(|image| look_at(domain, image))
        .collect::<Vec<_>>()
        .into_iter()
        .collect::<Result<_, _>>()?;
    let blank = near_blank(&looked_at.iter().map(|(_, extent)| *extent).collect::<Vec<_>>());
    let mut found = Domain { name: domain.to_owned(), slices: Vec::new(), dropped: Vec::new() };
    for (((entry, _), source), blank) in looked_at.into_iter().zip(images).zip(blank) {
        if blank {
            found.dropped.push(Dropped { path: entry.path, domain: entry.domain });
        } else {
            found.slices.push(Slice { entry, source: source.clone() });
        }
    }
    if found.slices.is_empty() {
        return Err(DataError::domain(domain, format!("all {} slices are blank", found.dropped.len())));
    }
    found.slices.sort_by(|a, b| {
        let (a, b) = (&a.entry, &b.entry);
        natural_order(&a.subject, &b.subject)
            .then(a.slice.cmp(&b.slice))
            .then_with(|| natural_order(&a.path, &b.path))
    });
    Ok(found)
}

fn look_at(domain: &str, source: &ImageRef) -> Result<(Entry, Extent), DataError> {
    let bytes = source.read_bytes()?;
    let image = source.decode(&bytes)?;
    let (height_px, width_px) = image.pixels.dim();
    let (subject, slice) = subject_and_slice(source.relative(), &source.folder_name());
    let entry = Entry {
        path: slashed(source),
        domain: domain.to_owned(),
        subject,
        slice,
        height_px,
        width_px,
        depth: image.depth,
        sha256: hexadecimal(&Sha256::digest(&bytes)),
    };
    Ok((entry, Extent::of(&image)))
}

/// How far the intensities of an image reach, as parts of what its depth allows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    min: f64,
    high: f64,
    max: f64,
}

impl Extent {
    pub(crate) fn of(image: &Image) -> Self {
        let full = f64::from(image.depth.max_value());
        let ends = percentiles(image.pixels.iter().copied(), &[0.0, 99.0, 100.0]);
        match ends.as_slice() {
            &[min, high, max] => Self { min: min / full, high: high / full, max: max / full },
            _ => Self { min: 0.0, high: 0.0, max: 0.0 },
        }
    }
}

/// Which images are near-blank: constant, or with fewer than one pixel in a hundred above a tenth of what is usual (the
/// median over the images of the 99th percentile, from the median of the minima up).
pub(crate) fn near_blank(extents: &[Extent]) -> Vec<bool> {
    let median = |value: fn(&Extent) -> f64| {
        percentiles(extents.iter().map(|extent| value(extent) as f32), &[50.0])
            .first()
            .copied()
            .unwrap_or(0.0)
    };
    let (air, usual) = (median(|extent| extent.min), median(|extent| extent.high));
    let least = air + 0.1 * (usual - air);
    extents.iter().map(|extent| extent.max <= extent.min || extent.high < least).collect()
}

pub(crate) fn slashed(source: &ImageRef) -> String {
    source.relative().iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
