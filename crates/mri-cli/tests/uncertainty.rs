//! Ensembles and dropout from outside: `--model` given several times, and `--uncertainty`, for `translate` and `evaluate`.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::Path;

use mri_data::atomic_file::Existing;
use mri_data::image::{BitDepth, Image, read_image};
use mri_data::nifti::{DataType, NiftiHeader, read_nifti, write_nifti};
use mri_data::volume::{Affine, Volume};
use ndarray::{Array3, Zip};
use serde_json::Value;
use support::{Said, T1, TINY, head, heads_in, run, save, save_head};
use tempfile::TempDir;

/// Heads, two models `a` and `b` of other seeds, `drop` with dropout, and `narrow` with another normalization; one epoch
/// each.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    heads_in(path);
    for (name, more) in [
        ("a", &["--seed", "1"][..]),
        ("b", &["--seed", "2"]),
        ("drop", &["--set", "model.dropout=0.5"]),
        ("narrow", &["--set", "data.normalization={method=\"range\",min=0,max=200}"]),
    ] {
        let train = ["train", "--t1", "t1", "--t2", "t2", "--out", name, "--epochs", "1"];
        run(path, &[&train[..], &TINY, more].concat()).done();
    }
    folder
}

/// `translate --model ... --to t2 -i INPUT -o OUTPUT ...`
fn translate(folder: &Path, models: &[&str], input: &str, output: &str, more: &[&str]) -> Said {
    let models: Vec<&str> = models.iter().flat_map(|model| ["--model", model]).collect();
    let fixed = ["translate", "--device", "cpu", "--to", "t2", "-i", input, "-o", output];
    run(folder, &[&fixed[..], &models, more].concat())
}

