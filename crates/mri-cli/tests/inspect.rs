//! `mri-cli inspect` on slices made here, and on the public slices where `MRI_TEST_DATA` is set.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use image::{GrayImage, ImageBuffer, Luma};
use serde_json::Value;

fn inspect(path: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mri-cli")).arg("inspect").arg(path).args(more).output().unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&stdout(&inspect(path, &["--json"]))).unwrap()
}

/// A ring on air, so that an image is neither blank nor constant.
fn ring(width: u32, height: u32, radius: f32) -> GrayImage {
    GrayImage::from_fn(width, height, |x, y| {
        let from_centre = (x as f32 - width as f32 / 2.0).hypot(y as f32 - height as f32 / 2.0);
        Luma([if from_centre < radius { 40 + (x * 3 + y) as u8 % 200 } else { 0 }])
    })
}

/// Two folders: three slices of t1, one blank; of t2 one that is good and one cut short.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["t1", "t2"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    let path = |name: &str| folder.path().join(name);
    ring(40, 50, 15.0).save(path("t1/slice-1.png")).unwrap();
    ring(40, 50, 18.0).save(path("t1/slice-2.png")).unwrap();
    GrayImage::new(40, 50).save(path("t1/slice-3.png")).unwrap();
    let deep: ImageBuffer<Luma<u16>, _> =
        ImageBuffer::from_fn(64, 48, |x, y| Luma([(x * 700 + y * 11) as u16]));
    deep.save(path("t2/deep.png")).unwrap();
    let whole = std::fs::read(path("t2/deep.png")).unwrap();
    std::fs::write(path("t2/cut.png"), &whole[..whole.len() / 2]).unwrap();
    folder
}

#[test]
fn a_folder_is_described_domain_by_domain_and_what_cannot_be_read_is_listed() {
    let folder = folder();
    let output = inspect(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(3), "one of five images cannot be read");
    let words = String::from_utf8(output.stdout).unwrap();
    for expected in
        ["40 x 50 px", "8 bit", "16 bit", "near-blank  1", "slice-3.png", "unreadable  1", "cut.png", "█"]
    {
        assert!(words.contains(expected), "{expected:?} is missing in\n{words}");
    }
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "error: 1 of 5 inputs failed; the others are done\n"
    );
}

#[test]
fn json_tells_the_same() {
    let folder = folder();
    std::fs::remove_file(folder.path().join("t2/cut.png")).unwrap();
    let found = json(folder.path());
    assert_eq!(found["kind"], "images");
    assert_eq!(found["domains"][0]["name"], "t1");
    assert_eq!(found["domains"][0]["images"], 3);
    assert_eq!(found["domains"][0]["near_blank"], serde_json::json!(["t1/slice-3.png"]));
    assert_eq!(found["domains"][1]["bit_depths"], serde_json::json!([[16, 1]]));
}

#[test]
fn a_contact_sheet_is_made_once() {
    let folder = folder();
    std::fs::remove_file(folder.path().join("t2/cut.png")).unwrap();
    let sheet = folder.path().join("sheet.png");
    let more = ["--montage", sheet.to_str().unwrap()];
    stdout(&inspect(folder.path(), &more));
    let (width, height) = image::image_dimensions(&sheet).unwrap();
    assert!(width > 3 * 80 && height > 2 * 80, "three tiles in the first of two rows: {width} x {height}");
    assert_eq!(inspect(folder.path(), &more).status.code(), Some(1), "an existing file is kept");
}

#[test]
fn one_image_that_cannot_be_read_is_a_failure() {
    let folder = folder();
    let output = inspect(&folder.path().join("t2/cut.png"), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("cut.png"));
    let missing = inspect(&folder.path().join("none.png"), &[]);
    assert_eq!(missing.status.code(), Some(1));
    let volume = folder.path().join("brain.nii.gz");
    std::fs::write(&volume, "x").unwrap();
    let refused = inspect(&volume, &[]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8(refused.stderr).unwrap().contains("brain.nii.gz"));
}

fn checkpoint(folder: &Path) -> PathBuf {
    let weights: Vec<u8> = [1f32; 12].iter().flat_map(|value| value.to_le_bytes()).collect();
    let tensor = |shape: &[usize]| {
        safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.to_vec(), &weights).unwrap()
    };
    let tensors =
        [("generator_ab.down0.weight", tensor(&[3, 4])), ("generator_ab.down1.weight", tensor(&[2, 6]))];
    let says = r#"{"format_version":1,"domains":["t1","t2"],"generator":{"kind":"unet","width":24},"seed":7,"step":840}"#;
    let metadata = HashMap::from([("mri-cyclegan".to_owned(), says.to_owned())]);
    let path = folder.join("model.safetensors");
    std::fs::write(&path, safetensors::serialize(tensors, Some(metadata)).unwrap()).unwrap();
    path
}

#[test]
fn a_checkpoint_says_what_it_is_and_a_cut_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = checkpoint(folder.path());
    let words = stdout(&inspect(&path, &[]));
    for expected in [
        "a model for",
        "version 1",
        "t1 and t2",
        "840",
        "kind unet, width 24",
        "generator_ab: 24 values in 2 tensors",
    ] {
        assert!(words.contains(expected), "{expected:?} is missing in\n{words}");
    }
    assert_eq!(json(&path)["tensors"]["generator_ab"]["values"], 24);

    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    let output = inspect(&path, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("cut short"));
}

#[test]
fn a_run_folder_says_how_far_it_came() {
    let run = tempfile::tempdir().unwrap();
    std::fs::write(run.path().join("config.toml"), "").unwrap();
    let lines = r#"{"step":8,"epoch":2,"images":8,"loss":{"cycle":0.25}}
{"epoch":2,"validation":{"ssim":0.5}}"#;
    std::fs::write(run.path().join("metrics.jsonl"), lines).unwrap();
    checkpoint(run.path());
    let words = stdout(&inspect(run.path(), &[]));
    for expected in
        ["a training run", "images seen 8", "after epoch 2", "cycle 0.2500", "ssim 0.5000", "t1 and t2"]
    {
        assert!(words.contains(expected), "{expected:?} is missing in\n{words}");
    }
}

#[test]
fn the_public_slices_turn_out_to_be_paired() {
    let Some(data) = std::env::var_os("MRI_TEST_DATA") else {
        println!("skipped: MRI_TEST_DATA is not set");
        return;
    };
    let found = json(&PathBuf::from(data).join("slices"));
    assert_eq!((&found["domains"][0]["images"], &found["domains"][1]["images"]), (&43.into(), &46.into()));
    let pairs = found["suspected_pairs"][0]["pairs"].as_array().unwrap();
    let number = |path: &Value| -> u32 {
        path.as_str().unwrap().rsplit_once('#').unwrap().1.trim_end_matches(".png").parse().unwrap()
    };
    let is_true = |pair: &&Value| {
        let (t1, t2) = (number(&pair["paths"][0]), number(&pair["paths"][1]));
        t2 == t1 + if t1 <= 40 { 60 } else { 70 }
    };
    assert!(pairs.len() >= 35 && pairs.iter().filter(is_true).count() * 10 >= pairs.len() * 9, "{pairs:#?}");
}
