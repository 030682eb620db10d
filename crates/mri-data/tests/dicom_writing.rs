//! Derived series: the same voxels and grid when read again, new UIDs, nothing stale, nothing half-written.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use dicom_dictionary_std::tags;
use dicom_object::{DefaultDicomObject, open_file};
use mri_data::DataError;
use mri_data::atomic_file::Existing;
use mri_data::dicom::{Derivation, DicomError, DicomSeries, list_series, read_series, write_series};
use mri_data::volume::{Affine, Volume};
use ndarray::Array3;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/dicom").join(name)
}

fn derivation() -> Derivation {
    Derivation {
        description: "T1 to T2 by model 0123".to_owned(),
        series_description: "T2".to_owned(),
        comments: "Model 0123".to_owned(),
        software: "mri-cyclegan 0.1.0".to_owned(),
    }
}

/// Values of both signs, not whole, differing everywhere.
fn values(shape: (usize, usize, usize)) -> Array3<f32> {
    Array3::from_shape_fn(shape, |(i, j, k)| {
        (i as f32 * 1.37 - j as f32 * 0.61 + k as f32 * 17.3).sin() * 321.7
    })
}

fn read_back(folder: &Path) -> Volume<DicomSeries> {
    let series = list_series(folder).unwrap();
    assert_eq!(series.len(), 1);
    assert!(series[0].warnings().is_empty(), "{:?}", series[0].warnings());
    read_series(&series[0]).unwrap()
}

fn text(object: &DefaultDicomObject, tag: dicom_object::Tag) -> String {
    object.element(tag).unwrap().to_str().unwrap().into_owned()
}

/// The 48 orders and directions of axes, straight and turned a little.
fn affines() -> Vec<Affine> {
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let (sin, cos) = 0.37f64.sin_cos();
    let turn = [[cos, -sin, 0.0], [sin * 0.8, cos * 0.8, -0.6], [sin * 0.6, cos * 0.6, 0.8]];
    let straight = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    let mut all = Vec::new();
    for directions in [straight, turn] {
        for order in orders {
            for signs in 0..8 {
                let linear = std::array::from_fn(|row| {
                    std::array::from_fn(|axis: usize| {
                        let size = [0.7, 1.3, 2.9][axis];
                        let sign = if signs >> axis & 1 == 1 { -1.0 } else { 1.0 };
                        let along: [f64; 3] = directions[row];
                        along[order[axis]] * size * sign
                    })
                });
                all.push(Affine { linear, origin_mm: [-91.25, 33.7, 1.0 / 3.0] });
            }
        }
    }
    all
}

#[test]
fn every_orientation_and_odd_sizes_come_back_within_rounding() {
    let folder = tempfile::tempdir().unwrap();
    for (index, affine) in affines().into_iter().enumerate() {
        let volume = Volume { voxels: values((7, 5, 3)), affine, header: DicomSeries::for_grid("abc") };
        let place = folder.path().join(index.to_string());
        let files = write_series(&place, &volume, &derivation(), Existing::Refuse).unwrap();
        assert_eq!(files.len(), 3);
        let back = read_back(&place);
        // k runs along the normal: against the stored one where the axes are left-handed.
        let left_handed = affine.determinant() < 0.0;
        let largest = volume.voxels.iter().fold(0f32, |largest, value| largest.max(value.abs()));
        let rounding = f64::from(largest) / 32767.0 / 2.0 * 1.001;
        for ((i, j, k), value) in back.voxels.indexed_iter() {
            let stored_k = if left_handed { 2 - k } else { k };
            let error = f64::from((value - volume.voxels[[i, j, stored_k]]).abs());
            assert!(error <= rounding, "{affine:?} at {i} {j} {k}: off by {error}, allowed {rounding}");
            let place = back.affine.ras_mm([i as f64, j as f64, k as f64]);
            let wanted = affine.ras_mm([i as f64, j as f64, stored_k as f64]);
            assert!(place.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-6), "{affine:?}");
        }
        assert_eq!(back.voxels.dim(), (7, 5, 3));
        assert!(back.affine.determinant() > 0.0);
    }
}

