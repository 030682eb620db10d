//! Series of a folder: told apart, in order, with what is missing or doubled said with its place.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::tags;
use dicom_object::{DefaultDicomObject, open_file};
use mri_data::DataError;
use mri_data::atomic_file::Existing;
use mri_data::dicom::{
    Derivation, DicomError, DicomSeries, SeriesRef, list_series, read_series, survey, write_series,
};
use mri_data::volume::{Affine, Volume};
use ndarray::{Array3, Axis};

/// A straight axial series of `slices` slices, 2.5 mm apart.
fn write(place: &Path, identity: &str, slices: usize) -> Vec<PathBuf> {
    let voxels = Array3::from_shape_fn((7, 5, slices), |(i, j, k)| (i + 10 * j + 100 * k) as f32);
    let volume =
        Volume { voxels, affine: Affine::scaling([1.0, 1.0, 2.5]), header: DicomSeries::for_grid(identity) };
    write_series(place, &volume, &Derivation::default(), Existing::Refuse).unwrap()
}

fn change(file: &Path, change: impl FnOnce(&mut DefaultDicomObject)) {
    let mut object = open_file(file).unwrap();
    change(&mut object);
    object.write_to_file(file).unwrap();
}

fn put(object: &mut DefaultDicomObject, tag: dicom_object::Tag, vr: VR, value: &str) {
    object.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
}

fn only(place: &Path) -> SeriesRef {
    let mut series = list_series(place).unwrap();
    assert_eq!(series.len(), 1);
    series.remove(0)
}

/// The fault of the only series, which reading gives too.
fn fault(place: &Path) -> String {
    let series = only(place);
    let fault = series.fault().unwrap().to_string();
    let error = read_series(&series).unwrap_err().to_string();
    assert!(error.ends_with(&fault) && error.starts_with(&place.display().to_string()), "{error}");
    assert!(!error.contains('\n'));
    fault
}

#[test]
fn slices_are_in_order_whatever_files_and_instances_are_called() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("a");
    let files = write(&place, "a", 6);
    for (at, file) in files.iter().enumerate() {
        let other = (at * 5 + 2) % 6;
        change(file, |object| put(object, tags::INSTANCE_NUMBER, VR::IS, &(90 - other).to_string()));
        std::fs::rename(file, place.join(format!("{other}.ima"))).unwrap();
    }
    let volume = read_series(&only(&place)).unwrap();
    assert_eq!(volume.voxels.dim(), (7, 5, 6));
    for ((i, j, k), value) in volume.voxels.indexed_iter() {
        assert_eq!(*value, (i + 10 * j + 100 * k) as f32);
    }
    assert!((volume.affine.linear[2][2] - 2.5).abs() < 1e-9);
}

#[test]
fn missing_slices_are_told_with_their_places() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("a");
    let files = write(&place, "a", 9);
    for at in [3, 4, 7] {
        std::fs::remove_file(&files[at]).unwrap();
    }
    assert_eq!(
        fault(&place),
        "2 slices missing between [0.00, 0.00, 5.00] mm and [0.00, 0.00, 12.50] mm (steps are 2.500 mm), and at 1 other places"
    );
}

#[test]
fn doubled_slices_are_told_with_their_places_and_what_they_differ_in() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("a");
    let files = write(&place, "a", 4);
    let copy = |at: usize, name: &str, uid: &str, echo: &str| {
        let to = place.join(name);
        std::fs::copy(&files[at], &to).unwrap();
        change(&to, |object| {
            put(object, tags::SOP_INSTANCE_UID, VR::UI, uid);
            put(object, tags::ECHO_TIME, VR::DS, echo);
        });
    };
    copy(2, "x.dcm", "1.2.3", "");
    assert_eq!(fault(&place), "2 slices at [0.00, 0.00, 5.00] mm: choose one image per position");
    files.iter().for_each(|file| change(file, |object| put(object, tags::ECHO_TIME, VR::DS, "20")));
    for (at, uid) in ["1.2.3", "1.2.4", "1.2.5", "1.2.6"].into_iter().enumerate() {
        copy(at, &format!("echo-{at}.dcm"), uid, "40");
    }
    std::fs::remove_file(place.join("x.dcm")).unwrap();
    let said = fault(&place);
    assert!(said.contains("at [0.00, 0.00, 0.00] mm, and at 3 other places"), "{said}");
    assert!(said.ends_with("(they differ in EchoTime (0018,0081): 20, 40)"), "{said}");
}

