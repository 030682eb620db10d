//! The first look at a domain's images: counts, sizes, depths, intensities, and what is odd about them.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::Serialize;

use crate::manifest::{Extent, near_blank, slashed};
use crate::naming::subject_and_slice;
use crate::normalize::percentiles;
use crate::pairing::Thumbnail;
use crate::source::ImageRef;

const HISTOGRAM_BINS: usize = 64;

/// What one domain's images are like. Images that cannot be read are listed and do not stop the others.
#[derive(Debug, Clone, Serialize)]
pub struct Description {
    /// Images that could be read.
    pub images: usize,
    /// Subjects that their names tell.
    pub subjects: usize,
    /// (rows, columns) and how many images have them, the commonest first.
    pub sizes: Vec<((usize, usize), usize)>,
    /// Bits per pixel (8 or 16) and how many images have them.
    pub bit_depths: Vec<(u32, usize)>,
    /// Intensities, in file units.
    pub intensity: Intensity,
    /// Paths of constant and near-blank images.
    pub near_blank: Vec<String>,
    /// Paths of images that cannot be read, each with the reason.
    pub unreadable: Vec<(String, String)>,
    /// Path and thumbnail of every image that could be read, in order, for
    /// [`suspected_pairs`](crate::pairing::suspected_pairs).
    #[serde(skip)]
    pub thumbnails: Vec<(String, Thumbnail)>,
}

/// Intensities of all images of a domain together, in file units.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Intensity {
    /// Least of all.
    pub min: f64,
    /// Mean over images of the median.
    pub median: f64,
    /// Mean over images of the 99th percentile.
    pub p99: f64,
    /// Largest of all.
    pub max: f64,
    /// Mean over images of the mean.
    pub mean: f64,
    /// Pixel counts in 64 equal bins from 0 to the largest value of the deepest file.
    pub histogram: Vec<u64>,
}

struct Look {
    path: String,
    subject: String,
    size: (usize, usize),
    bits: u32,
    full: f64,
    extent: Extent,
    percentiles: Vec<f64>,
    mean: f64,
    histogram: Vec<u64>,
    thumbnail: Thumbnail,
}

/// Looks at every image, in parallel.
pub fn describe(images: &[ImageRef]) -> Description {
    let looks: Vec<Result<Look, (String, String)>> = images.par_iter().map(look_at).collect();
    let (looks, unreadable): (Vec<_>, Vec<_>) = looks.into_iter().partition(Result::is_ok);
    let looks: Vec<Look> = looks.into_iter().flatten().collect();
    let unreadable = unreadable.into_iter().filter_map(Result::err).collect();
    let blank = near_blank(&looks.iter().map(|look| look.extent).collect::<Vec<_>>());
    let near_blank =
        looks.iter().zip(blank).filter(|(_, blank)| *blank).map(|(look, _)| look.path.clone()).collect();
    let mut sizes: Vec<_> = counted(looks.iter().map(|look| look.size)).into_iter().collect();
    sizes.sort_by_key(|&(size, count)| (std::cmp::Reverse(count), size));
    Description {
        images: looks.len(),
        subjects: counted(looks.iter().map(|look| look.subject.as_str())).len(),
        sizes,
        bit_depths: counted(looks.iter().map(|look| look.bits)).into_iter().collect(),
        intensity: intensity(&looks),
        near_blank,
        unreadable,
        thumbnails: looks.into_iter().map(|look| (look.path, look.thumbnail)).collect(),
    }
}

fn look_at(source: &ImageRef) -> Result<Look, (String, String)> {
    let path = slashed(source);
    let image = source.read().map_err(|error| (path.clone(), error.to_string()))?;
    let full = f64::from(image.depth.max_value());
    let pixels = || image.pixels.iter().copied();
    let mut histogram = vec![0; HISTOGRAM_BINS];
    for value in pixels() {
        let bin = (f64::from(value) / (full + 1.0) * HISTOGRAM_BINS as f64) as usize;
        histogram[bin.min(HISTOGRAM_BINS - 1)] += 1;
    }
    Ok(Look {
        path,
        subject: subject_and_slice(source.relative(), &source.folder_name()).0,
        size: image.pixels.dim(),
        bits: image.depth.bits(),
        full,
        extent: Extent::of(&image),
        percentiles: percentiles(pixels(), &[0.0, 50.0, 99.0, 100.0]),
        mean: pixels().map(f64::from).sum::<f64>() / image.pixels.len().max(1) as f64,
        histogram,
        thumbnail: Thumbnail::of(&image.pixels),
    })
}

fn intensity(looks: &[Look]) -> Intensity {
    let count = looks.len().max(1) as f64;
    let mean = |value: &dyn Fn(&Look) -> f64| looks.iter().map(value).sum::<f64>() / count;
    let deepest = looks.iter().map(|look| look.full).fold(0.0, f64::max);
    let mut histogram = vec![0; HISTOGRAM_BINS];
    for look in looks {
        // The bins of a shallower file are the first ones of a deeper file.
        for (bin, pixels) in look.histogram.iter().enumerate() {
            histogram[(bin as f64 * (look.full + 1.0) / (deepest + 1.0)) as usize] += pixels;
        }
    }
    Intensity {
        min: looks.iter().map(|look| look.percentiles[0]).fold(f64::INFINITY, f64::min),
        median: mean(&|look| look.percentiles[1]),
        p99: mean(&|look| look.percentiles[2]),
        max: looks.iter().map(|look| look.percentiles[3]).fold(f64::NEG_INFINITY, f64::max),
        mean: mean(&|look| look.mean),
        histogram,
    }
}

fn counted<T: Ord>(values: impl Iterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    for value in values {
        *counts.entry(value).or_insert(0) += 1;
    }
    counts
}
