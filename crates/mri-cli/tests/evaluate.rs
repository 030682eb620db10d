//! `mri-cli evaluate` from outside: numbers, files and exit codes, with a model of a few steps.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::fs;

use support::{Said, folder_with_run, mri_cli, run};

#[test]
fn evaluate_from_outside() {
    let folder = folder_with_run();
    let path = folder.path();
    let csv = fs::read_to_string(path.join("pairs.csv")).unwrap();
    fs::write(path.join("one_bad.csv"), format!("{csv}t1/0.png,gone.png,s9\n")).unwrap();
    fs::write(path.join("all_bad.csv"), "t1,t2\nt1/0.png,gone.png\n").unwrap();
    let evaluate = |rest: &[&str]| {
        let Said { code, stdout, stderr } =
            run(path, &[&["evaluate", "--device", "cpu", "--model"][..], rest].concat());
        (code.unwrap(), stdout, stderr)
    };

    // A model file alone: the baselines are fitted on the other subjects, and that is said.
    let model = "RUN/model.safetensors";
    let (code, stdout, stderr) =
        evaluate(&[model, "--pairs", "pairs.csv", "--json", "e.json", "--report", "page"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("t1 -> t2, 4 cases") && stdout.contains("t2 -> t1, 4 cases"), "{stdout}");
    assert!(stderr.contains("on the cases of the other subjects"), "{stderr}");
    let json: serde_json::Value = serde_json::from_slice(&fs::read(path.join("e.json")).unwrap()).unwrap();
    for direction in ["t1_to_t2", "t2_to_t1"] {
        assert!(json[direction]["model"]["psnr_db"]["mean"].is_f64());
        let probes = &json[direction]["probes"];
        assert_eq!(probes["cases"], 4);
        assert!(probes["steganography"]["ratio_noise"]["mean"].is_f64(), "{probes}");
        assert!(probes["shift"]["change"]["mean"].as_f64().is_some_and(|change| change > 0.0), "{probes}");
        for baseline in ["copy", "invert", "histogram", "lut", "retrieval"] {
            assert!(
                json[direction]["baselines"][baseline]["foreground"]["ssim"]["sd"].is_f64(),
                "{baseline}"
            );
        }
    }
    let page = fs::read_to_string(path.join("page/evaluation.html")).unwrap();
    assert_eq!(page.matches("<img").count(), 4);
    assert!(page.contains("Probes of the networks"));
    assert!(page.contains("not for diagnosis") && !page.contains("http"));

    // The noise of the probes is the same for any number of threads.
    let again =
        ["evaluate", "--device", "cpu", "--model", model, "--pairs", "pairs.csv", "--json", "again.json"];
    let mut again = mri_cli(path, &again);
    Said::from(again.env("RAYON_NUM_THREADS", "1").output().unwrap()).done();
    let read = |name: &str| fs::read(path.join(name)).unwrap();
    assert!(read("e.json") == read("again.json"));

    // A run folder knows its training images; pairs can be given.
    let (code, stdout, stderr) = evaluate(&["RUN", "--pairs", "pairs.csv", "--train-pairs", "pairs.csv"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("fitted on 4 pairs of pairs.csv"), "{stdout}");

    // Nothing is overwritten silently.
    let before = fs::read(path.join("e.json")).unwrap();
    let (code, _, stderr) = evaluate(&[model, "--pairs", "one_bad.csv", "--json", "e.json"]);
    assert_eq!((code, stderr.as_str()), (1, "error: e.json exists; --overwrite replaces it\n"));
    assert_eq!(fs::read(path.join("e.json")).unwrap(), before);

    // One bad pair costs itself alone, and exit code 3.
    let (code, stdout, stderr) =
        evaluate(&[model, "--pairs", "one_bad.csv", "--json", "e.json", "--overwrite"]);
    assert_eq!(code, 3, "{stderr}");
    assert!(
        stdout.contains("4 cases") && stderr.contains("one_bad.csv: line 6: gone.png"),
        "{stdout}{stderr}"
    );
    let json = fs::read_to_string(path.join("e.json")).unwrap();
    assert!(json.contains("\"failed\"") && json.contains("line 6"));

    let (code, _, stderr) = evaluate(&[model, "--pairs", "all_bad.csv", "--json", "none.json"]);
    assert!(code == 1 && stderr.contains("none of 1 pairs could be evaluated"), "{code} {stderr}");
    assert!(!path.join("none.json").exists());
}