#[test]
fn the_same_instance_in_two_files_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("a");
    let files = write(&place, "a", 3);
    std::fs::copy(&files[1], place.join("copy.dcm")).unwrap();
    let said = fault(&place);
    assert!(
        said.contains("SOPInstanceUID") && said.contains("00002.dcm") && said.contains("copy.dcm"),
        "{said}"
    );
}

#[test]
fn uneven_slices_are_fine_then_a_warning_then_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let moved = |name: &str, by: f64| {
        let place = folder.path().join(name);
        let files = write(&place, name, 5);
        change(&files[2], |object| {
            put(object, tags::IMAGE_POSITION_PATIENT, VR::DS, &format!("0\\0\\{}", 5.0 + by))
        });
        place
    };
    let fine = only(&moved("fine", 0.02));
    assert!(fine.warnings().is_empty() && read_series(&fine).is_ok());
    let near = only(&moved("near", 0.1));
    assert_eq!(near.warnings().len(), 1);
    assert!(near.warnings()[0].contains("[0.00, 0.00, 5.10] mm lies 0.100 mm off"), "{:?}", near.warnings());
    assert!(read_series(&near).is_ok());
    let said = fault(&moved("far", 0.9));
    assert_eq!(
        said,
        "unevenly spaced: the slice at [0.00, 0.00, 5.90] mm lies 0.900 mm from its place in steps of 2.500 mm"
    );
}

#[test]
fn a_sheared_stack_keeps_its_shear() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("a");
    for (at, file) in write(&place, "a", 4).iter().enumerate() {
        let position = format!("0\\{}\\{}", at as f64 * 0.5, at as f64 * 2.5);
        change(file, |object| put(object, tags::IMAGE_POSITION_PATIENT, VR::DS, &position));
    }
    let affine = read_series(&only(&place)).unwrap().affine;
    let step = affine.step_mm(2);
    assert!((step[1] + 0.5).abs() < 1e-9 && (step[2] - 2.5).abs() < 1e-9, "{step:?}");
}

#[test]
fn series_of_one_folder_are_told_apart_and_a_localizer_does_not_stop_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let mixed = folder.path().join("mixed");
    std::fs::create_dir_all(mixed.join("deeper")).unwrap();
    for (name, slices, number) in [("t1", 5, "2"), ("t2", 4, "3"), ("localizer", 3, "1")] {
        let place = folder.path().join(name);
        for (at, file) in write(&place, name, slices).iter().enumerate() {
            change(file, |object| {
                put(object, tags::SERIES_NUMBER, VR::IS, number);
                put(object, tags::SERIES_DESCRIPTION, VR::LO, name);
                if name == "localizer" && at == 1 {
                    put(object, tags::IMAGE_ORIENTATION_PATIENT, VR::DS, "0\\1\\0\\0\\0\\-1");
                }
            });
            let to = if at == 4 { mixed.join("deeper") } else { mixed.clone() };
            std::fs::rename(file, to.join(format!("{at}-{name}.dcm"))).unwrap();
        }
    }
    // Not DICOM, DICOM without an image, DICOM that is broken.
    std::fs::write(mixed.join("readme.txt"), "hello").unwrap();
    std::fs::write(mixed.join("volume.nii"), vec![0; 400]).unwrap();
    let mut plan = open_file(mixed.join("0-t1.dcm")).unwrap();
    for tag in [tags::PIXEL_DATA, tags::ROWS, tags::COLUMNS] {
        plan.remove_element(tag);
    }
    put(&mut plan, tags::SOP_CLASS_UID, VR::UI, "1.2.840.10008.5.1.4.1.1.481.5");
    plan.write_to_file(mixed.join("report")).unwrap();
    let whole = std::fs::read(mixed.join("0-t1.dcm")).unwrap();
    std::fs::write(mixed.join("broken.dcm"), &whole[..700]).unwrap();

    let listing = survey(&mixed).unwrap();
    let found: Vec<_> = listing
        .series
        .iter()
        .map(|one| (one.description(), one.number(), one.slices(), one.relative()))
        .collect();
    let here = Path::new("");
    assert_eq!(
        found,
        [("localizer", Some(1), None, here), ("t1", Some(2), Some(5), here), ("t2", Some(3), Some(4), here)]
    );
    let said = listing.series[0].fault().unwrap().to_string();
    assert!(said.contains("ImageOrientationPatient") && said.contains("localizer"), "{said}");
    assert_eq!(listing.without_image, 1);
    assert_eq!(listing.unreadable.len(), 1);
    assert!(
        listing.unreadable[0].to_string().contains("broken.dcm: PixelData (7FE0,0010) is missing"),
        "{}",
        listing.unreadable[0]
    );
    assert_ne!(listing.series[1].uid(), listing.series[2].uid());
    for one in &listing.series[1..] {
        let volume = read_series(one).unwrap();
        assert_eq!(Some(volume.voxels.len_of(Axis(2))), one.slices());
        assert_eq!(one.files().len(), volume.voxels.len_of(Axis(2)));
        assert_eq!(one.size_px(), [5, 7]);
    }
}

