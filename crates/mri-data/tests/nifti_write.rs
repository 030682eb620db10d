//! Volumes come back as they were written, on the same grid, and without words about a patient.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::{Path, PathBuf};

use mri_data::DataError;
use mri_data::atomic_file::Existing;
use mri_data::nifti::{
    DESCRIPTION, DataType, Form, NiftiError, NiftiHeader, Scaling, Version, encode_nifti, read_nifti,
    read_nifti_header, write_nifti,
};
use mri_data::volume::{Affine, Volume};
use ndarray::{Array3, ShapeBuilder};
use proptest::prelude::*;
use tempfile::{TempDir, tempdir};

const NAMES: [&str; 5] = ["a.nii", "a.nii.gz", "b.hdr", "c.hdr.gz", "d.img"];

fn small(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nifti/files").join(name)
}

fn written(
    folder: &TempDir,
    name: &str,
    volume: &Volume<NiftiHeader>,
    datatype: DataType,
) -> Volume<NiftiHeader> {
    let path = folder.path().join(name);
    write_nifti(&path, volume, datatype, Existing::Replace).unwrap();
    read_nifti(&path).unwrap()
}

/// Half the step between the values that can be stored, and the rounding of the line and of f32.
fn tolerance(volume: &Volume<NiftiHeader>, value: f32) -> f64 {
    let line = volume.header.scaling().unwrap_or(Scaling::IDENTITY);
    let step = if volume.header.scaling().is_some() { line.slope / 2.0 } else { 0.0 };
    step * (1.0 + 1e-6) + f64::from(f32::EPSILON) * (f64::from(value.abs()) + line.inter.abs())
}

fn assert_same_values(back: &Volume<NiftiHeader>, volume: &Volume<NiftiHeader>, what: &str) {
    assert_eq!(back.voxels.dim(), volume.voxels.dim(), "{what}");
    for (back_value, &value) in back.voxels.iter().zip(&volume.voxels) {
        let error = (f64::from(*back_value) - f64::from(value)).abs();
        assert!(error <= tolerance(back, value), "{what}: {value} became {back_value}");
    }
}

/// An oblique grid, its storage axes reordered and flipped.
fn turned(order: [usize; 3], flips: usize) -> Affine {
    let ((s, c), (t, d)) = (0.2_f64.sin_cos(), 0.35_f64.sin_cos());
    let oblique = [[c, -s * d, s * t], [s, c * d, -c * t], [0.0, t, d]];
    let mut rows = [[0.0; 4]; 3];
    for (row, (target, origin)) in rows.iter_mut().zip([-64.9, -110.4, -27.9]).enumerate() {
        for (axis, &toward) in order.iter().enumerate() {
            let sign = if flips >> axis & 1 == 1 { -1.0 } else { 1.0 };
            target[axis] = sign * oblique[row][toward] * [0.8, 1.1, 2.5][toward];
        }
        target[3] = origin;
    }
    Affine::from_rows(rows)
}

fn wavy(shape: [usize; 3], affine: &Affine) -> Volume<NiftiHeader> {
    let voxels = Array3::from_shape_fn(shape.f(), |(i, j, k)| {
        1000.0 + 997.0 * ((i * 7 + j * 3) as f32 * 0.37 + k as f32).sin()
    });
    Volume { voxels, affine: *affine, header: NiftiHeader::for_grid(affine, shape) }
}

const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

#[test]
fn every_orientation_and_odd_size_comes_back_within_the_rounding_of_every_type() {
    let folder = tempdir().unwrap();
    for (turn, order) in ORDERS.into_iter().flat_map(|order| (0..8).map(move |flips| (flips, order))) {
        let affine = turned(order, turn);
        let shape = [[7, 5, 3], [1, 9, 2], [1, 1, 1], [4, 3, 11]][turn % 4];
        let volume = wavy(shape, &affine);
        for (index, datatype) in DataType::ALL.into_iter().enumerate() {
            let name = NAMES[index % NAMES.len()];
            let what = format!("{order:?} {turn} {name} {datatype}");
            let back = written(&folder, name, &volume, datatype);
            assert_same_values(&back, &volume, &what);
            assert_eq!(back.header.datatype().name(), datatype.name());
            for (ours, theirs) in back.affine.rows().as_flattened().iter().zip(affine.rows().as_flattened()) {
                assert!((ours - theirs).abs() <= 6e-8 * theirs.abs(), "{what}: {ours}, {theirs}");
            }
        }
    }
}