#[test]
fn whole_numbers_come_back_exactly() {
    let folder = tempfile::tempdir().unwrap();
    type Value = fn(usize) -> f32;
    let cases: [(&str, Value); 6] = [
        ("signed", |at| at as f32 * 500.0 - 32768.0),
        ("unsigned", |at| at as f32 * 500.0),
        ("large", |at| if at == 3 { 65535.0 } else { 1.0 }),
        ("zero", |_| 0.0),
        ("negative", |_| -5.0),
        ("larger than 16 bits", |at| at as f32 * 131_070.0),
    ];
    for (name, value) in cases {
        let mut at = 0;
        let voxels = Array3::from_shape_simple_fn((9, 7, 2), || {
            at += 1;
            value(at)
        });
        let volume =
            Volume { voxels, affine: Affine::scaling([1.0; 3]), header: DicomSeries::for_grid(name) };
        let place = folder.path().join(name);
        write_series(&place, &volume, &derivation(), Existing::Refuse).unwrap();
        let back = read_back(&place);
        let allowed =
            if name == "larger than 16 bits" { 126.0 * 131_070.0 / 65535.0 / 2.0 * 1.001 } else { 0.0 };
        let worst =
            back.voxels.iter().zip(&volume.voxels).fold(0f32, |worst, (a, b)| worst.max((a - b).abs()));
        assert!(worst <= allowed, "{name}: {worst}");
    }
}

#[test]
fn what_is_not_finite_becomes_zero() {
    let folder = tempfile::tempdir().unwrap();
    let mut voxels = values((4, 3, 2));
    for (at, value) in [([0, 0, 0], f32::NAN), ([1, 1, 1], f32::INFINITY), ([2, 0, 1], f32::NEG_INFINITY)] {
        voxels[at] = value;
    }
    let volume = Volume { voxels, affine: Affine::scaling([1.0; 3]), header: DicomSeries::for_grid("x") };
    let place = folder.path().join("series");
    write_series(&place, &volume, &derivation(), Existing::Refuse).unwrap();
    let back = read_back(&place).voxels;
    for ((i, j, k), value) in volume.voxels.indexed_iter() {
        let found = back[[i, j, k]];
        if value.is_finite() { assert!((found - value).abs() < 0.01) } else { assert_eq!(found, 0.0) }
    }
}

#[test]
fn nothing_stale_comes_along_and_the_study_stays() {
    let folder = tempfile::tempdir().unwrap();
    let source = open_file(fixture("names_and_stale_tags.dcm")).unwrap();
    let volume = read_series(&list_series(&fixture("names_and_stale_tags.dcm")).unwrap()[0]).unwrap();
    let place = folder.path().join("series");
    let files = write_series(&place, &volume, &derivation(), Existing::Refuse).unwrap();
    let derived = open_file(&files[0]).unwrap();
    for tag in [
        tags::STUDY_INSTANCE_UID,
        tags::FRAME_OF_REFERENCE_UID,
        tags::PATIENT_NAME,
        tags::PATIENT_ID,
        tags::SPECIFIC_CHARACTER_SET,
    ] {
        let bytes =
            |object: &DefaultDicomObject| object.element(tag).unwrap().to_bytes().unwrap().into_owned();
        assert_eq!(bytes(&derived), bytes(&source), "{tag}");
    }
    for tag in [tags::SERIES_INSTANCE_UID, tags::SOP_INSTANCE_UID] {
        let uid = text(&derived, tag);
        assert_ne!(uid, text(&source, tag));
        assert!(uid.starts_with("2.25.") && uid.len() <= 64, "{uid}");
    }
    for tag in [
        tags::OPERATORS_NAME,
        tags::INSTITUTION_NAME,
        tags::LOSSY_IMAGE_COMPRESSION,
        tags::ICON_IMAGE_SEQUENCE,
        dicom_object::Tag(0x0029, 0x1010),
        dicom_object::Tag(0x6000, 0x3000),
        dicom_object::Tag(0x6000, 0x0010),
    ] {
        assert!(derived.get(tag).is_none(), "{tag} came along");
    }
    assert_eq!(text(&derived, tags::ECHO_TIME), "");
    assert_eq!(text(&derived, tags::IMAGE_TYPE), "DERIVED\\SECONDARY\\OTHER");
    for tag in [tags::SERIES_DESCRIPTION, tags::IMAGE_COMMENTS, tags::DERIVATION_DESCRIPTION] {
        let said = text(&derived, tag).to_lowercase();
        assert!(said.contains("synthetic") && said.contains("research only"), "{said}");
    }
    let reference = &derived.element(tags::SOURCE_IMAGE_SEQUENCE).unwrap().items().unwrap()[0];
    let referenced =
        reference.element(tags::REFERENCED_SOP_INSTANCE_UID).unwrap().to_str().unwrap().into_owned();
    assert_eq!(referenced, text(&source, tags::SOP_INSTANCE_UID));
    assert!(derived.iter().all(|element| element.header().tag.group() % 2 == 0), "private elements");
}

