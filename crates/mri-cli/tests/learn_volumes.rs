//! `mri-cli train` and `evaluate` on volumes, from outside: folders of NIfTI files and DICOM series, exact resuming, 2.5-D.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::Path;

use mri_data::atomic_file::Existing;
use mri_data::dicom::{Derivation, DicomSeries, write_series};
use mri_data::nifti::{DataType, NiftiHeader, read_nifti, write_nifti};
use mri_data::volume::{Affine, Volume};
use ndarray::Array3;
use serde_json::Value;
use support::{Said, T1, T2, TINY, heads_in, mri_cli, run};
use tempfile::TempDir;

/// A head of two tissues in a box of 30 x 34 x 16 mm, in units of a scanner; the lowest and highest slices are air.
fn voxels(size: f32, tissues: [f32; 2], gain: f32) -> Array3<f32> {
    Array3::from_shape_fn((30, 34, 16), |(i, j, k)| {
        let (x, y, z) = (i as f32 / 29.0 - 0.5, j as f32 / 33.0 - 0.5, k as f32 / 15.0 - 0.5);
        gain * match x.hypot(y).hypot(z) / size {
            r if r < 0.5 => tissues[0] + j as f32 / 2.0,
            r if r < 1.0 => tissues[1] + i as f32 / 2.0,
            _ => 0.0,
        }
    })
}

fn grid() -> Affine {
    Affine::from_rows([[-1.0, 0.0, 0.0, 14.5], [0.0, 1.0, 0.0, -16.5], [0.0, 0.0, 3.0, -20.0]])
}

fn save(path: &Path, voxels: Array3<f32>, affine: Affine) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let (i, j, k) = voxels.dim();
    let header = NiftiHeader::for_grid(&affine, [i, j, k]);
    write_nifti(path, &Volume { voxels, affine, header }, DataType::F32, Existing::Refuse).unwrap();
}

/// Two subjects with T1 volumes, two others with T2 volumes, and the pairs of two further ones in `pairs.csv`.
fn volumes() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: String| folder.path().join(name);
    for (n, size) in [(1, 0.40), (2, 0.43)] {
        save(&at(format!("t1/sub-{n}_T1w.nii.gz")), voxels(size, T1, n as f32), grid());
        save(&at(format!("t2/sub-{}_T2w.nii", n + 2)), voxels(size + 0.02, T2, 7.0 / n as f32), grid());
    }
    let mut csv = String::from("t1,t2,subject\n");
    for n in [5, 6] {
        let size = 0.3 + 0.02 * n as f32;
        save(&at(format!("test/sub-{n}_T1w.nii")), voxels(size, T1, 3.0), grid());
        save(&at(format!("test/sub-{n}_T2w.nii.gz")), voxels(size, T2, 0.2), grid());
        csv += &format!("test/sub-{n}_T1w.nii,test/sub-{n}_T2w.nii.gz,sub-{n}\n");
    }
    fs::write(folder.path().join("pairs.csv"), csv).unwrap();
    folder
}

const WITH_PAIRS: [&str; 6] = [
    "--set",
    "data.validation_pairs=pairs.csv",
    "--set",
    "data.test_pairs=pairs.csv",
    "--set",
    "train.validate_every=2",
];

