//! Files written here are read by nibabel, where there is a Python that has it: `$PYTHON`, or `python3`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mri_data::atomic_file::Existing;
use mri_data::nifti::{DataType, NiftiHeader, read_nifti, read_nifti_header, write_nifti};
use mri_data::volume::{Affine, Volume};
use ndarray::{Array3, ShapeBuilder};
use serde_json::{Value, json};
use tempfile::tempdir;

fn nifti_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nifti")
}

fn python() -> Option<String> {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".into());
    let found = Command::new(&python).args(["-c", "import nibabel"]).output();
    if found.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    eprintln!("skipped: {python} cannot import nibabel");
    None
}

/// Writes the volume and what nibabel is to find.
fn written(
    folder: &Path,
    name: &str,
    volume: &Volume<NiftiHeader>,
    datatype: DataType,
    forms: Value,
) -> Value {
    let path = folder.join(name);
    write_nifti(&path, volume, datatype, Existing::Refuse).unwrap();
    let values = format!("{name}.values");
    let bytes: Vec<u8> = volume.voxels.t().iter().flat_map(|value| value.to_le_bytes()).collect();
    fs::write(folder.join(&values), bytes).unwrap();
    let header = read_nifti_header(&path).unwrap();
    let trimmed =
        |content: &[u8]| content.len() - content.iter().rev().take_while(|byte| **byte == 0).count();
    let extensions: Vec<_> =
        volume.header.extensions().iter().map(|one| (one.code, trimmed(&one.content))).collect();
    json!({
        "name": name,
        "values": values,
        "shape": volume.voxels.shape(),
        "dimensions": volume.header.dimensions(),
        "affine": volume.affine.rows(),
        "dtype": datatype.name(),
        "tolerance": header.scaling().map_or(0.0, |line| line.slope / 2.0),
        "codes": forms["codes"],
        "forms_agree": forms["agree"],
        "unit": forms["unit"],
        "extensions": extensions,
    })
}

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

#[test]
fn nibabel_reads_what_is_written() {
    let Some(python) = python() else { return };
    let folder = tempdir().unwrap();
    let mut records = Vec::new();
    let endings = ["nii", "nii.gz", "hdr", "hdr.gz"];
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for (turn, order) in orders.into_iter().flat_map(|order| (0..8).map(move |flips| (flips, order))) {
        let affine = turned(order, turn);
        let shape = [[7, 5, 3], [1, 9, 2], [1, 1, 1], [4, 3, 11]][turn % 4];
        let voxels = Array3::from_shape_fn(shape.f(), |(i, j, k)| {
            1000.0 + 997.0 * ((i * 7 + j * 3) as f32 * 0.37 + k as f32).sin()
        });
        let volume = Volume { voxels, affine, header: NiftiHeader::for_grid(&affine, shape) };
        let datatype = DataType::ALL[records.len() % 10];
        let name = format!("grid{}.{}", records.len(), endings[records.len() % 4]);
        let forms = json!({"codes": [1, 1], "agree": true, "unit": "mm"});
        records.push(written(folder.path(), &name, &volume, datatype, forms));
    }
    let kept = [
        ("both_forms.nii", [1, 3]),
        ("qform_only.nii.gz", [2, 0]),
        ("qform_qfac_minus_1.nii", [1, 0]),
        ("sform_only.nii.gz", [0, 4]),
        ("neither.nii", [0, 0]),
        ("extensions_big.nii", [0, 1]),
        ("nifti2_big.nii", [1, 1]),
        ("nifti2_extensions_little.nii.gz", [0, 1]),
        ("pair_big.hdr", [0, 1]),
        ("four_axes_one_volume.nii", [0, 1]),
        ("flat.nii", [0, 0]),
    ];
    for (index, (source, codes)) in kept.into_iter().enumerate() {
        let volume = read_nifti(&nifti_folder().join("files").join(source)).unwrap();
        for (datatype, ending) in DataType::ALL.into_iter().zip(endings.into_iter().cycle()) {
            let name = format!("kept{index}-{datatype}.{ending}");
            let forms = json!({"codes": codes, "agree": false, "unit": "unknown"});
            records.push(written(folder.path(), &name, &volume, datatype, forms));
        }
    }
    let list = folder.path().join("list.json");
    fs::write(&list, serde_json::to_string(&records).unwrap()).unwrap();
    let output = Command::new(python).arg(nifti_folder().join("read_back.py")).arg(&list).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "158 files read back");
}
