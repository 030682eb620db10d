//! Volumes as training data: found, cut, split, normalized as wholes, kept on the disk, with their neighbours.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::Path;

use mri_data::DataError;
use mri_data::atomic_file::Existing;
use mri_data::augment::AugmentConfig;
use mri_data::dicom::{Derivation, DicomSeries, write_series};
use mri_data::geometry::{Canvas, Fit};
use mri_data::image::{BitDepth, Image, write_image};
use mri_data::loader::UnpairedLoader;
use mri_data::manifest::{Domain, Manifest, discover_studies};
use mri_data::naming::volume_subject;
use mri_data::nifti::{DataType, NiftiHeader, write_nifti};
use mri_data::normalize::Normalization;
use mri_data::slices::{Preparation, Slices, fit_normalizer, visit};
use mri_data::split::{Amount, PerDomain, Split, split};
use mri_data::study::{Place, list_domains, list_studies};
use mri_data::volume::{Affine, SliceAxis, Volume};
use ndarray::{Array2, Array3, Axis};
use tempfile::{TempDir, tempdir};

/// A ball of values that differ from voxel to voxel, in air; `gain` is the scanner's.
fn ball(shape: [usize; 3], gain: f32) -> Array3<f32> {
    let [i, j, k] = shape.map(|side| side as f32);
    Array3::from_shape_fn(shape, |(x, y, z)| {
        let (x, y, z) = (x as f32 + 0.5, y as f32 + 0.5, z as f32 + 0.5);
        let inside = (x / i - 0.5).hypot(y / j - 0.5).hypot(z / k - 0.5) < 0.4;
        if inside { gain * (50.0 + 3.0 * x + 2.0 * y + 5.0 * z) } else { 0.0 }
    })
}

fn save(path: &Path, voxels: Array3<f32>, affine: Affine) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let (i, j, k) = voxels.dim();
    let header = NiftiHeader::for_grid(&affine, [i, j, k]);
    write_nifti(path, &Volume { voxels, affine, header }, DataType::F32, Existing::Refuse).unwrap();
}

fn save_ball(folder: &TempDir, name: &str, shape: [usize; 3], gain: f32) {
    save(&folder.path().join(name), ball(shape, gain), Affine::scaling([1.0; 3]));
}

fn discovered(path: &Path) -> Domain {
    discover_studies("t1", &list_studies(path).unwrap(), SliceAxis::Axial).unwrap()
}

/// Three volumes of two subjects and different sizes and scanners.
fn three() -> (TempDir, Domain) {
    let folder = tempdir().unwrap();
    save_ball(&folder, "sub-02/anat/sub-02_T1w.nii.gz", [14, 16, 20], 9.0);
    save_ball(&folder, "sub-01/ses-2/anat/sub-01_ses-2_T1w.nii", [12, 16, 10], 0.01);
    save_ball(&folder, "sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz", [12, 16, 20], 1.0);
    let domain = discovered(folder.path());
    (folder, domain)
}

#[test]
fn subjects_of_volumes_are_read_from_names() {
    for (path, subject) in [
        ("sub-01_T1w.nii.gz", "sub-01"),
        ("sub-01/ses-2/anat/sub-01_ses-2_acq-mprage_T1w.nii.gz", "sub-01"),
        ("patient12/scan.nii", "patient-12"),
        ("IXI002-Guys-0828-T1.nii.gz", "IXI002-Guys-0828"),
        ("IXI002-Guys-0828-T2.nii.gz", "IXI002-Guys-0828"),
        ("BraTS20_001/BraTS20_001_t1ce.nii", "BraTS20_001/BraTS20-001"),
        ("t1/0042.hdr", "0042"),
        ("0042/T1.nii.gz", "0042"),
        ("0042/t1", "0042"),
        ("T1.nii.gz", "study"),
        ("brain.img.gz", "brain"),
        ("", "study"),
    ] {
        assert_eq!(volume_subject(Path::new(path), "study"), subject, "{path}");
    }
}

#[test]
fn volumes_are_found_with_the_slices_that_hold_something() {
    let (_folder, domain) = three();
    let entries: Vec<_> = domain.entries().collect();
    let seen: Vec<_> = entries
        .iter()
        .map(|entry| (entry.subject.as_str(), entry.height_px, entry.width_px, entry.volume.clone().unwrap()))
        .map(|(subject, rows, columns, volume)| (subject, rows, columns, volume.slices, volume.used))
        .collect();
    assert_eq!(
        seen,
        [
            ("sub-01", 16, 12, 20, vec![[2, 17]]),
            ("sub-01", 16, 12, 10, vec![[1, 8]]),
            ("sub-02", 16, 14, 20, vec![[2, 17]]),
        ],
        "a ball of 0.8 of the side; whatever the scanner's gain"
    );
    assert_eq!(domain.slices.len(), 16 + 8 + 16);
    assert_eq!(domain.near_blank(), 4 + 2 + 4);
    let [first, .., last] = &domain.slices[..] else { panic!() };
    assert_eq!((first.number(), last.number()), (Some(2), Some(17)));
    assert_eq!(first.label(), "sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz slice 2");
    assert_eq!(entries[0].depth, BitDepth::Float);
}