#[test]
fn the_qform_of_a_new_header_says_what_its_sform_says() {
    for (turn, order) in ORDERS.into_iter().flat_map(|order| (0..8).map(move |flips| (flips, order))) {
        let affine = turned(order, turn);
        let mut bytes = encode_nifti(&wavy([3, 2, 4], &affine), DataType::F32).unwrap();
        bytes[254] = 0; // sform_code
        let folder = tempdir().unwrap();
        let path = folder.path().join("q.nii");
        fs::write(&path, bytes).unwrap();
        let header = read_nifti_header(&path).unwrap();
        assert_eq!(header.form(), Form::Qform(1));
        // f32 holds the fourth part of a quaternion, near half a turn, to 3e-4.
        for (q, s) in header.affine().rows().as_flattened().iter().zip(affine.rows().as_flattened()) {
            assert!((q - s).abs() < 2e-3, "{order:?} {turn}: {q}, {s}");
        }
    }
}

/// Byte ranges of the fields about the grid, in version 1 and 2.
const GRID_FIELDS: [&[(usize, usize)]; 2] = [
    // dim_info and dim, slice_start and pixdim, slice_end to xyzt_units, slice_duration and toffset, both forms
    &[(39, 56), (74, 108), (120, 124), (132, 140), (252, 328)],
    // dim, pixdim, slice_duration to slice_end, both forms, slice_code and xyzt_units, dim_info
    &[(16, 80), (104, 168), (208, 240), (344, 504), (524, 525)],
];

#[test]
fn the_grid_of_a_source_header_is_kept_byte_for_byte() {
    let sources = [
        "both_forms.nii",
        "qform_qfac_0.nii",
        "qform_qfac_minus_1.nii",
        "neither.nii",
        "neither_pixdim_0_and_negative.nii",
        "flat.nii",
        "line.nii",
        "seven_axes_one_volume.nii",
        "rest_of_dim_is_0.nii",
        "nifti2_little.nii",
        "one_voxel.nii",
    ];
    for name in sources {
        let mut source = fs::read(small(name)).unwrap();
        let version = usize::from(source[0] != 92);
        // Timing, units and slice order, which these files leave empty.
        if version == 0 {
            (source[39], source[74], source[120], source[122], source[123]) = (57, 1, 2, 3, 10);
            source[132..140].copy_from_slice(&[0, 0, 128, 63, 0, 0, 0, 64]);
        }
        let folder = tempdir().unwrap();
        let path = folder.path().join("source.nii");
        fs::write(&path, &source).unwrap();
        let volume = read_nifti(&path).unwrap();
        for datatype in DataType::ALL {
            let bytes = encode_nifti(&volume, datatype).unwrap();
            for &(start, end) in GRID_FIELDS[version] {
                assert_eq!(bytes[start..end], source[start..end], "{name}: bytes {start} to {end}");
            }
        }
    }
}

#[test]
fn every_small_file_can_be_written_again_and_is_the_same_volume() {
    let folder = tempdir().unwrap();
    let mut seen = 0;
    for entry in small("").read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().contains(".img") || path.ends_with("not_finite.nii") {
            continue;
        }
        let volume = read_nifti(&path).unwrap();
        for name in NAMES {
            let back = written(&folder, name, &volume, DataType::F32);
            let what = path.display();
            assert_eq!(back.affine, volume.affine, "{what}");
            assert_eq!(back.voxels, volume.voxels, "{what}");
            assert_eq!(back.header.form(), volume.header.form(), "{what}");
            assert_eq!(back.header.version(), volume.header.version(), "{what}");
            assert_eq!(back.header.extensions(), volume.header.extensions(), "{what}");
        }
        seen += 1;
    }
    assert_eq!(seen, 75);
}

