//! `mri-cli translate` and `inspect` on NIfTI volumes, DICOM series, BIDS data sets and folders of them all, with a model of
//! one epoch.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use mri_data::atomic_file::Existing;
use mri_data::dicom::{SeriesRef, list_series, read_series};
use mri_data::nifti::{DataType, NiftiHeader, read_nifti, write_nifti};
use mri_data::volume::{Affine, SliceAxis, Volume};
use ndarray::Array3;
use serde_json::Value;
use sha2::{Digest, Sha256};
use support::{MODEL, Said, T1, TINY, folder_with_model, head, run, save_head};

fn translate(folder: &Path, input: &str, output: &str, more: &[&str]) -> Said {
    let fixed = ["translate", "--device", "cpu", "--model", "model.safetensors", "-i", input, "-o", output];
    let to = if more.contains(&"--to") { &[][..] } else { &["--to", "t2"] };
    run(folder, &[&fixed[..], to, more].concat())
}

/// A head of 21 x 26 x 9 voxels whose axes run to the left, the front and the head, a little oblique; values from 0 to about
/// 2000.
fn head_volume() -> Volume<NiftiHeader> {
    let mut voxels = Array3::zeros((21, 26, 9));
    for (k, mut slice) in voxels.axis_iter_mut(ndarray::Axis(2)).enumerate() {
        slice.assign(&(head(21, 26, 6. + k as f32 / 2., T1) * 10.));
    }
    let affine = Affine::from_rows([[-2., 0.1, 0., 20.5], [0.1, 2., 0.25, -30.25], [0., -0.2, 3.5, 11.]]);
    let header = NiftiHeader::for_grid(&affine, [21, 26, 9]);
    Volume { voxels, affine, header }
}

