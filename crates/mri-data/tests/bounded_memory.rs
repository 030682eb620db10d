//! Memory does not grow with the number of volumes: the peak of what is allocated in this process, which has one test
//! alone.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use mri_data::atomic_file::Existing;
use mri_data::augment::AugmentConfig;
use mri_data::geometry::{Canvas, Fit};
use mri_data::loader::UnpairedLoader;
use mri_data::manifest::discover_studies;
use mri_data::nifti::{DataType, NiftiHeader, write_nifti};
use mri_data::normalize::Normalization;
use mri_data::slices::{Preparation, Slices, fit_normalizer};
use mri_data::study::list_studies;
use mri_data::volume::{Affine, SliceAxis, Volume};
use ndarray::Array3;
use peak_alloc::PeakAlloc;

const MIB: usize = 1 << 20;

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

/// Volumes that are links to one file of 96 x 96 x 64 voxels (2.25 MiB of values), which has 64 slices with a head.
fn volumes(folder: &Path, count: usize) {
    fs::create_dir(folder).unwrap();
    let voxels = Array3::from_shape_fn((96, 96, 64), |(i, j, k)| {
        let inside = (i as f32 - 48.0).hypot(j as f32 - 48.0) < 40.0;
        if inside { ((i * 7 + j * 13 + k * 5) % 97 + 60) as f32 } else { 0.0 }
    });
    let affine = Affine::scaling([1.0; 3]);
    let header = NiftiHeader::for_grid(&affine, [96, 96, 64]);
    let first = folder.join("0.nii");
    write_nifti(&first, &Volume { voxels, affine, header }, DataType::U8, Existing::Refuse).unwrap();
    (1..count).for_each(|n| std::os::unix::fs::symlink(&first, folder.join(format!("{n}.nii"))).unwrap());
}

/// The most memory that was allocated at once in all that a training does with volumes, up to a sample; and the number of
/// slices.
fn learn(folder: &Path) -> (usize, usize) {
    ALLOCATED.reset_peak_usage();
    let domain = discover_studies("t1", &list_studies(folder).unwrap(), SliceAxis::Axial).unwrap();
    let normalizer = fit_normalizer(&Normalization::percentile(), &domain.slices).unwrap();
    let canvas = Canvas { height_px: 128, width_px: 128, fit: Fit::Contain };
    let slices = Slices::load(&domain.slices, Preparation::new(&normalizer, &canvas)).unwrap();
    let loader = UnpairedLoader::new(slices.clone(), slices, AugmentConfig::affine(), 0);
    loader.epoch(0).take(200).for_each(|sample| drop(sample.unwrap()));
    (ALLOCATED.peak_usage(), domain.slices.len())
}

#[test]
fn thirty_two_volumes_need_hardly_more_memory_than_four() {
    let folder = tempfile::tempdir().unwrap();
    volumes(&folder.path().join("few"), 4);
    volumes(&folder.path().join("many"), 32);
    let (few, slices) = learn(&folder.path().join("few"));
    assert_eq!(slices, 4 * 64);
    let (many, slices) = learn(&folder.path().join("many"));
    assert_eq!(slices, 32 * 64);
    println!("peak with 4 volumes {} KiB, with 32 {} KiB", few >> 10, many >> 10);
    // At least one volume was in memory. 28 more volumes have 63 MiB of values, and 112 MiB of prepared slices.
    assert!(few > 96 * 96 * 64 * 4);
    assert!(many < few + 12 * MIB, "{} KiB and {} KiB", few >> 10, many >> 10);
}