#[test]
fn a_frame_of_a_multi_frame_image_is_referenced_by_its_number() {
    let folder = tempfile::tempdir().unwrap();
    let volume = read_series(&list_series(&fixture("enhanced_rle.dcm")).unwrap()[0]).unwrap();
    let place = folder.path().join("series");
    let files = write_series(&place, &volume, &derivation(), Existing::Refuse).unwrap();
    // The frames were stored in this order of slices: 3, 0, 4, 1, 2.
    for (file, expected) in files.iter().zip(["2", "4", "5", "1", "3"]) {
        let derived = open_file(file).unwrap();
        let reference = &derived.element(tags::SOURCE_IMAGE_SEQUENCE).unwrap().items().unwrap()[0];
        let number = reference.element(tags::REFERENCED_FRAME_NUMBER).unwrap().to_str().unwrap();
        assert_eq!(number.trim(), expected);
    }
    let back = read_back(&place);
    assert_eq!(back.voxels, volume.voxels);
    assert!(
        back.affine
            .rows()
            .iter()
            .flatten()
            .zip(volume.affine.rows().iter().flatten())
            .all(|(a, b)| (a - b).abs() < 1e-6)
    );
}

#[test]
fn the_same_work_gives_the_same_files_and_other_work_other_uids() {
    let folder = tempfile::tempdir().unwrap();
    let volume = Volume {
        voxels: values((6, 5, 2)),
        affine: Affine::scaling([1.0; 3]),
        header: DicomSeries::for_grid("a"),
    };
    let write = |name: &str, volume: &Volume<DicomSeries>, derivation: &Derivation| {
        let files = write_series(&folder.path().join(name), volume, derivation, Existing::Refuse).unwrap();
        std::fs::read(&files[1]).unwrap()
    };
    let first = write("1", &volume, &derivation());
    assert_eq!(first, write("2", &volume, &derivation()));
    let uid = |bytes: &[u8]| {
        let object = dicom_object::from_reader(bytes).unwrap();
        (text(&object, tags::SERIES_INSTANCE_UID), text(&object, tags::STUDY_INSTANCE_UID))
    };
    let other = Derivation { description: "another model".into(), ..derivation() };
    let (series, study) = uid(&first);
    let (other_series, other_study) = uid(&write("3", &volume, &other));
    assert!(series != other_series && study == other_study);
    let mut changed = volume.clone();
    changed.voxels[[0, 0, 0]] += 1.0;
    assert_ne!(series, uid(&write("4", &changed, &derivation())).0);
    let elsewhere = Volume { header: DicomSeries::for_grid("b"), ..volume.clone() };
    let (other_series, other_study) = uid(&write("5", &elsewhere, &derivation()));
    assert!(series != other_series && study != other_study);
}

