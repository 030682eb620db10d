//! What a data set is made of: every file with its subject, place, size and hash, and what was left out.

use std::collections::HashMap;
use std::sync::Arc;

use ndarray::ArrayView2;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::image::{BitDepth, Image};
use crate::naming::{subject_and_slice, volume_subject};
use crate::normalize::percentiles;
use crate::one_each::one_each;
use crate::pairing::Thumbnail;
use crate::source::{ImageRef, natural_order};
use crate::study::{Study, VolumeRef};
use crate::volume::SliceAxis;
use crate::{DataError, ImageError};

/// Of the volumes of a domain together, so many slices are compared with those of the other domain.
const THUMBNAILS_OF_VOLUMES: usize = 256;

/// One file of a data set (of a DICOM series, all its files).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Path inside the folder or archive, with forward slashes; of a series its folder.
    pub path: String,
    /// Name of the domain, such as `t1`.
    pub domain: String,
    /// The subject, as [`subject_and_slice`] or [`volume_subject`] reads it from the path.
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

/// Reads every image or volume of a domain once, in parallel, and leaves out the near-blank slices. Volumes are cut along
/// `axis`; at most one for each thread is in memory.
///
/// # Errors
/// Those of [`discover`] and of reading volumes, and [`DataError::Domain`] for images and volumes together.
pub fn discover_studies(domain: &str, studies: &[Study], axis: SliceAxis) -> Result<Domain, DataError> {
    let images: Vec<ImageRef> = studies.iter().filter_map(Study::image).cloned().collect();
    let volumes: Vec<&VolumeRef> = studies.iter().filter_map(Study::volume).collect();
    match (images.len(), volumes.len()) {
        (_, 0) => discover(domain, &images),
        (0, _) => discover_volumes(domain, &volumes, axis),
        (images, volumes) => {
            let reason =
                format!("{images} images and {volumes} volumes together: give a place with one kind");
            Err(DataError::domain(domain, reason))
        }
    }
}

/// Reads every image of a domain once, in parallel, and leaves out the near-blank ones.
///
/// # Errors
/// Those of reading, for the first image that cannot be read, and [`DataError::Domain`] if no slice is left.
pub fn discover(domain: &str, images: &[ImageRef]) -> Result<Domain, DataError> {
    let looked_at: Vec<(Entry, Extent, Thumbnail)> = images
        .par_iter()
        .map(|image| look_at(domain, image))
        .collect::<Vec<_>>()
        .into_iter()
        .collect::<Result<_, _>>()?;
    let blank = near_blank(&looked_at.iter().map(|(_, extent, _)| *extent).collect::<Vec<_>>());
    let mut kept = Vec::new();
    let mut dropped = Vec::new();
    for (((entry, _, thumbnail), source), blank) in looked_at.into_iter().zip(images).zip(blank) {
        if blank {
            dropped.push(Dropped { path: entry.path, domain: entry.domain });
        } else {
            let study = Arc::new(Study::Image(source.clone()));
            kept.push((Slice { entry: Arc::new(entry), study, position: None }, thumbnail));
        }
    }
    if kept.is_empty() {
        return Err(DataError::domain(domain, format!("all {} slices are blank", dropped.len())));
    }
    kept.sort_by(|(a, _), (b, _)| {
        let (a, b) = (&a.entry, &b.entry);
        natural_order(&a.subject, &b.subject)
            .then(a.slice.cmp(&b.slice))
            .then_with(|| natural_order(&a.path, &b.path))
    });
    let thumbnail_of = |(slice, thumbnail): &(Slice, Thumbnail)| (slice.label(), thumbnail.clone());
    let thumbnails = kept.iter().map(thumbnail_of).collect();
    let slices = kept.into_iter().map(|(slice, _)| slice).collect();
    Ok(Domain { name: domain.to_owned(), slices, dropped, thumbnails })
}

