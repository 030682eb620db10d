//! DICOM files and series give the values and the geometry that pydicom gives.
//!
//! `data/dicom/make.py` made the files in `data/dicom` and `values.tsv`, with the values of the files in `MRI_TEST_DATA` too.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use mri_data::dicom::{list_series, read_frames, read_series};
use ndarray::{Array3, ArrayView3};
use sha2::{Digest, Sha256};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/dicom")
}

struct Golden {
    path: PathBuf,
    shape: Vec<usize>,
    sha256: String,
    rows: Option<Vec<f64>>,
}

fn goldens() -> Vec<Golden> {
    let shared = std::env::var_os("MRI_TEST_DATA").map(|shared| PathBuf::from(shared).join("dicom"));
    if shared.is_none() {
        eprintln!("MRI_TEST_DATA is not set: skipping the files in it");
    }
    let table = std::fs::read_to_string(folder().join("values.tsv")).unwrap();
    let golden = |line: &str| {
        let [name, shape, sha256, rows, _modality] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!()
        };
        let beside = folder().join(name);
        let path = if beside.exists() { beside } else { shared.as_ref()?.join(name) };
        let rows = (rows != "-").then(|| rows.split(' ').map(|number| number.parse().unwrap()).collect());
        let shape = shape.split('x').map(|length| length.parse().unwrap()).collect();
        Some(Golden { path, shape, sha256: sha256.to_owned(), rows })
    };
    table.lines().filter_map(golden).collect()
}

fn sha256(slices: ArrayView3<'_, f32>) -> String {
    let bytes: Vec<u8> = slices.iter().flat_map(|value| value.to_le_bytes()).collect();
    Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn values_and_affine_are_those_of_pydicom() {
    let mut seen = 0;
    for Golden { path, shape, sha256: expected, rows } in goldens() {
        let name = path.display();
        let slices: Array3<f32> = match &rows {
            None => read_frames(&path).unwrap(),
            Some(rows) => {
                let series = list_series(&path).unwrap();
                assert_eq!(series.len(), 1, "{name}");
                let volume = read_series(&series[0]).unwrap_or_else(|error| panic!("{error}"));
                for (found, expected) in volume.affine.rows().iter().flatten().zip(rows) {
                    assert!((found - expected).abs() < 1e-9, "{name}: {:?} is not {rows:?}", volume.affine);
                }
                volume.voxels.reversed_axes()
            }
        };
        assert_eq!(slices.shape(), shape, "{name}");
        if sha256(slices.view()) != expected {
            panic!("{name}: other values: {:?}", slices.iter().take(40).collect::<Vec<_>>());
        }
        seen += 1;
    }
    assert!(seen >= 28, "{seen}");
    eprintln!("{seen} files and series equal");
}

#[test]
fn jpeg_baseline_is_within_one_of_pydicom() {
    let frames = read_frames(&folder().join("jpeg_baseline_u8.dcm")).unwrap();
    let text = std::fs::read_to_string(folder().join("jpeg_baseline_u8.txt")).unwrap();
    let expected: Vec<f32> = text.split_whitespace().map(|number| number.parse().unwrap()).collect();
    assert_eq!(frames.len(), expected.len());
    assert!(frames.iter().zip(&expected).all(|(found, expected)| (found - expected).abs() <= 1.0));
}

#[test]
fn unreadable_files_say_why_in_one_line() {
    let Some(shared) = std::env::var_os("MRI_TEST_DATA") else {
        eprintln!("MRI_TEST_DATA is not set: skipping");
        return;
    };
    for (name, expected) in [
        ("MR_truncated.dcm", "truncated inside PixelData (7FE0,0010)"),
        ("SC_rgb_rle.dcm", "PhotometricInterpretation (0028,0004): a colour image: not supported"),
        ("badVR.dcm", "NumberOfFrames (0028,0008): not a number"),
        ("no_meta.dcm", "not a DICOM file"),
        ("rtplan.dcm", "not an image"),
        ("emri_small.dcm", "PerFrameFunctionalGroupsSequence (5200,9230) is missing"),
        ("image_dfl.dcm", "ImagePositionPatient (0020,0032) is missing"),
    ] {
        let path = Path::new(&shared).join("dicom/pydicom").join(name);
        let listed = list_series(&path).and_then(|series| read_series(&series[0]));
        let error = listed.unwrap_err().to_string();
        assert!(error.contains(name) && error.contains(expected) && !error.contains('\n'), "{error}");
    }
}