#[test]
fn only_earlier_output_is_replaced_and_nothing_is_left_half_written() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("series");
    let volume = |slices| Volume {
        voxels: values((6, 5, slices)),
        affine: Affine::scaling([1.0; 3]),
        header: DicomSeries::for_grid("a"),
    };
    let names = || {
        let mut names: Vec<String> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    };
    write_series(&place, &volume(3), &derivation(), Existing::Refuse).unwrap();
    let refused = write_series(&place, &volume(2), &derivation(), Existing::Refuse);
    assert!(matches!(refused, Err(DataError::Exists { .. })));
    assert_eq!(place.read_dir().unwrap().count(), 3);
    write_series(&place, &volume(2), &derivation(), Existing::Replace).unwrap();
    assert_eq!(place.read_dir().unwrap().count(), 2);
    assert_eq!(names(), ["series"]);
    std::fs::write(place.join("notes.txt"), "mine").unwrap();
    let refused = write_series(&place, &volume(2), &derivation(), Existing::Replace);
    assert!(matches!(refused, Err(DataError::Exists { .. })));
    assert_eq!(place.read_dir().unwrap().count(), 3);
    // Other people's files of the same name.
    let theirs = folder.path().join("theirs");
    std::fs::create_dir(&theirs).unwrap();
    std::fs::copy(fixture("explicit_s16.dcm"), theirs.join("00001.dcm")).unwrap();
    let refused = write_series(&theirs, &volume(1), &derivation(), Existing::Replace);
    assert!(matches!(refused, Err(DataError::Exists { .. })));
    assert!(theirs.join("00001.dcm").exists());
    std::fs::remove_dir_all(&theirs).unwrap();
    let skewed = Affine { linear: [[1.0, 0.5, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], origin_mm: [0.0; 3] };
    let unwritable = Volume { affine: skewed, ..volume(2) };
    let failed = write_series(&folder.path().join("skewed"), &unwritable, &derivation(), Existing::Refuse);
    assert!(matches!(failed, Err(DataError::Dicom { problem: DicomError::NotWritable { .. }, .. })));
    assert_eq!(names(), ["series"]);
}

#[test]
fn headers_show_no_patient() {
    let volume = read_series(&list_series(&fixture("names_and_stale_tags.dcm")).unwrap()[0]).unwrap();
    let shown = format!("{:?}", volume.header);
    assert!(!shown.contains("Yamada") && !shown.contains("T-1"), "{shown}");
}

/// What pydicom makes of a derived series: `data/dicom/check.py`.
#[test]
fn pydicom_reads_the_same_voxels_and_finds_the_required_attributes() {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let there = Command::new(&python).args(["-c", "import pydicom, numpy"]).output();
    if !there.is_ok_and(|output| output.status.success()) {
        eprintln!("{python} has no pydicom: skipping");
        return;
    }
    let mut sources = vec![fixture("names_and_stale_tags.dcm"), fixture("enhanced_rle.dcm")];
    match std::env::var_os("MRI_TEST_DATA") {
        Some(shared) => sources.push(Path::new(&shared).join("dicom/t1w_series")),
        None => eprintln!("MRI_TEST_DATA is not set: skipping the series in it"),
    }
    let folder = tempfile::tempdir().unwrap();
    for (index, source) in sources.iter().enumerate() {
        let mut volume = read_series(&list_series(source).unwrap()[0]).unwrap();
        // Not whole, so that a slope is needed.
        volume.voxels.mapv_inplace(|value| value * 0.731 + 0.25);
        let place = folder.path().join(index.to_string());
        write_series(&place, &volume, &derivation(), Existing::Refuse).unwrap();
        let raw: Vec<u8> =
            volume.voxels.clone().reversed_axes().iter().flat_map(|value| value.to_le_bytes()).collect();
        let values = folder.path().join("values.f32");
        std::fs::write(&values, raw).unwrap();
        let rows: Vec<String> =
            volume.affine.rows().iter().flatten().map(|number| format!("{number:?}")).collect();
        let output = Command::new(&python)
            .arg(fixture("check.py"))
            .args([&place, source, &values])
            .arg(rows.join(" "))
            .output()
            .unwrap();
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}", source.display());
        eprint!("{said}");
    }
}