#[test]
fn the_manifest_has_one_entry_a_volume_and_its_hash_tells_any_change() {
    let (folder, domain) = three();
    let manifest = Manifest::new(&[domain]);
    assert_eq!(manifest.entries.len(), 3);
    let text = serde_json::to_string(&manifest).unwrap();
    assert!(text.contains(r#""volume":{"axis":"axial","slices":20,"used":[[2,17]]}"#), "{text}");
    assert_eq!(serde_json::from_str::<Manifest>(&text).unwrap(), manifest);
    let path = folder.path().join("sub-02/anat/sub-02_T1w.nii.gz");
    let one = list_studies(&path).unwrap();
    assert_eq!(manifest.entries[2].sha256, one[0].volume().unwrap().sha256().unwrap());
    fs::remove_file(&path).unwrap();
    save_ball(&folder, "sub-02/anat/sub-02_T1w.nii.gz", [14, 16, 20], 9.5);
    assert_ne!(Manifest::new(&[discovered(folder.path())]).hash(), manifest.hash());
}

#[test]
fn voxels_that_are_not_finite_are_counted_and_seen_as_air() {
    let folder = tempdir().unwrap();
    let mut voxels = ball([12, 12, 12], 1.0);
    let odd = [[6, 6, 6], [5, 6, 6], [6, 5, 6]];
    for (at, value) in odd.into_iter().zip([f32::NAN, f32::INFINITY, f32::NEG_INFINITY]) {
        voxels[at] = value;
    }
    save(&folder.path().join("a.nii"), voxels.clone(), Affine::scaling([1.0; 3]));
    let domain = discovered(folder.path());
    assert_eq!(domain.not_finite(), 3);
    let normalizer = fit_normalizer(&Normalization::percentile(), &domain.slices).unwrap();
    let units = visit(&domain.slices, &normalizer, |seen| Ok(seen.unit())).unwrap();
    let air = units.iter().flatten().filter(|value| **value == -1.0).count();
    let expected =
        domain.slices.iter().map(|slice| voxels.index_axis(Axis(2), slice.position.unwrap() as usize));
    let zero: usize = expected.map(|slice| slice.iter().filter(|value| **value == 0.0).count()).sum();
    assert!(air >= zero + 3 && units.iter().flatten().all(|value| value.is_finite()));
}

#[test]
fn a_volume_is_normalized_as_a_whole_and_its_scanners_gain_does_not_matter() {
    let (folder, domain) = three();
    let normalizer = fit_normalizer(&Normalization::percentile(), &domain.slices).unwrap();
    let read = |domain: &Domain| domain.entries().count();
    assert_eq!(read(&domain), 3);
    let studies = list_studies(folder.path()).unwrap();
    let voxels = studies.iter().map(|study| Ok(study.volume().unwrap().read()?.voxels));
    assert_eq!(Normalization::percentile().fit_volumes(voxels).unwrap(), normalizer);

    let canvas = Canvas { height_px: 20, width_px: 20, fit: Fit::Pad };
    let slices = Slices::load(&domain.slices, Preparation::new(&normalizer, &canvas)).unwrap();
    assert_eq!((slices.len(), slices.size()), (40, (20, 20)));
    let volume = studies[0].volume().unwrap().read().unwrap();
    let map = normalizer.map_for_volume(volume.voxels.view()).unwrap();
    for (index, slice) in domain.slices.iter().take(16).enumerate() {
        let pixels =
            volume.slices(SliceAxis::Axial).index_axis_move(Axis(0), slice.position.unwrap() as usize);
        let expected = canvas.place((16, 12)).forward(&map.unit_image(&pixels.to_owned()), -1.0);
        assert_eq!(slices.image(index).unwrap(), expected, "slice {index}");
    }
    // The same ball from another scanner.
    let again = tempdir().unwrap();
    save_ball(&again, "x.nii", [12, 16, 20], 700.0);
    let other = discovered(again.path());
    let other = Slices::load(&other.slices, Preparation::new(&normalizer, &canvas)).unwrap();
    for index in 0..16 {
        let (a, b) = (slices.image(index).unwrap(), other.image(index).unwrap());
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-4));
    }
}