#[test]
fn what_may_name_a_patient_is_not_written() {
    const NAME: &[u8] = b"Doe^Jane 1970-01-01";
    let folder = tempdir().unwrap();
    let (one, two) =
        (fs::read(small("both_forms.nii")).unwrap(), fs::read(small("nifti2_little.nii")).unwrap());
    let texts = [
        // data_type, db_name, descrip, aux_file, intent_name
        (one, [(4, 10), (14, 18), (148, 80), (228, 24), (328, 16)]),
        // descrip (twice, for the count), aux_file, intent_name, unused_str
        (two, [(240, 40), (280, 40), (320, 24), (508, 16), (525, 15)]),
    ];
    for (mut source, fields) in texts {
        let header_bytes = if source[0] == 92 { 348 } else { 540 };
        for (start, length) in fields {
            let length = length.min(NAME.len());
            source[start..start + length].copy_from_slice(&NAME[..length]);
        }
        let mut extensions = vec![1, 0, 0, 0];
        for code in [2, 6, 8, 44] {
            extensions.extend(32_i32.to_le_bytes());
            extensions.extend(i32::to_le_bytes(code));
            extensions.extend(if code == 6 {
                b"a comment, 24 bytes long"
            } else {
                b"Doe^Jane 1970-01-01 \0\0\0\0"
            });
        }
        if header_bytes == 348 {
            source[108..112].copy_from_slice(&((352 + 128) as f32).to_le_bytes());
            source[124..128].copy_from_slice(&255_f32.to_le_bytes()); // cal_max
        } else {
            source[168..176].copy_from_slice(&(544_i64 + 128).to_le_bytes());
            source[192..200].copy_from_slice(&255_f64.to_le_bytes());
        }
        source.splice(header_bytes..header_bytes + 4, extensions);
        let path = folder.path().join("source.nii");
        fs::write(&path, &source).unwrap();
        let volume = read_nifti(&path).unwrap();
        assert_eq!(volume.header.extensions().len(), 4);
        let bytes = encode_nifti(&volume, DataType::F32).unwrap();
        assert!(!bytes.windows(4).any(|part| part == b"Doe^"), "{header_bytes}");
        assert!(bytes.windows(DESCRIPTION.len()).any(|part| part == DESCRIPTION.as_bytes()));
        let cal_max = if header_bytes == 348 { &bytes[124..132] } else { &bytes[192..208] };
        assert!(cal_max.iter().all(|&byte| byte == 0));
        let back = written(&folder, "back.nii", &volume, DataType::F32);
        assert_eq!(back.header.extensions().iter().map(|one| one.code).collect::<Vec<_>>(), [6]);
    }
}

#[test]
fn whole_numbers_that_fit_are_stored_as_they_are() {
    let folder = tempdir().unwrap();
    let mut volume = wavy([4, 3, 2], &Affine::scaling([1.0, 1.0, 2.0]));
    volume.voxels.mapv_inplace(|value| value.round() - 1000.0);
    for datatype in [DataType::I16, DataType::I32, DataType::I64] {
        let back = written(&folder, "whole.nii", &volume, datatype);
        assert_eq!(back.header.scaling(), None);
        assert_eq!(back.voxels, volume.voxels);
    }
    // Below zero, so u16 needs a line.
    assert!(written(&folder, "whole.nii", &volume, DataType::U16).header.scaling().is_some());
}

#[test]
fn zero_stays_zero_in_signed_types_and_where_it_is_the_least() {
    let folder = tempdir().unwrap();
    let mut volume = wavy([4, 3, 2], &Affine::scaling([1.0; 3]));
    volume.voxels[[0, 0, 0]] = 0.0;
    for datatype in DataType::ALL {
        assert_eq!(written(&folder, "zero.nii", &volume, datatype).voxels[[0, 0, 0]], 0.0, "{datatype}");
    }
}

#[test]
fn voxels_that_are_not_finite_have_a_place_in_every_type() {
    let folder = tempdir().unwrap();
    let mut volume = wavy([4, 3, 2], &Affine::scaling([1.0; 3]));
    volume.voxels[[0, 0, 0]] = 0.0;
    volume.voxels[[1, 0, 0]] = f32::NAN;
    volume.voxels[[2, 0, 0]] = f32::INFINITY;
    volume.voxels[[3, 0, 0]] = f32::NEG_INFINITY;
    let most = volume.voxels.iter().copied().filter(|value| value.is_finite()).fold(0.0, f32::max);
    for datatype in DataType::ALL {
        let back = written(&folder, "odd.nii", &volume, datatype).voxels;
        match datatype {
            DataType::F32 | DataType::F64 => {
                assert!(back[[1, 0, 0]].is_nan());
                assert_eq!((back[[2, 0, 0]], back[[3, 0, 0]]), (f32::INFINITY, f32::NEG_INFINITY));
            }
            _ => {
                assert_eq!(back[[1, 0, 0]], 0.0);
                assert!((back[[2, 0, 0]] - most).abs() < most / 100.0, "{datatype}");
                assert!(back[[3, 0, 0]] <= 0.0);
            }
        }
    }
    volume.voxels.fill(f32::NAN);
    assert_eq!(written(&folder, "none.nii", &volume, DataType::I16).voxels.sum(), 0.0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn nothing_is_clipped_whatever_the_range(
        a in prop::num::f32::NORMAL | prop::num::f32::ZERO | prop::num::f32::SUBNORMAL,
        b in prop::num::f32::NORMAL | prop::num::f32::ZERO,
        part in 0.0_f32..1.0,
        narrow in any::<bool>(),
        datatype in prop::sample::select(DataType::ALL.to_vec()),
    ) {
        let b = if narrow { a + a.abs() * 1e-5 } else { b };
        prop_assume!(b.is_finite());
        let between = (f64::from(a) * f64::from(1.0 - part) + f64::from(b) * f64::from(part)) as f32;
        let affine = Affine::scaling([1.0; 3]);
        let voxels = Array3::from_shape_vec((1, 1, 3), vec![a, between, b]).unwrap();
        let volume = Volume { voxels, affine, header: NiftiHeader::for_grid(&affine, [1, 1, 3]) };
        let folder = tempdir().unwrap();
        let path = folder.path().join("p.nii");
        fs::write(&path, encode_nifti(&volume, datatype).unwrap()).unwrap();
        let back = read_nifti(&path).unwrap();
        let range = datatype.range();
        if let (Some((low, high)), Some(line)) = (range, back.header.scaling()) {
            for value in &volume.voxels {
                let stored = (f64::from(*value) - line.inter) / line.slope;
                let slack = (high - low) * 1e-15;
                prop_assert!(stored >= low - slack && stored <= high + slack, "{} at {:?}", stored, line);
            }
        }
        assert_same_values(&back, &volume, datatype.name());
    }
}

#[test]
fn existing_files_are_refused_or_replaced_whole() {
    let folder = tempdir().unwrap();
    let volume = wavy([4, 3, 2], &Affine::scaling([1.0; 3]));
    for (name, occupied) in [
        ("a.nii", "a.nii"),
        ("b.nii.gz", "b.nii.gz"),
        ("c.hdr", "c.hdr"),
        ("d.hdr", "d.img"),
        ("e.img", "e.hdr"),
    ] {
        let (path, occupied) = (folder.path().join(name), folder.path().join(occupied));
        fs::write(&occupied, "mine").unwrap();
        let error = write_nifti(&path, &volume, DataType::F32, Existing::Refuse).unwrap_err();
        assert!(matches!(error, DataError::Exists { .. }), "{error}");
        assert_eq!(fs::read(&occupied).unwrap(), b"mine");
        assert_eq!(files_named(&folder, &name[..1]), 1, "{name}: nothing else is there");
        write_nifti(&path, &volume, DataType::F32, Existing::Replace).unwrap();
        assert_eq!(read_nifti(&path).unwrap().voxels, volume.voxels);
    }
    assert_eq!(files_named(&folder, "."), 0, "nothing temporary is left");
}

fn files_named(folder: &TempDir, start: &str) -> usize {
    let names = folder.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().starts_with(start)).count()
}

