//! Reading every file of a domain once: what it is, and which of its slices hold next to nothing.

use std::sync::Arc;

use ndarray::{ArrayView2, Axis};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::{Domain, Dropped, Entry, Slice, UsedSlices, hexadecimal, slashed};
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
        let slice = slices.index_axis(Axis(0), at);
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