fn with_threads(folder: &TempDir, threads: &str, arguments: &[&str]) -> Said {
    let mut command = mri_cli(folder.path(), &[&["train"], arguments].concat());
    Said::from(command.env("RAYON_NUM_THREADS", threads).output().unwrap())
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn a_training_on_folders_of_volumes() {
    let folder = volumes();
    let at = |name: &str| folder.path().join("RUN").join(name);
    let arguments =
        [&["--t1", "t1", "--t2", "t2", "--epochs", "2", "--out", "RUN"], &TINY[..], &WITH_PAIRS].concat();
    let said = with_threads(&folder, "2", &arguments).done();
    assert!(said.stderr.contains("t1: 8 near-blank slices left out"), "{}", said.stderr);
    assert!(said.stderr.contains("on 24 t1 and 26 t2 slices"), "{}", said.stderr);
    assert!(said.stdout.contains("flicker of 2 volumes, % of the range: model "), "{}", said.stdout);

    let config = fs::read_to_string(at("config.toml")).unwrap();
    assert!(config.contains("method = \"percentile\"") && config.contains("high = 99.8"), "{config}");
    assert!(config.contains("slice_axis = \"axial\"") && config.contains("neighbours = 0"), "{config}");

    let manifest = json(&at("manifest.json"));
    let entries = manifest["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 4);
    assert_eq!((&entries[1]["path"], &entries[1]["subject"]), (&"sub-2_T1w.nii.gz".into(), &"sub-2".into()));
    assert_eq!(entries[1]["volume"], serde_json::json!({"axis": "axial", "slices": 16, "used": [[2, 13]]}));
    assert_eq!(entries[3]["sha256"].as_str().unwrap().len(), 64);

    let evaluation = json(&at("evaluation.json"));
    for direction in ["t1_to_t2", "t2_to_t1"] {
        let report = &evaluation[direction];
        assert_eq!(report["range"], serde_json::json!([0.0, 1.0]));
        assert_eq!(report["cases"][0]["subject"], "sub-5");
        assert!(report["cases"][0]["name"].as_str().unwrap().starts_with("test/sub-5_T1w.nii slice "));
        let flicker = &report["flicker"];
        assert!(
            flicker["model"]["mean"].is_f64() && flicker["baselines"]["copy"]["mean"].is_f64(),
            "{flicker}"
        );
        assert_eq!(flicker["volumes"][1]["name"], "test/sub-6_T1w.nii");
        assert_eq!(report["fitted_on"]["histogram"], "the training part of the run");
    }
    let page = fs::read_to_string(at("report.html")).unwrap();
    assert!(page.contains("Flicker") && page.contains("data:image/png;base64"));

    // The run knows its volumes again, and a model file alone can be evaluated.
    let evaluate = |model: &str, more: &[&str]| {
        run(folder.path(), &[&["evaluate", "--device", "cpu", "--model", model, "--pairs"], more].concat())
    };
    let said = evaluate("RUN", &["pairs.csv", "--json", "again.json", "--report", "page"]).done();
    assert!(!said.stderr.contains("cannot be used"), "{}", said.stderr);
    assert_eq!(json(&folder.path().join("again.json")), evaluation);
    let page = fs::read_to_string(folder.path().join("page/evaluation.html")).unwrap();
    assert!(page.contains("test/sub-5_T1w.nii slice") && page.matches("<img").count() > 10);
    let said = evaluate("RUN/model.safetensors", &["pairs.csv", "--train-pairs", "pairs.csv"]).done();
    assert!(said.stdout.contains("fitted on 2 pairs of pairs.csv"), "{}", said.stdout);

    // A pair that does not lie on one grid costs itself alone.
    save(
        &folder.path().join("moved.nii"),
        voxels(0.4, T2, 1.0),
        Affine { origin_mm: [14.5, -16.5, -19.9], ..grid() },
    );
    save(&folder.path().join("longer.nii"), Array3::from_shape_fn((30, 34, 17), |(i, ..)| i as f32), grid());
    let good = fs::read_to_string(folder.path().join("pairs.csv")).unwrap();
    let bad = ["moved.nii", "longer.nii", "pairs.csv", "t2", "t2/gone.nii"]
        .map(|t2| format!("t1/sub-1_T1w.nii.gz,{t2},\n"));
    fs::write(folder.path().join("bad.csv"), good + &bad.concat()).unwrap();
    let said = evaluate("RUN/model.safetensors", &["bad.csv"]);
    assert_eq!(said.code, Some(3), "{}", said.stderr);
    for (line, words) in [
        (4, "0.100 mm apart"),
        (5, "30x34x16 voxels"),
        (6, "one is an image and the other a volume"),
        (7, "holds 2 images or volumes: name one"),
        (8, "no such file or folder"),
    ] {
        let is_said = |said: &str| said.contains(&format!("line {line}: ")) && said.contains(words);
        assert!(said.stderr.lines().any(is_said), "line {line}: {words} in\n{}", said.stderr);
    }
}

#[test]
fn training_on_volumes_resumes_exactly_and_is_the_same_for_any_number_of_threads() {
    let folder = volumes();
    for neighbours in ["0", "1"] {
        let neighbours_set = format!("data.neighbours={neighbours}");
        let name = |run: &str| format!("{run}-{neighbours}");
        let start = |threads, epochs, out: &str| {
            let fresh =
                ["--t1", "t1", "--t2", "t2", "--set", &neighbours_set, "--epochs", epochs, "--out", out];
            with_threads(&folder, threads, &[&fresh[..], &TINY, &WITH_PAIRS].concat()).done();
        };
        start("2", "4", &name("straight"));
        start("1", "4", &name("one-thread"));
        start("3", "2", &name("broken"));
        with_threads(&folder, "2", &["--resume", &name("broken"), "--epochs", "4", "--device", "cpu"]).done();
        let whole = |run: &str, file: &str| fs::read(folder.path().join(name(run)).join(file)).unwrap();
        for file in [
            "checkpoints/last.safetensors",
            "checkpoints/best.safetensors",
            "model.safetensors",
            "evaluation.json",
        ] {
            for other in ["one-thread", "broken"] {
                assert!(whole("straight", file) == whole(other, file), "{file} of {}", name(other));
            }
        }
    }
}

#[test]
fn neighbours_go_with_a_slice_from_training_to_translation() {
    let folder = volumes();
    let arguments =
        [&["--t1", "t1", "--t2", "t2", "--epochs", "1", "--out", "RUN"], &TINY[..], &WITH_PAIRS].concat();
    with_threads(&folder, "2", &[&arguments[..], &["--set", "data.neighbours=2"]].concat()).done();
    let config = fs::read_to_string(folder.path().join("RUN/config.toml")).unwrap();
    assert_eq!(config.matches("channels = 5").count(), 3, "{config}");

    let translate = |input: &str, output: &str| {
        run(
            folder.path(),
            &["translate", "--model", "RUN", "--to", "t2", "-i", input, "-o", output, "--device", "cpu"],
        )
        .done()
    };
    translate("test/sub-5_T1w.nii", "synthetic.nii.gz");
    let read = |name: &str| read_nifti(&folder.path().join(name)).unwrap();
    let (source, synthetic) = (read("test/sub-5_T1w.nii"), read("synthetic.nii.gz"));
    assert_eq!(synthetic.voxels.dim(), source.voxels.dim());
    assert!(
        synthetic
            .affine
            .rows()
            .iter()
            .flatten()
            .zip(source.affine.rows().iter().flatten())
            .all(|(a, b)| a == b)
    );

    // Single slices stand for their neighbours, or have them by their names.
    heads_in(&folder.path().join("slices"));
    translate("slices/t1/0.png", "0.png");
    let said =
        run(folder.path(), &["evaluate", "--model", "RUN", "--pairs", "slices/pairs.csv", "--device", "cpu"])
            .done();
    assert!(said.stdout.contains("t1 -> t2, 4 cases") && !said.stdout.contains("flicker"), "{}", said.stdout);
    let slices = [
        "--t1",
        "slices/t1",
        "--t2",
        "slices/t2",
        "--set",
        "data.neighbours=1",
        "--epochs",
        "1",
        "--out",
        "S",
    ];
    with_threads(&folder, "2", &[&slices[..], &TINY].concat()).done();
}

#[test]
fn folders_of_dicom_series_are_domains_and_leave_no_trace_of_the_patient() {
    let folder = tempfile::tempdir().unwrap();
    let derivation = |of: &str| Derivation {
        description: format!("secret description {of}"),
        series_description: "secret series".into(),
        comments: "secret".into(),
        software: "test".into(),
    };
    for (domain, tissues) in [("t1", T1), ("t2", T2)] {
        for patient in ["0041", "0042"] {
            let path = folder.path().join(domain).join(patient);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let header = DicomSeries::for_grid(&format!("{domain}{patient}"));
            let volume = Volume { voxels: voxels(0.42, tissues, 2.0), affine: grid(), header };
            write_series(&path, &volume, &derivation(domain), Existing::Refuse).unwrap();
        }
    }
    let arguments = ["--t1", "t1", "--t2", "t2", "--epochs", "1", "--out", "RUN"];
    let said = with_threads(&folder, "2", &[&arguments[..], &TINY].concat()).done();
    let manifest = json(&folder.path().join("RUN/manifest.json"));
    let paths: Vec<_> =
        manifest["entries"].as_array().unwrap().iter().map(|entry| entry["path"].clone()).collect();
    assert_eq!(paths, ["0041", "0042", "0041", "0042"]);
    assert_eq!(manifest["entries"][2]["subject"], "0041");
    assert_eq!(manifest["entries"][0]["volume"]["slices"], 16);
    let mut seen = said.stdout + &said.stderr;
    for entry in ["manifest.json", "config.toml", "metrics.jsonl", "report.html", "model.safetensors"] {
        seen += &String::from_utf8_lossy(&fs::read(folder.path().join("RUN").join(entry)).unwrap());
    }
    assert!(!seen.contains("secret") && !seen.contains("2.25."), "no descriptions, no UIDs");
}

#[test]
fn volumes_that_cannot_be_trained_on_are_named_and_leave_no_run_folder() {
    let folder = volumes();
    let path = folder.path();
    let with_t2 = |t2: &str| {
        with_threads(
            &folder,
            "2",
            &[&["--t1", "t1", "--t2", t2, "--epochs", "1", "--out", "RUN"], &TINY[..]].concat(),
        )
    };
    heads_in(&path.join("slices"));
    with_t2("slices/t2").failed_naming(&["t1 is made of volumes and t2 of images"]);
    fs::copy(path.join("slices/t2/0.png"), path.join("t2/0.png")).unwrap();
    with_t2("t2").failed_naming(&["domain t2: 1 images and 2 volumes together"]);
    fs::remove_file(path.join("t2/0.png")).unwrap();

    // The header of a volume with two points in time.
    let whole = fs::read(path.join("t2/sub-3_T2w.nii")).unwrap();
    let mut four = whole.clone();
    four[40..42].copy_from_slice(&4i16.to_le_bytes());
    four[48..50].copy_from_slice(&2i16.to_le_bytes());
    four.extend_from_slice(&whole[352..]);
    fs::write(path.join("t2/four.nii"), four).unwrap();
    with_t2("t2").failed_naming(&["t2/four.nii", "4-D"]);
    fs::write(path.join("t2/four.nii"), &whole[..whole.len() / 2]).unwrap();
    with_t2("t2").failed_naming(&["t2/four.nii"]);
    fs::remove_file(path.join("t2/four.nii")).unwrap();

    let scratch = ["--set", "data.scratch_path=nowhere", "--t1", "t1", "--t2", "t2", "--out", "RUN"];
    let said = with_threads(&folder, "1", &[&scratch[..], &TINY].concat());
    let last = said.stderr.lines().last().unwrap_or_default().to_owned();
    assert!(
        said.code == Some(1) && last.contains("nowhere") && last.starts_with("error: "),
        "{}",
        said.stderr
    );
    assert!(!path.join("RUN").exists());
}