#[test]
fn the_order_and_direction_of_the_axes_change_nothing() {
    let upright = ball([12, 16, 10], 1.0);
    let folder = tempdir().unwrap();
    save(&folder.path().join("ras.nii"), upright.clone(), Affine::scaling([1.0, 1.0, 2.0]));
    // The axes stored as (head, left, back).
    let turned = upright.permuted_axes([2, 0, 1]).as_standard_layout().into_owned();
    let turned = turned.slice(ndarray::s![.., ..;-1, ..;-1]).to_owned();
    let rows = [[0.0, -1.0, 0.0, 11.0], [0.0, 0.0, -1.0, 15.0], [2.0, 0.0, 0.0, 0.0]];
    save(&folder.path().join("turned.nii"), turned, Affine::from_rows(rows));
    for axis in [SliceAxis::Axial, SliceAxis::Coronal, SliceAxis::Sagittal] {
        let domain = discover_studies("t1", &list_studies(folder.path()).unwrap(), axis).unwrap();
        let normalizer = fit_normalizer(&Normalization::percentile(), &domain.slices).unwrap();
        let units = visit(&domain.slices, &normalizer, |seen| Ok(seen.unit())).unwrap();
        let (a, b) = units.split_at(units.len() / 2);
        assert_eq!(a, b, "{axis:?}");
        let entries: Vec<_> = domain.entries().map(|entry| entry.volume.clone().unwrap()).collect();
        assert_eq!(entries[0], entries[1]);
        assert_eq!(entries[0].axis, axis);
    }
}

#[test]
fn neighbours_are_those_of_the_volume_and_of_the_same_side_of_the_split() {
    let (_folder, domain) = three();
    let normalizer = fit_normalizer(&Normalization::percentile(), &domain.slices).unwrap();
    let canvas = Canvas { height_px: 16, width_px: 14, fit: Fit::Pad };
    let parts =
        split(std::slice::from_ref(&domain), &Split::Block { held_out: PerDomain::Same(Amount::Count(3)) })
            .unwrap();
    let train = &parts[0].train;
    assert_eq!(train.len(), 13 + 5 + 13, "a block of each volume");
    let with = |neighbours| Preparation { neighbours, ..Preparation::new(&normalizer, &canvas) };
    let alone = Slices::load(train, with(0)).unwrap();
    let slices = Slices::load(train, with(2)).unwrap();
    let index_of =
        |image: &Array2<f32>| (0..alone.len()).find(|&at| alone.image(at).unwrap() == image).unwrap();
    let channels = |at: usize| -> Vec<usize> {
        slices.channels(at).unwrap().outer_iter().map(|channel| index_of(&channel.to_owned())).collect()
    };
    assert_eq!(channels(0), [0, 0, 0, 1, 2]);
    assert_eq!(channels(5), [3, 4, 5, 6, 7]);
    assert_eq!(channels(12), [10, 11, 12, 12, 12], "the last training slice of the first volume");
    assert_eq!(channels(13), [13, 13, 13, 14, 15]);
    assert_eq!(channels(30), [28, 29, 30, 30, 30]);
    assert!(slices.channels(31).is_err());
    for at in 0..alone.len() {
        assert_eq!(alone.channels(at).unwrap().index_axis(Axis(0), 0), slices.image(at).unwrap());
    }

    // The loader: the same deformation for all channels, the same slice in the middle as without neighbours.
    let augment = AugmentConfig { noise_sd: 0.1, ..AugmentConfig::affine() };
    let samples = |slices: &Slices, threads| -> Vec<Array3<f32>> {
        let loader = UnpairedLoader::new(slices.clone(), slices.clone(), augment.clone(), 7).threads(threads);
        let array = |tensor: candle_core::Tensor| {
            let size = tensor.dims3().unwrap();
            Array3::from_shape_vec(size, tensor.flatten_all().unwrap().to_vec1().unwrap()).unwrap()
        };
        loader.epoch(1).map(|sample| array(sample.unwrap().0)).collect()
    };
    let (narrow, wide) = (samples(&alone, 1), samples(&slices, 1));
    assert!(narrow.iter().zip(&wide).all(|(a, b)| a.index_axis(Axis(0), 0) == b.index_axis(Axis(0), 2)));
    assert_eq!(wide[0].dim(), (5, 16, 14));
    assert_eq!(wide, samples(&slices, 3), "for any number of threads");
    let (first, second) = (wide[0].index_axis(Axis(0), 0), wide[0].index_axis(Axis(0), 1));
    assert_ne!(first, second, "noise of their own, even where the end is repeated");
}