#[test]
fn other_names_and_other_grids_are_refused() {
    let folder = tempdir().unwrap();
    let mut volume = wavy([4, 3, 2], &Affine::scaling([1.0; 3]));
    for name in ["a.png", "a", "a.gz"] {
        let error =
            write_nifti(&folder.path().join(name), &volume, DataType::F32, Existing::Refuse).unwrap_err();
        assert!(matches!(&error, DataError::Nifti { problem: NiftiError::OutputName, .. }), "{error}");
    }
    volume.affine.origin_mm[0] += 0.1;
    let error = encode_nifti(&volume, DataType::F32).unwrap_err().to_string();
    assert!(error.contains("does not lie on the grid of its header"), "{error}");
    volume.affine.origin_mm[0] -= 0.1;
    volume.voxels = Array3::zeros((4, 3, 3));
    assert!(encode_nifti(&volume, DataType::F32).is_err());
}

#[test]
fn equal_volumes_give_equal_bytes_whatever_their_memory_order() {
    let folder = tempdir().unwrap();
    let volume = wavy([6, 5, 4], &turned([2, 0, 1], 3));
    let other = Volume { voxels: volume.voxels.as_standard_layout().into_owned(), ..volume.clone() };
    for name in ["one.nii", "one.nii.gz"] {
        let path = folder.path().join(name);
        let bytes = [&volume, &other].map(|volume| {
            write_nifti(&path, volume, DataType::I16, Existing::Replace).unwrap();
            fs::read(&path).unwrap()
        });
        assert_eq!(bytes[0], bytes[1]);
    }
}

#[test]
fn long_axes_and_sheared_grids_have_headers_that_can_hold_them() {
    let affine = Affine::from_rows([[1.0, 0.0, 0.3, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]);
    let volume = wavy([40_000, 1, 1], &affine);
    assert_eq!(volume.header.version(), Version::Two);
    let folder = tempdir().unwrap();
    let back = written(&folder, "long.nii", &volume, DataType::F32);
    assert_eq!((back.affine, back.voxels), (affine, volume.voxels));
    let bytes = fs::read(folder.path().join("long.nii")).unwrap();
    assert_eq!(bytes[344], 0, "qform_code: a quaternion cannot hold shear");
}

#[test]
fn types_are_named_as_numpy_and_rust_name_them() {
    for datatype in DataType::ALL {
        assert_eq!(datatype.name().parse(), Ok(datatype));
        assert_eq!(format!("{datatype:?}").to_lowercase().parse(), Ok(datatype));
    }
    assert!("int24".parse::<DataType>().unwrap_err().contains("use one of uint8"));
}