fn discover_volumes(domain: &str, volumes: &[&VolumeRef], axis: SliceAxis) -> Result<Domain, DataError> {
    let numbered: Vec<(usize, &VolumeRef)> = volumes.iter().copied().enumerate().collect();
    let every = volumes.len().div_ceil(THUMBNAILS_OF_VOLUMES).max(1);
    let look = |&(index, volume): &(usize, &VolumeRef)| {
        let thumbnails = if index % every == 0 { (THUMBNAILS_OF_VOLUMES / volumes.len()).max(1) } else { 0 };
        look_at_volume(domain, volume, axis, thumbnails)
    };
    let mut found = one_each(&numbered, look)?;
    found.sort_by(|a, b| {
        natural_order(&a.entry.subject, &b.entry.subject)
            .then_with(|| natural_order(&a.entry.path, &b.entry.path))
    });
    let mut slices = Vec::new();
    let mut thumbnails = Vec::new();
    for LookedAt { entry, study, thumbnails: of_volume } in found {
        let used = entry.volume.iter().flat_map(|volume| &volume.used);
        let slice = |position| Slice {
            entry: Arc::clone(&entry),
            study: Arc::clone(&study),
            position: Some(position),
        };
        slices.extend(used.flat_map(|[first, last]| *first..=*last).map(slice));
        thumbnails
            .extend(of_volume.into_iter().map(|(position, thumbnail)| (slice(position).label(), thumbnail)));
    }
    if slices.is_empty() {
        return Err(DataError::domain(domain, format!("all slices of {} volumes are blank", volumes.len())));
    }
    Ok(Domain { name: domain.to_owned(), slices, dropped: Vec::new(), thumbnails })
}

struct LookedAt {
    entry: Arc<Entry>,
    study: Arc<Study>,
    thumbnails: Vec<(u32, Thumbnail)>,
}

fn look_at_volume(
    domain: &str,
    source: &VolumeRef,
    axis: SliceAxis,
    thumbnails: usize,
) -> Result<LookedAt, DataError> {
    let volume = source.read()?;
    let slices = volume.slices(axis);
    let finite = || slices.iter().copied().filter(|value| value.is_finite());
    let not_finite = slices.len() - finite().count();
    let (air, least) = match *percentiles(finite(), &[0.0, 99.8, 100.0]).as_slice() {
        [min, _, max] if min == max => {
            return Err(DataError::image(source.display(), ImageError::Constant { value: min as f32 }));
        }
        [min, high, max] => (min as f32, min + 0.1 * (if high > min { high } else { max } - min)),
        _ => {
            let (height, width) = (slices.dim().1, slices.dim().2);
            return Err(DataError::image(source.display(), ImageError::NoPixels { height, width }));
        }
    };
    let is_used = |slice: ArrayView2<'_, f32>| {
        let above = slice.iter().filter(|value| value.is_finite() && f64::from(**value) > least).count();
        above * 100 >= slice.len() && above > 0
    };
    let used: Vec<u32> =
        (0..).zip(slices.outer_iter()).filter(|(_, slice)| is_used(*slice)).map(|(at, _)| at).collect();
    let (count, height_px, width_px) = slices.dim();
    let at = (0..thumbnails).map(|i| (2 * i + 1) * count / (2 * thumbnails));
    let thumbnails = at.filter_map(|at| {
        let position = u32::try_from(at).ok().filter(|position| used.binary_search(position).is_ok())?;
        let slice = slices.index_axis(ndarray::Axis(0), at);
        Some((position, Thumbnail::of(&slice.mapv(|value| if value.is_finite() { value } else { air }))))
    });
    let mut thumbnails: Vec<_> = thumbnails.collect();
    thumbnails.dedup_by_key(|(position, _)| *position);
    let entry = Entry {
        path: source.relative().iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/"),
        domain: domain.to_owned(),
        subject: volume_subject(source.relative(), &source.folder_name()),
        slice: None,
        height_px,
        width_px,
        depth: BitDepth::Float,
        sha256: source.sha256()?,
        volume: Some(UsedSlices { axis, slices: count, used: runs(&used), not_finite }),
    };
    Ok(LookedAt { entry: Arc::new(entry), study: Arc::new(Study::Volume(source.clone())), thumbnails })
}

/// First and last of each run of consecutive numbers.
fn runs(numbers: &[u32]) -> Vec<[u32; 2]> {
    let consecutive = numbers.chunk_by(|a, b| a + 1 == *b);
    consecutive.filter_map(|run| Some([*run.first()?, *run.last()?])).collect()
}

fn look_at(domain: &str, source: &ImageRef) -> Result<(Entry, Extent, Thumbnail), DataError> {
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
        volume: None,
    };
    Ok((entry, Extent::of(&image), Thumbnail::of(&image.pixels)))
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
