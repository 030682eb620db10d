//! A first look at a folder of slices or volumes, and at a sample of what a network would see of it.
//!
//! `cargo run -p mri-data --example first_look -- FOLDER`; without an argument, at a few slices of a phantom.

use std::error::Error;
use std::path::PathBuf;

use mri_data::augment::AugmentConfig;
use mri_data::describe::describe;
use mri_data::geometry::{Canvas, Fit};
use mri_data::image::{BitDepth, Image, write_image};
use mri_data::loader::UnpairedLoader;
use mri_data::manifest::discover_studies;
use mri_data::normalize::Normalization;
use mri_data::phantom::{SliceGrid, Subject};
use mri_data::slices::{Preparation, Slices, fit_normalizer};
use mri_data::study::{Study, list_studies};
use mri_data::volume::SliceAxis;

fn main() -> Result<(), Box<dyn Error>> {
    let phantom = tempfile::tempdir()?;
    let folder = match std::env::args_os().nth(1) {
        Some(folder) => PathBuf::from(folder),
        None => {
            for slice in 0..6_u8 {
                let t1 = Subject::new(1).slice(10.0 * f32::from(slice), &SliceGrid::square(96)).t1;
                let pixels = t1.mapv(|value| value * 255.0);
                let path = phantom.path().join(format!("subject-1_slice-{slice}.png"));
                write_image(&path, &Image { pixels, depth: BitDepth::Eight })?;
            }
            phantom.path().to_owned()
        }
    };

    let studies = list_studies(&folder)?;
    let images: Vec<_> = studies.iter().filter_map(Study::image).cloned().collect();
    if !images.is_empty() {
        let look = describe(&images);
        println!("{} images of {} subjects", look.images, look.subjects);
        for ((rows, columns), count) in &look.sizes {
            println!("{count} of {rows} x {columns} px");
        }
        println!(
            "intensities {} to {}, median {:.0}",
            look.intensity.min, look.intensity.max, look.intensity.median
        );
        println!("{} near-blank, {} unreadable", look.near_blank.len(), look.unreadable.len());
    }

    let domain = discover_studies("t1", &studies, SliceAxis::Axial)?;
    for entry in domain.entries().filter(|entry| entry.volume.is_some()) {
        println!("{}: subject {}, {:?}", entry.path, entry.subject, entry.volume);
    }
    let normalization =
        if images.is_empty() { Normalization::percentile() } else { Normalization::default() };
    let normalizer = fit_normalizer(&normalization, &domain.slices)?;
    let canvas = Canvas { height_px: 128, width_px: 128, fit: Fit::Contain };
    let slices = Slices::load(&domain.slices, Preparation::new(&normalizer, &canvas))?;
    let loader = UnpairedLoader::new(slices.clone(), slices, AugmentConfig::affine(), 0);
    if let Some(sample) = loader.epoch(0).next() {
        println!("a sample: {:?}", sample?.0);
    }
    Ok(())
}
