//! The model that comes with the repository: small, readable, and better than what knows no anatomy on heads that it has
//! not seen.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::Path;

use serde_json::Value;
use support::run;

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/pretrained.safetensors");

#[test]
fn translates_other_phantoms_better_than_any_method_without_pairs() {
    assert!(Path::new(MODEL).metadata().unwrap().len() <= 8_000_000);
    let folder = tempfile::tempdir().unwrap();
    let sizes = ["--subjects", "1", "--validation-subjects", "0", "--test-subjects", "2", "--slices", "3"];
    let phantom = [&["phantom", "--out", "phantom", "--seed", "7", "--size", "160"][..], &sizes].concat();
    run(folder.path(), &phantom).done();
    let pairs = ["--pairs", "phantom/test/pairs.csv", "--json", "scores.json"];
    run(folder.path(), &[&["evaluate", "--device", "cpu", "--model", MODEL][..], &pairs].concat()).done();
    let scores: Value =
        serde_json::from_slice(&fs::read(folder.path().join("scores.json")).unwrap()).unwrap();
    for direction in ["t1_to_t2", "t2_to_t1"] {
        let psnr_db = |of: &Value| of["psnr_db"]["mean"].as_f64().unwrap();
        let model = psnr_db(&scores[direction]["model"]);
        for baseline in ["copy", "invert", "histogram", "retrieval"] {
            let baseline_db = psnr_db(&scores[direction]["baselines"][baseline]);
            assert!(model > baseline_db + 1.0, "{direction}: {model} dB, {baseline} {baseline_db} dB");
        }
    }
}
