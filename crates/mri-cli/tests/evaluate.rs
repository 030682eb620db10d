//! `mri-cli evaluate` from outside: numbers, files and exit codes, with a model of a few steps.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::process::{Command, Output};

use mri_data::image::{BitDepth, Image, write_image};
use ndarray::Array2;

fn mri_cli(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mri-cli")).current_dir(folder).args(arguments).output().unwrap()
}

/// A head of two tissues: bright in the middle for `t2`, around it for `t1`.
fn save_head(path: &Path, size: f32, tissues: [f32; 2]) {
    let pixels = Array2::from_shape_fn((40, 36), |(row, column)| {
        match (row as f32 - 20.0).hypot(column as f32 - 18.0) / size {
            r if r < 8.0 => tissues[0] + row as f32,
            r if r < 15.0 => tissues[1] + column as f32,
            _ => 0.0,
        }
    });
    write_image(path, &Image { pixels, depth: BitDepth::Eight }).unwrap();
}

/// Heads of both domains, three lists of pairs, and a model of one epoch in `RUN`.
fn folder_with_run() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let mut csv = String::from("t1,t2,subject\n");
    for domain in ["t1", "t2"] {
        std::fs::create_dir(path.join(domain)).unwrap();
    }
    for number in 0..4 {
        let size = 0.8 + 0.1 * number as f32;
        save_head(&path.join(format!("t1/{number}.png")), size, [60.0, 180.0]);
        save_head(&path.join(format!("t2/{number}.png")), size, [200.0, 90.0]);
        csv.push_str(&format!("t1/{number}.png,t2/{number}.png,s{number}\n"));
    }
    std::fs::write(path.join("pairs.csv"), &csv).unwrap();
    std::fs::write(path.join("one_bad.csv"), format!("{csv}t1/0.png,gone.png,s9\n")).unwrap();
    std::fs::write(path.join("all_bad.csv"), "t1,t2\nt1/0.png,gone.png\n").unwrap();
    let small = ["--set", "model.depth=2", "--set", "model.width=4", "--set", "data.size=32"];
    let train = ["train", "--t1", "t1", "--t2", "t2", "--out", "RUN", "--epochs", "1", "--device", "cpu"];
    let trained = mri_cli(path, &[&train[..], &small[..]].concat());
    assert!(trained.status.success(), "{}", String::from_utf8_lossy(&trained.stderr));
    folder
}

#[test]
fn evaluate_from_outside() {
    let folder = folder_with_run();
    let path = folder.path();
    let evaluate = |rest: &[&str]| {
        let output = mri_cli(path, &[&["evaluate", "--device", "cpu", "--model"][..], rest].concat());
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    };

    // A model file alone: the baselines are fitted on the other subjects, and that is said.
    let model = "RUN/model.safetensors";
    let (code, stdout, stderr) =
        evaluate(&[model, "--pairs", "pairs.csv", "--json", "e.json", "--report", "page"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("t1 -> t2, 4 cases") && stdout.contains("t2 -> t1, 4 cases"), "{stdout}");
    assert!(stderr.contains("on the cases of the other subjects"), "{stderr}");
    let json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(path.join("e.json")).unwrap()).unwrap();
    for direction in ["t1_to_t2", "t2_to_t1"] {
        assert!(json[direction]["model"]["psnr_db"]["mean"].is_f64());
        for baseline in ["copy", "invert", "histogram", "lut", "retrieval"] {
            assert!(
                json[direction]["baselines"][baseline]["foreground"]["ssim"]["sd"].is_f64(),
                "{baseline}"
            );
        }
    }
    let page = std::fs::read_to_string(path.join("page/evaluation.html")).unwrap();
    assert_eq!(page.matches("<img").count(), 4);
    assert!(page.contains("not for diagnosis") && !page.contains("http"));

    // A run folder knows its training images; pairs can be given.
    let (code, stdout, stderr) = evaluate(&["RUN", "--pairs", "pairs.csv", "--train-pairs", "pairs.csv"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("fitted on 4 pairs of pairs.csv"), "{stdout}");

    // Nothing is overwritten silently.
    let before = std::fs::read(path.join("e.json")).unwrap();
    let (code, _, stderr) = evaluate(&[model, "--pairs", "one_bad.csv", "--json", "e.json"]);
    assert_eq!((code, stderr.as_str()), (1, "error: e.json exists; --overwrite replaces it\n"));
    assert_eq!(std::fs::read(path.join("e.json")).unwrap(), before);

    // One bad pair costs itself alone, and exit code 3.
    let (code, stdout, stderr) =
        evaluate(&[model, "--pairs", "one_bad.csv", "--json", "e.json", "--overwrite"]);
    assert_eq!(code, 3, "{stderr}");
    assert!(
        stdout.contains("4 cases") && stderr.contains("one_bad.csv: line 6: gone.png"),
        "{stdout}{stderr}"
    );
    let json = std::fs::read_to_string(path.join("e.json")).unwrap();
    assert!(json.contains("\"failed\"") && json.contains("line 6"));

    let (code, _, stderr) = evaluate(&[model, "--pairs", "all_bad.csv", "--json", "none.json"]);
    assert!(code == 1 && stderr.contains("none of 1 pairs could be evaluated"), "{code} {stderr}");
    assert!(!path.join("none.json").exists());
}
