//! Values and affines of NIfTI files are those that nibabel gives.
//!
//! `nifti/make_goldens.py` made the small files and the goldens.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::{Path, PathBuf};

use mri_data::nifti::{
    ByteOrder, Form, LengthUnit, NiftiHeader, Version, files_of, read_nifti, read_nifti_header,
};
use mri_data::volume::{SliceAxis, Volume};
use ndarray::Array3;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::tempdir;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nifti")
}

fn small(name: &str) -> PathBuf {
    folder().join("files").join(name)
}

fn goldens(part: &str) -> serde_json::Map<String, Value> {
    let text = fs::read_to_string(folder().join("goldens.json")).unwrap();
    let Value::Object(all) = serde_json::from_str(&text).unwrap() else { panic!("an object") };
    all[part].as_object().unwrap().clone()
}

/// The inputs of real life, or none with a word about it.
fn real_inputs() -> Option<PathBuf> {
    let folder = std::env::var_os("MRI_TEST_DATA").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: MRI_TEST_DATA is not set");
    }
    folder
}

fn in_file_order(voxels: &Array3<f32>) -> Vec<f32> {
    voxels.t().iter().copied().collect()
}

fn assert_as_nibabel(path: &Path, golden: &Value) {
    let name = path.display();
    let volume = read_nifti(path).unwrap();
    let shape: Vec<usize> = serde_json::from_value(golden["shape"].clone()).unwrap();
    assert_eq!(volume.voxels.shape(), shape, "{name}");
    assert_eq!(volume.header.shape().as_slice(), shape, "{name}");
    assert_eq!(volume.header.datatype().name(), golden["dtype"], "{name}");
    let affine: [[f64; 4]; 3] = serde_json::from_value(golden["affine"].clone()).unwrap();
    for (ours, theirs) in volume.affine.rows().as_flattened().iter().zip(affine.as_flattened()) {
        assert!((ours - theirs).abs() < 1e-9 * theirs.abs().max(1.0), "{name}: {ours}, nibabel {theirs}");
    }
    let values = in_file_order(&volume.voxels);
    if let Some(expected) = golden.get("values") {
        let expected: Vec<Option<f32>> = serde_json::from_value(expected.clone()).unwrap();
        let finite: Vec<_> = values.iter().map(|value| Some(*value).filter(|v| v.is_finite())).collect();
        assert_eq!(finite, expected, "{name}");
    }
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digest, golden["sha256"], "{name}");
    let extensions: Vec<(i32, usize)> = serde_json::from_value(golden["extensions"].clone()).unwrap();
    let ours: Vec<_> = volume
        .header
        .extensions()
        .iter()
        .map(|one| (one.code, one.content.len() - one.content.iter().rev().take_while(|b| **b == 0).count()))
        .collect();
    assert_eq!(ours, extensions, "{name}");
}

#[test]
fn small_files_of_every_kind_read_as_nibabel_reads_them() {
    let goldens = goldens("small");
    assert_eq!(goldens.len(), 76);
    for (name, golden) in &goldens {
        assert_as_nibabel(&small(name), golden);
    }
}

#[test]
fn real_files_read_as_nibabel_reads_them() {
    let Some(inputs) = real_inputs() else { return };
    let goldens = goldens("real");
    assert_eq!(goldens.len(), 21);
    for (name, golden) in &goldens {
        assert_as_nibabel(&inputs.join(name), golden);
    }
}

#[test]
fn what_is_not_one_volume_of_real_numbers_is_refused_by_name() {
    let Some(inputs) = real_inputs() else { return };
    let refused = [
        ("complex/complex32.nii", "datatype: complex64 voxels"),
        ("complex/complex64.nii", "datatype: complex128 voxels"),
        ("rgb/3D.nii", "datatype: RGB24 voxels"),
        ("rgba/4D.nii", "datatype: RGBA32 voxels"),
        ("avg152T1_LR_nifti.hdr.gz", "no avg152T1_LR_nifti.img.gz beside it"),
    ];
    for (name, reason) in refused {
        let path = inputs.join("nifti/nifti-rs").join(name);
        let message = read_nifti(&path).unwrap_err().to_string();
        assert!(message.contains(name) && message.contains(reason), "{message}");
        // What it is can be told all the same.
        assert!(read_nifti_header(&path).is_ok(), "{name}");
    }
}

#[test]
fn several_volumes_are_refused_and_described() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("series.nii");
    let mut bytes = fs::read(small("four_axes_one_volume.nii")).unwrap();
    bytes[48] = 2;
    fs::write(&path, bytes).unwrap();
    let message = read_nifti(&path).unwrap_err().to_string();
    assert!(message.contains("dim: 5 x 4 x 3 x 2 is a 4-D series of 2 volumes"), "{message}");
    let header = read_nifti_header(&path).unwrap();
    assert_eq!((header.volumes(), header.dimensions()), (2, vec![5, 4, 3, 2]));
}