#[test]
fn elements_written_as_unknown_are_known_by_the_dictionary() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("a");
    let files = write(&place, "a", 2);
    let expected = read_series(&only(&place)).unwrap();
    for file in &files {
        change(file, |object| {
            for tag in [tags::ROWS, tags::RESCALE_SLOPE, tags::IMAGE_POSITION_PATIENT, tags::PIXEL_SPACING] {
                let mut bytes = object.element(tag).unwrap().to_bytes().unwrap().into_owned();
                if bytes.len() % 2 == 1 {
                    bytes.push(b' ');
                }
                object.put(DataElement::new(tag, VR::UN, PrimitiveValue::U8(bytes.into())));
            }
        });
    }
    let found = read_series(&only(&place)).unwrap();
    assert_eq!((found.voxels, found.affine), (expected.voxels, expected.affine));
}

#[test]
fn a_mosaic_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("a");
    let files = write(&place, "a", 1);
    change(&files[0], |object| put(object, tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\M\\MOSAIC"));
    let error = list_series(&files[0]).unwrap_err().to_string();
    assert!(error.contains("ImageType (0008,0008): a mosaic of slices"), "{error}");
}

#[test]
fn files_without_preamble_or_meta_group_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("a");
    let files = write(&place, "a", 2);
    let expected = read_series(&only(&place)).unwrap();
    let bare = folder.path().join("bare");
    std::fs::create_dir(&bare).unwrap();
    for (at, file) in files.iter().enumerate() {
        let bytes = std::fs::read(file).unwrap();
        let group_length = u32::from_le_bytes(bytes[140..144].try_into().unwrap()) as usize;
        // One without preamble, one without meta group too, neither with an extension.
        let from = if at == 0 { 132 } else { 144 + group_length };
        std::fs::write(bare.join(format!("IM{at}")), &bytes[from..]).unwrap();
    }
    let found = read_series(&only(&bare)).unwrap();
    assert_eq!(found.voxels, expected.voxels);
    assert_eq!(found.affine, expected.affine);
}

#[test]
fn listing_reads_headers_only() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("a");
    let voxels = Array3::from_shape_fn((64, 48, 200), |(i, j, k)| (i + j + k) as f32);
    let volume = Volume { voxels, affine: Affine::scaling([1.0; 3]), header: DicomSeries::for_grid("a") };
    let files = write_series(&place, &volume, &Derivation::default(), Existing::Refuse).unwrap();
    // Without the pixels, the listing is the same.
    for file in &files {
        let length = file.metadata().unwrap().len();
        std::fs::OpenOptions::new().write(true).open(file).unwrap().set_len(length - 2 * 64 * 48).unwrap();
    }
    let started = std::time::Instant::now();
    let series = only(&place);
    eprintln!("200 headers in {:?}", started.elapsed());
    assert_eq!(series.slices(), Some(200));
    let error = read_series(&series).unwrap_err();
    assert!(matches!(&error, DataError::Dicom { problem: DicomError::Truncated { .. }, .. }), "{error}");
    assert!(error.to_string().contains("00001.dcm"), "{error}");
}