#[test]
fn splits_by_subject_and_by_number_see_volumes() {
    let (_folder, domain) = three();
    let domains = std::slice::from_ref(&domain);
    let one = Split::Subject { held_out: PerDomain::Same(Amount::Count(1)) };
    let parts = split(domains, &one).unwrap();
    assert_eq!((parts[0].train.len(), parts[0].held_out.len()), (24, 16), "both sessions of sub-01 train");
    let parts = split(domains, &Split::FromSlice { first: PerDomain::Same(15) }).unwrap();
    assert_eq!((parts[0].train.len(), parts[0].held_out.len()), (13 + 8 + 13, 6));
}

#[test]
fn what_cannot_be_learned_from_is_named() {
    let (folder, _) = three();
    let found = || discover_studies("t1", &list_studies(folder.path()).unwrap(), SliceAxis::Axial);
    let path = folder.path().join("constant.nii");
    save(&path, Array3::from_elem([5, 5, 5], 3.0), Affine::scaling([1.0; 3]));
    let error = found().unwrap_err().to_string();
    assert!(error.contains("constant.nii") && error.contains("every pixel is 3"), "{error}");
    fs::remove_file(&path).unwrap();

    let whole = fs::read(folder.path().join("sub-02/anat/sub-02_T1w.nii.gz")).unwrap();
    fs::write(folder.path().join("half.nii.gz"), &whole[..whole.len() / 2]).unwrap();
    let error = found().unwrap_err().to_string();
    assert!(error.contains("half.nii.gz"), "{error}");
    fs::remove_file(folder.path().join("half.nii.gz")).unwrap();

    let image =
        Image { pixels: Array2::from_shape_fn((9, 9), |(r, c)| (r * c) as f32), depth: BitDepth::Eight };
    write_image(&folder.path().join("slice.png"), &image).unwrap();
    let error = found().unwrap_err().to_string();
    assert!(error.contains("domain t1: 1 images and 3 volumes together"), "{error}");
}

#[test]
fn the_series_of_a_study_are_told_apart_by_what_is_asked_for() {
    let folder = tempdir().unwrap();
    let header = DicomSeries::for_grid("one study");
    for contrast in ["T1 mprage", "T2 tse"] {
        let derivation = Derivation {
            description: contrast.into(),
            series_description: contrast.into(),
            comments: String::new(),
            software: "test".into(),
        };
        let affine = Affine::scaling([1.0, 1.0, 2.0]);
        let volume = Volume { voxels: ball([8, 8, 6], 10.0), affine, header: header.clone() };
        write_series(&folder.path().join(contrast), &volume, &derivation, Existing::Refuse).unwrap();
    }
    let places = |series: [&'static [String]; 2]| {
        [("a", series[0]), ("b", series[1])].map(|(domain, series)| Place {
            domain,
            path: folder.path(),
            series,
        })
    };
    let asked = |text: &str| -> &'static [String] { vec![text.to_owned()].leak() };
    let [a, b] = list_domains(places([asked("mprage"), asked("t2 tse")])).unwrap();
    let names = [&a, &b].map(|studies| {
        studies.iter().map(|study| study.relative().display().to_string()).collect::<Vec<_>>()
    });
    assert_eq!(names, [["T1 mprage"], ["T2 tse"]]);
    assert!(matches!(
        list_domains(places([asked("t"), asked("mprage")])),
        Err(DataError::SeriesChoice { .. })
    ));
    assert!(matches!(list_domains(places([&[], &[]])), Err(DataError::SamePlace { .. })));
    let elsewhere = Place { path: &folder.path().join("T1 mprage"), ..places([&[], &[]])[1] };
    let unclear = list_domains([places([&[], &[]])[0], elsewhere]).unwrap_err().to_string();
    assert!(unclear.contains("name one by its UID or description"), "{unclear}");
}

#[test]
fn domains_in_one_place_are_told_apart_by_their_names() {
    let folder = tempdir().unwrap();
    for name in ["sub-01/anat/sub-01_T1w.nii", "sub-01/anat/sub-01_T2w.nii", "sub-02/anat/sub-02_T2w.nii"] {
        save_ball(&folder, name, [6, 6, 6], 1.0);
    }
    let listed = |names: [&str; 2]| {
        list_domains(names.map(|domain| Place { domain, path: folder.path(), series: &[] }))
    };
    let [t1, t2] = listed(["t1", "t2"]).unwrap();
    assert_eq!((t1.len(), t2.len()), (1, 2));
    assert!(t1[0].relative().ends_with("sub-01_T1w.nii"));
    assert!(matches!(listed(["t1", "flair"]), Err(DataError::SamePlace { .. })));
    assert!(matches!(listed(["sub", "t2"]), Err(DataError::SamePlace { .. })), "in both");
}