#[test]
fn malformed_files_are_errors_that_name_file_and_field() {
    let Some(inputs) = real_inputs() else { return };
    let mut seen = 0;
    for entry in inputs.join("nifti/nifti-rs/fuzz_artifacts").read_dir().unwrap() {
        let path = entry.unwrap().path();
        for message in
            [read_nifti(&path).unwrap_err(), read_nifti_header(&path).unwrap_err()].map(|e| e.to_string())
        {
            assert!(message.contains(path.file_name().unwrap().to_str().unwrap()), "{message}");
            assert!(message.contains("sizeof_hdr: ") && !message.contains('\n'), "{message}");
        }
        seen += 1;
    }
    assert_eq!(seen, 5);
}

#[test]
fn either_half_of_a_pair_names_it_and_the_other_may_be_compressed() {
    let folder = tempdir().unwrap();
    let put = |from: &str, to: &str| fs::copy(small(from), folder.path().join(to)).unwrap();
    let expected = read_nifti(&small("pair_compressed.hdr.gz")).unwrap();
    assert_eq!(read_nifti(&small("pair_compressed.img.gz")).unwrap(), expected);
    put("pair_compressed.img.gz", "mixed.img.gz");
    let header = fs::read(small("pair_compressed.hdr.gz")).unwrap();
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(header.as_slice()), &mut plain).unwrap();
    let path = folder.path().join("mixed.hdr");
    fs::write(&path, plain).unwrap();
    assert_eq!(read_nifti(&path).unwrap(), expected);
    assert_eq!(files_of(&path), [path.clone(), folder.path().join("mixed.img.gz")]);
    put("pair_little.hdr", "UPPER.HDR");
    put("pair_little.img", "UPPER.IMG");
    assert_eq!(
        read_nifti(&folder.path().join("UPPER.HDR")).unwrap(),
        read_nifti(&small("pair_little.hdr")).unwrap()
    );
    put("pair_little.hdr", "alone.hdr");
    let message = read_nifti(&folder.path().join("alone.hdr")).unwrap_err().to_string();
    assert!(message.ends_with("alone.hdr: its other half is missing: no alone.img beside it"), "{message}");
    put("pair_little.img", "orphan.img");
    let message = read_nifti(&folder.path().join("orphan.img")).unwrap_err().to_string();
    assert!(message.ends_with("orphan.img: its other half is missing: no orphan.hdr beside it"), "{message}");
}

fn header(name: &str) -> NiftiHeader {
    read_nifti_header(&small(name)).unwrap()
}

#[test]
fn headers_tell_what_a_file_is() {
    let big = header("nifti2_big.nii");
    assert_eq!((big.version(), big.byte_order()), (Version::Two, ByteOrder::Big));
    assert_eq!((big.form(), big.unit()), (Form::Sform(1), LengthUnit::Unknown));
    assert_eq!((big.volumes(), big.dimensions()), (1, vec![5, 4, 3]));
    assert_eq!(header("both_forms.nii").form(), Form::Sform(3));
    assert_eq!(header("qform_only.nii.gz").form(), Form::Qform(2));
    assert_eq!(header("neither.nii").form(), Form::Neither);
    assert_eq!(header("neither.nii").voxel_mm(), [0.5, 2.5, 4.0]);
    assert_eq!(header("little_u1_scaled.nii").scaling().unwrap().slope, f64::from(0.37_f32));
    assert_eq!(header("slope_nan.nii").scaling(), None);
    // The same reader gives header and volume.
    assert_eq!(read_nifti(&small("nifti2_big.nii")).unwrap().header, big);
}

#[test]
fn metres_and_microns_become_millimetres() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("units.nii");
    let mut bytes = fs::read(small("neither.nii")).unwrap();
    for (code, mm) in [(0, 1.0), (1, 1e3), (2, 1.0), (3, 1e-3), (10, 1.0)] {
        bytes[123] = code;
        fs::write(&path, &bytes).unwrap();
        let [i, j, k] = read_nifti_header(&path).unwrap().voxel_mm();
        assert!((i - 0.5 * mm).abs() + (j - 2.5 * mm).abs() + (k - 4.0 * mm).abs() < 1e-9 * mm);
    }
}

#[test]
fn debug_output_does_not_show_what_extensions_hold() {
    let text = format!("{:?}", header("extensions_little.nii"));
    assert!(text.contains("Extension(code 6, 24 bytes)") && !text.contains("comment"), "{text}");
}

#[test]
fn anatomical_slices_of_a_real_oblique_volume() {
    let Some(inputs) = real_inputs() else { return };
    let volume: Volume<NiftiHeader> = read_nifti(&inputs.join("volumes/stroke_cstar/T1.nii.gz")).unwrap();
    // Stored right, front, head, turned by up to 18 degrees.
    assert_eq!(volume.slices(SliceAxis::Axial).shape(), [140, 160, 124]);
    assert_eq!(volume.slices(SliceAxis::Sagittal).shape(), [124, 140, 160]);
}