fn write_head(path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    write_nifti(path, &head_volume(), DataType::I16, Existing::Refuse).unwrap();
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Every file below `folder`, relative to it.
fn files(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut pending = vec![folder.to_path_buf()];
    while let Some(place) = pending.pop() {
        for entry in fs::read_dir(&place).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else {
                found.insert(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found
}

fn only_series(folder: &Path) -> SeriesRef {
    let mut series = list_series(folder).unwrap();
    assert_eq!(series.len(), 1);
    series.remove(0)
}

#[test]
fn a_nifti_volume_keeps_its_grid_and_gets_a_sidecar() {
    let folder = folder_with_model();
    let path = folder.path();
    let mut source = head_volume();
    source.voxels[[3, 4, 5]] = f32::NAN;
    source.voxels[[3, 5, 5]] = f32::INFINITY;
    write_nifti(&path.join("in.nii.gz"), &source, DataType::F32, Existing::Refuse).unwrap();
    let said = translate(path, "in.nii.gz", "out.nii.gz", &[]).done();
    assert!(said.stderr.contains("1 synthetic study"), "{}", said.stderr);
    assert!(said.stderr.contains("not for diagnosis"), "{}", said.stderr);

    let [before, after] = ["in.nii.gz", "out.nii.gz"].map(|name| read_nifti(&path.join(name)).unwrap());
    assert_eq!((before.voxels.dim(), before.affine), (after.voxels.dim(), after.affine));
    assert_eq!((before.header.form(), before.header.unit()), (after.header.form(), after.header.unit()));
    assert_eq!(after.header.datatype().name(), "float32");
    assert_ne!(before.voxels, after.voxels);
    assert!(after.voxels.iter().all(|value| value.is_finite()));

    let sidecar = json(&path.join("out.json"));
    let sha256 =
        |bytes: &[u8]| -> String { Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect() };
    for (pointer, expected) in [
        ("/synthetic", Value::from(true)),
        ("/notice", "Synthetic image: for research only, not for diagnosis.".into()),
        ("/source/file", "in.nii.gz".into()),
        ("/source/sha256", sha256(&fs::read(path.join("in.nii.gz")).unwrap()).into()),
        ("/model/sha256", sha256(&MODEL).into()),
        ("/software/version", env!("CARGO_PKG_VERSION").into()),
        ("/normalization/source/method", "range".into()),
        ("/normalization/output/knots/1/1", 1.0.into()),
        ("/units", "grey values of the training images".into()),
        ("/slice_axis", "axial".into()),
        ("/voxels_not_finite", 2.into()),
        ("/from", "t1".into()),
        ("/to", "t2".into()),
    ] {
        assert_eq!(sidecar.pointer(pointer), Some(&expected), "{pointer} in {sidecar:#}");
    }

    // Nothing is overwritten silently, neither volume nor sidecar.
    let bytes = fs::read(path.join("out.nii.gz")).unwrap();
    translate(path, "in.nii.gz", "out.nii.gz", &[]).failed_naming(&["out.nii.gz", "exists", "--overwrite"]);
    fs::remove_file(path.join("out.nii.gz")).unwrap();
    translate(path, "in.nii.gz", "out.nii.gz", &[]).failed_naming(&["out.json", "exists"]);
    translate(path, "in.nii.gz", "out.nii.gz", &["--overwrite"]).done();
    assert_eq!(fs::read(path.join("out.nii.gz")).unwrap(), bytes, "the same again");
    translate(path, "in.nii.gz", "in.nii.gz", &["--overwrite"]).failed_naming(&["in.nii.gz", "the same"]);
    translate(path, "in.nii.gz", "out.png", &[]).failed_naming(&["out.png", ".nii.gz"]);
    // Into a folder, by its own name.
    translate(path, "in.nii.gz", "made/here", &[]).done();
    assert_eq!(files(&path.join("made")), ["here/in.json", "here/in.nii.gz"].map(String::from).into());
}

#[test]
fn types_pairs_and_axes_are_as_asked_for() {
    let folder = folder_with_model();
    let path = folder.path();
    write_head(&path.join("in.hdr"));
    translate(path, "in.hdr", "float", &[]).done();
    assert_eq!(files(&path.join("float")), ["in.hdr", "in.img", "in.json"].map(String::from).into());
    let float = read_nifti(&path.join("float/in.hdr")).unwrap();
    let largest = float.voxels.fold(0_f32, |most, &value| most.max(value.abs()));
    for (name, steps) in [("int16", 32767.), ("u8", 255.)] {
        let output = format!("{name}.nii");
        translate(path, "in.hdr", &output, &["--dtype", name]).done();
        let whole = read_nifti(&path.join(&output)).unwrap();
        let difference = (&whole.voxels - &float.voxels).mapv(f32::abs).fold(0_f32, |most, &v| most.max(v));
        assert!(difference <= 2. * largest / steps, "{name}: {difference} of {largest}");
    }
    translate(path, "in.img", "by-voxels", &[]).done();
    assert_eq!(
        fs::read(path.join("float/in.img")).unwrap(),
        fs::read(path.join("by-voxels/in.img")).unwrap()
    );

    translate(path, "in.hdr", "coronal.nii", &["--axis", "coronal"]).done();
    assert_ne!(read_nifti(&path.join("coronal.nii")).unwrap().voxels, float.voxels);
    assert_eq!(json(&path.join("coronal.json"))["slice_axis"], "coronal");

    for (option, value) in
        [("--dtype", "float16"), ("--axis", "oblique"), ("--shard", "3/2"), ("--jobs", "0")]
    {
        assert_eq!(translate(path, "in.hdr", "x", &[option, value]).code, Some(2), "{option}");
    }
    save_head(&path.join("slice.png"), 15., T1);
    translate(path, "slice.png", "x.png", &["--dtype", "int16"]).failed_naming(&["--dtype is for volumes"]);
}

#[test]
fn results_do_not_depend_on_jobs_and_batch() {
    let folder = folder_with_model();
    let path = folder.path();
    for name in ["a.nii", "b.nii.gz", "sub/c.nii"] {
        write_head(&path.join("in").join(name));
    }
    save_head(&path.join("in/d.png"), 15., T1);
    let contents = |output: &str| -> Vec<(String, Vec<u8>)> {
        let root = path.join(output);
        files(&root).into_iter().map(|name| (name.clone(), fs::read(root.join(name)).unwrap())).collect()
    };
    translate(path, "in", "plain", &["--batch", "1"]).done();
    let expected = contents("plain");
    assert_eq!(expected.len(), 7, "three volumes with sidecars, and an image");
    for (jobs, batch) in [("1", "4"), ("3", "2"), ("2", "100")] {
        let output = format!("{jobs}-{batch}");
        translate(path, "in", &output, &["--jobs", jobs, "--batch", batch]).done();
        assert_eq!(contents(&output), expected, "--jobs {jobs} --batch {batch}");
    }
}

/// Series made from the head: `t1` and `t2` of one study in `DICOM/a` and `DICOM/b`.
fn dicom_study(folder: &Path) {
    write_head(&folder.join("head.nii.gz"));
    translate(folder, "head.nii.gz", "DICOM/a", &["--format", "dicom"]).done();
    translate(folder, "DICOM/a", "DICOM/b", &[]).done();
}

#[test]
fn a_dicom_series_gives_a_series_of_the_same_study_and_converts() {
    let folder = folder_with_model();
    let path = folder.path();
    dicom_study(path);
    let [a, b] = ["DICOM/a", "DICOM/b"].map(|name| only_series(&path.join(name)));
    assert_ne!(a.uid(), b.uid());
    assert_eq!((a.slices(), b.slices()), (Some(9), Some(9)));
    let apart = |x: Affine, y: Affine| {
        x.rows().concat().iter().zip(y.rows().concat()).map(|(x, y)| (x - y).abs()).fold(0., f64::max)
    };
    assert!(apart(a.affine().unwrap(), b.affine().unwrap()) < 1e-6);
    assert!(b.description().to_lowercase().contains("synthetic"), "{}", b.description());

    // The same series again has the same identity; nothing is overwritten silently; a source is never replaced.
    translate(path, "DICOM/a", "again", &[]).done();
    assert_eq!(only_series(&path.join("again")).uid(), b.uid());
    translate(path, "DICOM/a", "again", &[]).failed_naming(&["again", "exists"]);
    translate(path, "DICOM/a", "again", &["--overwrite"]).done();
    translate(path, "DICOM/a", "DICOM/a", &["--overwrite"]).failed_naming(&["the same"]);
    translate(path, "DICOM/a/00001.dcm", "DICOM/a", &["--overwrite"]).failed_naming(&["the same"]);
    assert_eq!(only_series(&path.join("DICOM/a")).slices(), Some(9));

    // To NIfTI and the same values, to the rounding of 16 bits.
    translate(path, "DICOM/a", "b.nii.gz", &["--format", "nifti"]).done();
    let [nifti, dicom] = [
        read_nifti(&path.join("b.nii.gz")).unwrap().slices(SliceAxis::Axial).to_owned(),
        read_series(&b).unwrap().slices(SliceAxis::Axial).to_owned(),
    ];
    let difference = (&nifti - &dicom).mapv(f32::abs).fold(0_f32, |most, &value| most.max(value));
    assert!(difference < 0.01, "{difference}");
    let sidecar = json(&path.join("b.json"));
    assert_eq!(sidecar["source"]["format"], "DICOM");
    assert_eq!(sidecar["source"]["files"], 9);
    assert!(sidecar["source"].get("file").is_none(), "no names for DICOM");
    translate(path, "DICOM/a", "c.nii.gz", &[]).failed_naming(&["c.nii.gz", "--format nifti"]);
}

#[test]
fn of_several_series_one_is_chosen_by_uid_or_description() {
    let folder = folder_with_model();
    let path = folder.path();
    dicom_study(path);
    let [a, b] = ["DICOM/a", "DICOM/b"].map(|name| only_series(&path.join(name)));
    translate(path, "DICOM", "out", &[]).failed_naming(&["2 of the series", a.uid(), b.uid(), "9 slices"]);
    translate(path, "DICOM", "out", &["--series", "flair"]).failed_naming(&["none of the series", a.uid()]);
    assert!(!path.join("out").exists());
    translate(path, "DICOM", "out", &["--series", a.uid()]).done();
    assert_eq!(only_series(&path.join("out/a")).slices(), Some(9));

    // All of one folder, and by a part of the description.
    fs::create_dir(path.join("mixed")).unwrap();
    for (name, series) in [("a", &a), ("b", &b)] {
        for file in series.files() {
            let target = format!("{name}{}", file.file_name().unwrap().to_str().unwrap());
            fs::copy(file, path.join("mixed").join(target)).unwrap();
        }
    }
    translate(path, "mixed", "one", &[]).failed_naming(&["2 of the series"]);
    translate(path, "mixed", "one", &["--series", &b.description().to_uppercase()]).failed_naming(&["2 of"]);
    translate(path, "mixed", "one", &["--series", b.uid()]).done();
    assert_eq!(only_series(&path.join("one")).slices(), Some(9), "the one series becomes the folder");
}

#[test]
fn a_mixed_folder_is_walked_and_a_bad_study_costs_itself_alone() {
    let folder = folder_with_model();
    let path = folder.path();
    write_head(&path.join("in/sub-01/t1.nii.gz"));
    write_head(&path.join("in/sub-01/twin.nii"));
    write_head(&path.join("in/sub-01/twin.nii.gz"));
    save_head(&path.join("in/slices/s.png"), 15., T1);
    translate(path, "in/sub-01/t1.nii.gz", "in/series/x", &["--format", "dicom"]).done();
    fs::write(path.join("in/notes.txt"), "words").unwrap();
    fs::write(path.join("in/cut.nii"), &fs::read(path.join("in/sub-01/twin.nii")).unwrap()[..1000]).unwrap();
    fs::write(path.join("in/cut.dcm"), &fs::read(path.join("in/series/x/00001.dcm")).unwrap()[..200])
        .unwrap();

    let said = translate(path, "in", "out", &["--jobs", "2"]);
    assert_eq!((said.code, said.stdout.as_str()), (Some(3), ""), "{}", said.stderr);
    let failed: Vec<_> = said.stderr.lines().filter(|line| line.starts_with("failed: ")).collect();
    for name in ["cut.nii", "cut.dcm", "twin.nii.gz"] {
        let naming: Vec<_> = failed.iter().filter(|line| line.contains(name)).collect();
        assert!(naming.len() == 1 && naming[0].matches(name).count() == 1, "{name}: {failed:?}");
    }
    assert!(said.stderr.ends_with("error: 3 of 7 inputs failed; the others are done\n"), "{}", said.stderr);
    let mut expected: BTreeSet<String> =
        ["slices/s.png", "sub-01/t1.json", "sub-01/t1.nii.gz", "sub-01/twin.json", "sub-01/twin.nii"]
            .map(String::from)
            .into();
    expected.extend((1..=9).map(|number| format!("series/x/{number:05}.dcm")));
    assert_eq!(files(&path.join("out")), expected);

    // Outputs inside the input are no inputs of the next run.
    translate(path, "in/slices", "in/slices/out", &[]).done();
    translate(path, "in/slices", "in/slices/out", &["--overwrite"]).done();
    assert_eq!(files(&path.join("in/slices")), ["out/s.png", "s.png"].map(String::from).into());
}

#[test]
fn existing_outputs_are_passed_over_and_a_dry_run_only_lists() {
    let folder = folder_with_model();
    let path = folder.path();
    for name in ["a.nii.gz", "b.nii.gz", "c.nii.gz"] {
        write_head(&path.join("in").join(name));
    }
    fs::write(path.join("in/bad.nii"), "x").unwrap();
    translate(path, "in/b.nii.gz", "out/b.nii.gz", &[]).done();
    let before = fs::metadata(path.join("out/b.nii.gz")).unwrap().modified().unwrap();

    let said = translate(path, "in", "out", &["--dry-run", "--skip-existing"]);
    assert_eq!(said.code, Some(3), "{}", said.stderr);
    let lines: Vec<Vec<&str>> = said.stdout.lines().map(|line| line.split('\t').collect()).collect();
    let actions: Vec<_> = lines.iter().map(|line| (line[0], line[2])).collect();
    assert_eq!(
        actions,
        [("translate", "out/a.nii.gz"), ("translate", "out/c.nii.gz"), ("skip", "out/b.nii.gz")]
    );
    assert!(lines[0][3].contains("21 x 26 x 9 voxels") && lines[0][3].contains("9 slices"), "{lines:?}");
    assert!(said.stderr.contains("bad.nii"), "{}", said.stderr);
    assert_eq!(files(&path.join("out")).len(), 2, "nothing was written");

    let said = translate(path, "in", "out", &["--skip-existing"]);
    assert_eq!(said.code, Some(3));
    assert!(said.stderr.contains("1 study passed over"), "{}", said.stderr);
    assert_eq!(files(&path.join("out")).len(), 6);
    assert_eq!(fs::metadata(path.join("out/b.nii.gz")).unwrap().modified().unwrap(), before);
    assert_eq!(translate(path, "in", "out", &["--skip-existing", "--overwrite"]).code, Some(2));
}

#[test]
fn shards_are_disjoint_and_together_everything() {
    let folder = folder_with_model();
    let path = folder.path();
    for number in 0..5 {
        write_head(&path.join(format!("in/{number}.nii")));
    }
    let sources = |shard: &str| -> Vec<String> {
        let said = translate(path, "in", "out", &["--dry-run", "--shard", shard]).done();
        said.stdout.lines().map(|line| line.split('\t').nth(1).unwrap().to_owned()).collect()
    };
    assert_eq!(sources("2/3"), ["in/1.nii", "in/4.nii"]);
    let mut all: Vec<_> = ["1/3", "2/3", "3/3"].into_iter().flat_map(sources).collect();
    all.sort();
    assert_eq!(all, (0..5).map(|number| format!("in/{number}.nii")).collect::<Vec<_>>());
    assert!(sources("7/7").is_empty(), "a part may be empty");
    translate(path, "in", "out", &["--shard", "7/7"]).done();
    for shard in ["1/2", "2/2"] {
        translate(path, "in", "out", &["--shard", shard]).done();
    }
    assert_eq!(files(&path.join("out")).len(), 10);
}

#[test]
fn a_bids_data_set_gives_a_derivative() {
    let folder = folder_with_model();
    let path = folder.path();
    let description = r#"{"Name": "Nobody's heads", "BIDSVersion": "1.8.0"}"#;
    for name in [
        "sub-01/anat/sub-01_T1w.nii.gz",
        "sub-01/anat/sub-01_T2w.nii.gz",
        "sub-02/ses-a/anat/sub-02_ses-a_acq-fast_run-1_T1w.nii",
        "sub-02/ses-a/func/sub-02_ses-a_task-rest_bold.nii",
        "derivatives/x/sub-01/anat/sub-01_desc-preproc_T1w.nii.gz",
    ] {
        write_head(&path.join("raw").join(name));
    }
    fs::write(path.join("raw/dataset_description.json"), description).unwrap();
    translate(path, "raw", "raw/derivatives/synthetic", &[]).done();
    let output = path.join("raw/derivatives/synthetic");
    let first = "sub-01/anat/sub-01_desc-synthetic_T2w";
    let second = "sub-02/ses-a/anat/sub-02_ses-a_acq-fast_run-1_desc-synthetic_T2w";
    let expected = [
        "README".to_owned(),
        "dataset_description.json".to_owned(),
        format!("{first}.json"),
        format!("{first}.nii.gz"),
        format!("{second}.json"),
        format!("{second}.nii"),
    ];
    assert_eq!(files(&output), expected.into());

    let description = json(&output.join("dataset_description.json"));
    assert_eq!(description["DatasetType"], "derivative");
    assert_eq!(description["GeneratedBy"][0]["Name"], "mri-cyclegan");
    assert_eq!(description["DatasetLinks"]["source"], "../..");
    let sidecar = json(&output.join(format!("{first}.json")));
    assert_eq!(sidecar["Sources"], serde_json::json!(["bids:source:sub-01/anat/sub-01_T1w.nii.gz"]));
    assert_eq!((&sidecar["synthetic"], &sidecar["SkullStripped"]), (&true.into(), &false.into()));

    // The other direction into the same derivative, but nothing into a data set of somebody else.
    translate(path, "raw", "raw/derivatives/synthetic", &["--to", "t1"]).done();
    assert!(output.join("sub-01/anat/sub-01_desc-synthetic_T1w.nii.gz").is_file());
    fs::create_dir(path.join("other")).unwrap();
    fs::write(path.join("other/dataset_description.json"), r#"{"Name": "x", "BIDSVersion": "1.8.0"}"#)
        .unwrap();
    translate(path, "raw", "other", &[])
        .failed_naming(&["other/dataset_description.json", "another program"]);
    translate(path, "raw", "x", &["--format", "dicom"]).failed_naming(&["BIDS", "--format dicom"]);
    fs::remove_dir_all(path.join("raw/sub-01/anat")).unwrap();
    fs::remove_dir_all(path.join("raw/sub-02")).unwrap();
    translate(path, "raw", "x", &[]).failed_naming(&["raw", "*_T1w.nii"]);
}

#[test]
fn inspect_describes_volumes_and_series() {
    let folder = folder_with_model();
    let path = folder.path();
    dicom_study(path);
    let one = run(path, &["inspect", "head.nii.gz"]).done().stdout;
    for expected in ["1 volume", "NIfTI-1", "int16", "21 x 26 x 9 voxels", "LAS", "oblique by", "sform"] {
        assert!(one.contains(expected), "{expected:?} is missing in\n{one}");
    }
    let found: Value =
        serde_json::from_str(&run(path, &["inspect", "DICOM", "--json"]).done().stdout).unwrap();
    assert_eq!(found["kind"], "volumes");
    assert_eq!(found["volumes"].as_array().unwrap().len(), 2);
    for volume in found["volumes"].as_array().unwrap() {
        assert_eq!(
            (&volume["format"], &volume["modality"], &volume["files"]),
            (&"DICOM".into(), &"MR".into(), &9.into())
        );
        assert!(
            volume["intensity"]["p99"].as_f64().unwrap() > volume["intensity"]["median"].as_f64().unwrap()
        );
    }

    // Missing slices are named by their position; what is good is described all the same.
    fs::remove_file(path.join("DICOM/a/00004.dcm")).unwrap();
    let said = run(path, &["inspect", "DICOM"]);
    assert_eq!(said.code, Some(3));
    assert!(said.stdout.contains("unreadable  1") && said.stdout.contains(" mm"), "{}", said.stdout);
    translate(path, "DICOM/a", "out", &[]).failed_naming(&["DICOM/a", "mm"]);

    // Images beside volumes.
    save_head(&path.join("DICOM/s.png"), 15., T1);
    let words = run(path, &["inspect", "DICOM"]).stdout;
    assert!(
        words.contains("1 volume") && words.contains("1 image") && words.contains("36 x 40 px"),
        "{words}"
    );
}

/// A model of volumes, which sees the slices on both sides.
#[test]
fn a_model_of_volumes_with_neighbours_gives_intensities_of_its_training() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for (domain, scale) in [("t1", 1.), ("t2", 3.)] {
        for number in 0..3 {
            let mut volume = head_volume();
            volume.voxels.mapv_inplace(|value| value * scale + number as f32);
            let file = path.join(format!("{domain}/sub-0{number}.nii.gz"));
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            write_nifti(&file, &volume, DataType::F32, Existing::Refuse).unwrap();
        }
    }
    let train =
        ["train", "--t1", "t1", "--t2", "t2", "--out", "RUN", "--epochs", "1", "--set", "data.neighbours=1"];
    run(path, &[&train[..], &TINY].concat()).done();
    fs::copy(path.join("RUN/model.safetensors"), path.join("model.safetensors")).unwrap();

    let outputs = ["1", "3"].map(|batch| {
        translate(path, "t1/sub-01.nii.gz", &format!("{batch}.nii"), &["--batch", batch]).done();
        fs::read(path.join(format!("{batch}.nii"))).unwrap()
    });
    assert!(outputs[0] == outputs[1], "the batch changes nothing");
    let sidecar = json(&path.join("1.json"));
    assert_eq!(sidecar["neighbours"], 1);
    assert_eq!(sidecar["units"], "intensities of the training volumes");
    assert_eq!(sidecar["normalization"]["source"]["method"], "percentile");
    let volume = read_nifti(&path.join("1.nii")).unwrap();
    let knots = &sidecar["normalization"]["output"]["knots"];
    let [low, high] = [&knots[0][0], &knots[1][0]].map(|value| value.as_f64().unwrap() as f32);
    assert!(high > 3000. && volume.voxels.iter().all(|value| (low - 1.0..=high + 1.0).contains(value)));

    // A single image stands for its own neighbours.
    save_head(&path.join("slice.png"), 15., T1);
    translate(path, "slice.png", "out.png", &[]).done();
}

/// What the headers of the public test files say of patients, places and dates must not appear outside of DICOM.
#[test]
fn no_patient_data_leave_a_series() {
    let Some(data) = std::env::var_os("MRI_TEST_DATA").map(PathBuf::from) else {
        println!("skipped: MRI_TEST_DATA is not set");
        return;
    };
    let folder = folder_with_model();
    let path = folder.path();
    fs::create_dir(path.join("in")).unwrap();
    fs::copy(data.join("dicom/pydicom/MR_small.dcm"), path.join("in/1.dcm")).unwrap();
    let mut said = vec![
        translate(path, "in", "out.nii", &["--format", "nifti"]).done(),
        translate(path, "in", "dry", &["--dry-run"]).done(),
        run(path, &["inspect", "in"]).done(),
        run(path, &["inspect", "in", "--json"]).done(),
        translate(path, "in", "series", &[]).done(),
    ];
    said.push(translate(path, "in", "out.nii", &["--format", "nifti"]));
    let mut texts: Vec<Vec<u8>> =
        said.into_iter().flat_map(|said| [said.stdout.into_bytes(), said.stderr.into_bytes()]).collect();
    texts.extend(["out.nii", "out.json"].map(|name| fs::read(path.join(name)).unwrap()));
    // PatientName, PatientID, StudyDate, InstitutionName, SeriesInstanceUID
    for secret in ["CompressedSamples", "4MR1", "20040826", "TOSHIBA", "1.3.6.1.4.1.5962"] {
        for text in &texts {
            let there = text.windows(secret.len()).any(|part| part == secret.as_bytes());
            assert!(!there, "{secret} in {}", String::from_utf8_lossy(text));
        }
    }
}