fn head_volume() -> Volume<NiftiHeader> {
    let mut voxels = Array3::zeros((21, 26, 4));
    for (k, mut slice) in voxels.axis_iter_mut(ndarray::Axis(2)).enumerate() {
        slice.assign(&(head(21, 26, 6. + k as f32, T1) * 10.));
    }
    let affine = Affine::from_rows([[-2., 0.1, 0., 20.5], [0.1, 2., 0.25, -30.25], [0., -0.2, 3.5, 11.]]);
    let header = NiftiHeader::for_grid(&affine, [21, 26, 4]);
    Volume { voxels, affine, header }
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn an_ensemble_gives_the_mean_of_its_members_and_a_map_of_their_deviation() {
    let folder = folder();
    let path = folder.path();
    save(&path.join("in.png"), &Image { pixels: head(57, 41, 18., T1), depth: BitDepth::Eight });
    for model in ["a", "b"] {
        translate(path, &[model], "in.png", &format!("{model}.png"), &[]).done();
    }
    translate(path, &["a", "b"], "in.png", "out/both.png", &["--uncertainty"]).done();
    let [a, b, mean, map] = ["a.png", "b.png", "out/both.png", "out/both_uncertainty.png"]
        .map(|name| read_image(&path.join(name)).unwrap());
    assert_eq!((mean.depth, map.depth, map.pixels.dim()), (BitDepth::Eight, BitDepth::Sixteen, (57, 41)));
    Zip::from(&a.pixels).and(&b.pixels).and(&mean.pixels).and(&map.pixels).for_each(|a, b, mean, map| {
        // The files of a and b are rounded to whole grey levels, of which 257 steps of 16 bits make one.
        assert!((mean - (a + b) / 2.).abs() <= 1., "{a} {b} {mean}");
        assert!((map / 257. - (a - b).abs() / 2_f32.sqrt()).abs() <= 0.75, "{a} {b} {map}");
    });
    assert!(map.pixels.iter().any(|&value| value > 2. * 257.), "the members agree everywhere");

    // Without the map the mean is the same, and nothing is left out of sight.
    translate(path, &["a", "b"], "in.png", "alone/both.png", &[]).done();
    let bytes = |name: &str| fs::read(path.join(name)).unwrap();
    assert_eq!(bytes("alone/both.png"), bytes("out/both.png"));
    assert_eq!(fs::read_dir(path.join("alone")).unwrap().count(), 1);
    assert_eq!(fs::read_dir(path.join("out")).unwrap().count(), 2);

    // Both are outputs: refused, passed over, and replaced together.
    fs::remove_file(path.join("out/both.png")).unwrap();
    let again = |more: &[&str]| {
        translate(path, &["a", "b"], "in.png", "out/both.png", &[&["--uncertainty"], more].concat())
    };
    again(&[]).failed_naming(&["both_uncertainty.png", "exists", "--overwrite"]);
    again(&["--overwrite"]).done();
    assert_eq!(bytes("alone/both.png"), bytes("out/both.png"));
    let said = again(&["--skip-existing"]).done();
    assert!(said.stderr.contains("1 image passed over"), "{}", said.stderr);
    let listed = translate(path, &["a", "b"], "in.png", "new.png", &["--uncertainty", "--dry-run"]).done();
    assert!(listed.stdout.contains("uncertainty in new_uncertainty.png"), "{}", listed.stdout);
    // A name that is taken by another output costs that one alone.
    save_head(&path.join("two/x.png"), 12., T1);
    save_head(&path.join("two/x_uncertainty.png"), 12., T1);
    let said = translate(path, &["a", "b"], "two", "three", &["--uncertainty"]);
    assert_eq!(said.code, Some(3), "{}", said.stderr);
    assert!(said.stderr.contains("x_uncertainty.png would be that of"), "{}", said.stderr);
}

#[test]
fn models_that_make_no_ensemble_are_refused() {
    let folder = folder();
    let path = folder.path();
    save_head(&path.join("in.png"), 15., T1);
    let refused = |models: &[&str], names: &[&str]| {
        translate(path, models, "in.png", "out.png", &["--uncertainty"]).failed_naming(names);
        assert!(!path.join("out.png").exists());
    };
    refused(&["a"], &["a/model.safetensors", "without dropout", "--model", "model.dropout"]);
    refused(&["a", "narrow"], &["a/model.safetensors", "narrow/model.safetensors", "normalize"]);
    refused(&["a", "b", "a/model.safetensors"], &["a/model.safetensors is given twice"]);
    let said = run(path, &["translate", "--to", "t2", "-i", "in.png", "-o", "out.png"]);
    assert_eq!(said.code, Some(2), "--model must be given: {}", said.stderr);
}

#[test]
fn samples_of_dropout_are_the_same_for_any_number_of_threads_and_jobs() {
    let folder = folder();
    let path = folder.path();
    for number in 0..3 {
        save_head(&path.join(format!("in/{number}.png")), 12. + number as f32, T1);
    }
    translate(path, &["drop"], "in", "plain", &[]).done();
    translate(path, &["drop"], "in", "sampled", &["--uncertainty"]).done();
    translate(path, &["drop"], "in", "jobs", &["--uncertainty", "--jobs", "3"]).done();
    translate(path, &["drop"], "in/1.png", "alone.png", &["--uncertainty"]).done();
    let bytes = |name: &str| fs::read(path.join(name)).unwrap();
    for name in ["0.png", "0_uncertainty.png", "1.png", "2_uncertainty.png"] {
        assert_eq!(bytes(&format!("sampled/{name}")), bytes(&format!("jobs/{name}")), "{name}");
    }
    assert_eq!(bytes("alone_uncertainty.png"), bytes("sampled/1_uncertainty.png"));
    assert_ne!(bytes("plain/1.png"), bytes("sampled/1.png"));
    let map = read_image(&path.join("alone_uncertainty.png")).unwrap();
    assert!(map.pixels.iter().any(|&value| value > 257.), "all samples agree");
}

#[test]
fn a_volume_gets_a_map_on_its_grid_with_a_sidecar_of_its_own() {
    let folder = folder();
    let path = folder.path();
    write_nifti(&path.join("in.nii.gz"), &head_volume(), DataType::I16, Existing::Refuse).unwrap();
    let both = ["a", "b"];
    translate(path, &both, "in.nii.gz", "out.nii.gz", &["--uncertainty", "--dtype", "int16"]).done();
    for model in both {
        translate(path, &[model], "in.nii.gz", &format!("{model}.nii"), &[]).done();
    }
    let [a, b, mean, map] = ["a.nii", "b.nii", "out.nii.gz", "out_uncertainty.nii.gz"]
        .map(|name| read_nifti(&path.join(name)).unwrap());
    assert_eq!((mean.affine, mean.voxels.dim()), (map.affine, map.voxels.dim()));
    assert_eq!((mean.header.datatype().name(), map.header.datatype().name()), ("int16", "float32"));
    Zip::from(&a.voxels).and(&b.voxels).and(&mean.voxels).and(&map.voxels).for_each(|a, b, mean, map| {
        assert!((mean - (a + b) / 2.).abs() < 0.1, "{a} {b} {mean}");
        assert!((map - (a - b).abs() / 2_f32.sqrt()).abs() < 1e-2, "{a} {b} {map}");
    });
    let [of_mean, of_map] = ["out.json", "out_uncertainty.json"].map(|name| json(&path.join(name)));
    for (sidecar, statistic) in [(&of_mean, "mean"), (&of_map, "standard-deviation")] {
        assert_eq!(sidecar["synthetic"], true);
        assert_eq!(sidecar["models"].as_array().unwrap().len(), 2);
        assert_ne!(sidecar["models"][0]["sha256"], sidecar["models"][1]["sha256"]);
        let expected = serde_json::json!({ "of": "models", "members": 2, "statistic": statistic });
        assert_eq!((&sidecar["ensemble"], sidecar.get("model")), (&expected, None));
    }

    // Dropout: neither jobs nor batch change a byte.
    for (output, batch) in [("one.nii", "1"), ("many.nii", "8")] {
        translate(path, &["drop"], "in.nii.gz", output, &["--uncertainty", "--batch", batch]).done();
    }
    for [one, many] in [["one.nii", "many.nii"], ["one_uncertainty.nii", "many_uncertainty.nii"]] {
        assert_eq!(fs::read(path.join(one)).unwrap(), fs::read(path.join(many)).unwrap());
    }
    assert_eq!(json(&path.join("one.json"))["ensemble"]["of"], "dropout");

    // A pair has both halves of both; a series has no place for a map.
    translate(path, &both, "in.nii.gz", "pair.hdr", &["--uncertainty"]).done();
    for name in ["pair.img", "pair_uncertainty.hdr", "pair_uncertainty.img", "pair_uncertainty.json"] {
        assert!(path.join(name).is_file(), "{name}");
    }
    translate(path, &both, "in.nii.gz", "series", &["--format", "dicom", "--uncertainty"]).failed_naming(&[
        "in.nii.gz",
        "DICOM",
        "--format nifti",
    ]);
}

#[test]
fn a_bids_derivative_names_the_map_by_its_description() {
    let folder = folder();
    let path = folder.path();
    fs::create_dir_all(path.join("raw/sub-01/anat")).unwrap();
    let description = r#"{"Name": "raw", "BIDSVersion": "1.10.0"}"#;
    fs::write(path.join("raw/dataset_description.json"), description).unwrap();
    let source = path.join("raw/sub-01/anat/sub-01_T1w.nii.gz");
    write_nifti(&source, &head_volume(), DataType::I16, Existing::Refuse).unwrap();
    translate(path, &["a", "b"], "raw", "derived", &["--uncertainty"]).done();
    for extension in ["nii.gz", "json"] {
        for description in ["synthetic", "syntheticUncertainty"] {
            let name = format!("derived/sub-01/anat/sub-01_desc-{description}_T2w.{extension}");
            assert!(path.join(&name).is_file(), "{name}");
        }
    }
}

#[test]
fn evaluate_holds_the_deviation_against_the_errors() {
    let folder = folder();
    let path = folder.path();
    let evaluate = |models: &[&str], more: &[&str]| {
        let models: Vec<&str> = models.iter().flat_map(|model| ["--model", model]).collect();
        let fixed =
            ["evaluate", "--device", "cpu", "--pairs", "pairs.csv", "--json", "e.json", "--overwrite"];
        let said = run(path, &[&fixed[..], &models, more].concat()).done();
        (said, json(&path.join("e.json")))
    };
    let (said, report) = evaluate(&["a", "b"], &["--report", "page"]);
    assert!(said.stdout.contains("uncertainty (2 members): RMSE / SD "), "{}", said.stdout);
    for direction in ["t1_to_t2", "t2_to_t1"] {
        let found = &report[direction]["uncertainty"];
        assert_eq!(
            (found["members"].as_u64(), found["reliability"].as_array().unwrap().len()),
            (Some(2), 10)
        );
        assert!(found["pixels"].as_u64().unwrap() > 1000 && found["scale"].as_f64().unwrap() > 0.);
        assert!(found["within_1_sd"]["expected"].as_f64().unwrap() < 0.45);
    }
    let page = fs::read_to_string(path.join("page/evaluation.html")).unwrap();
    assert!(page.contains("no proof of being right") && page.contains("RMSE = SD"));

    // One model alone states none, unless dropout is sampled.
    let (said, report) = evaluate(&["drop"], &[]);
    assert!(!said.stdout.contains("uncertainty") && report["t1_to_t2"].get("uncertainty").is_none());
    let (_, report) = evaluate(&["drop"], &["--uncertainty"]);
    assert_eq!(report["t2_to_t1"]["uncertainty"]["members"], 8);
}
