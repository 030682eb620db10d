//! The folder that `write_dataset` leaves, and what it does with what is there already.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use mri_data::DataError;
use mri_data::image::read_image;
use mri_data::phantom::{
    DatasetOptions, Existing, Lesions, holds_dataset, holds_older_dataset, write_dataset,
};

fn small() -> DatasetOptions {
    DatasetOptions {
        train_subjects: 2,
        validation_subjects: 1,
        test_subjects: 2,
        slices_per_subject: 3,
        size_px: 32,
        lesions: Lesions::Test,
        ..DatasetOptions::default()
    }
}

/// All files below a folder with their contents.
fn contents(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
                files.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    files
}

fn subjects(files: &BTreeMap<String, Vec<u8>>, folder: &str) -> BTreeSet<String> {
    let names = files.keys().filter_map(|name| name.strip_prefix(folder)?.strip_suffix(".png"));
    names.map(|name| name.split_once("_slice-").unwrap().0.to_owned()).collect()
}

#[test]
fn the_parts_share_no_subject_and_every_pair_exists() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("new/phantom");
    write_dataset(&dir, &small(), Existing::Refuse).unwrap();
    let files = contents(&dir);

    let of = |folder: &str| subjects(&files, folder);
    assert_eq!(of("train/t1/").len(), 2);
    assert_eq!(of("train/t1/"), of("train_partners/t2/"));
    assert_eq!(of("train/t2/"), of("train_partners/t1/"));
    for part in ["validation", "test"] {
        for kind in ["t2", "labels"] {
            assert_eq!(of(&format!("{part}/t1/")), of(&format!("{part}/{kind}/")), "{part}/{kind}");
        }
    }
    assert_eq!(of("test/t1/"), of("test/lesions/"));
    assert!(of("validation/lesions/").is_empty(), "lesions choose no checkpoint");
    let parts = ["train/t1/", "train/t2/", "validation/t1/", "test/t1/"].map(of);
    assert_eq!(
        parts.iter().map(BTreeSet::len).sum::<usize>(),
        parts.iter().flatten().collect::<BTreeSet<_>>().len()
    );

    for (part, pairs) in [("train", 12), ("validation", 3), ("test", 6)] {
        let table = fs::read_to_string(dir.join(part).join("pairs.csv")).unwrap();
        let mut lines = table.lines();
        let columns = match part {
            "train" => "t1,t2,subject",
            "validation" => "t1,t2,subject,labels",
            _ => "t1,t2,subject,labels,lesions",
        };
        assert_eq!(lines.next(), Some(columns));
        let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
        assert_eq!(rows.len(), pairs, "{part}");
        for row in rows {
            let [t1, t2] = [row[0], row[1]].map(|path| dir.join(part).join(path));
            assert_eq!(t1.file_name(), t2.file_name());
            assert!(t1.file_name().unwrap().to_string_lossy().starts_with(row[2]));
            let [t1, t2] = [t1, t2].map(|path| read_image(&path).unwrap().pixels);
            assert_eq!(t1.dim(), (32, 32));
            assert_ne!(t1, t2);
            for truth in &row[3..] {
                assert_eq!(read_image(&dir.join(part).join(truth)).unwrap().pixels.dim(), (32, 32));
            }
        }
    }
}

#[test]
fn the_same_options_give_the_same_bytes_for_any_number_of_threads() {
    let scratch = tempfile::tempdir().unwrap();
    let [one, four] = [1, 4].map(|threads| {
        let dir = scratch.path().join(threads.to_string());
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| write_dataset(&dir, &small(), Existing::Refuse)).unwrap();
        contents(&dir)
    });
    assert_eq!(one, four);
}

#[test]
fn lesions_change_the_test_part_alone() {
    let scratch = tempfile::tempdir().unwrap();
    let [healthy, ill] = [Lesions::Absent, Lesions::Test].map(|lesions| {
        let dir = scratch.path().join(format!("{lesions:?}"));
        write_dataset(&dir, &DatasetOptions { lesions, size_px: 64, ..small() }, Existing::Refuse).unwrap();
        contents(&dir)
    });
    let differing = ill.iter().filter(|(name, bytes)| healthy.get(*name) != Some(bytes));
    let differing: BTreeSet<&str> =
        differing.filter_map(|(name, _)| name.rsplit_once('/')).map(|(f, _)| f).collect();
    let expected = ["test", "test/labels", "test/lesions", "test/t1", "test/t2"];
    assert_eq!(differing, BTreeSet::from(expected));
}

#[test]
fn a_data_set_of_an_older_version_is_known() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("phantom");
    write_dataset(&dir, &small(), Existing::Refuse).unwrap();
    assert!(!holds_older_dataset(&dir, &small()), "it is of this version");
    let path = dir.join("phantom.json");
    let text = fs::read_to_string(&path).unwrap();
    let version = text.lines().find(|line| line.contains("phantom_version")).unwrap();
    let older = text.replace(version, "  \"phantom_version\": 1,").replace("\"test\"", "\"absent\"");
    fs::write(&path, older).unwrap();
    assert!(!holds_dataset(&dir, &small()) && holds_older_dataset(&dir, &small()));
    assert!(!holds_older_dataset(&dir, &DatasetOptions { seed: 1, ..small() }), "another data set");
    assert!(!holds_older_dataset(scratch.path(), &small()), "nothing there");
}

#[test]
fn only_a_phantom_is_replaced_and_only_when_told() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("phantom");
    let other = DatasetOptions { seed: 1, ..small() };
    write_dataset(&dir, &small(), Existing::Refuse).unwrap();
    let before = contents(&dir);
    assert!(
        matches!(write_dataset(&dir, &other, Existing::Refuse), Err(DataError::Exists { path }) if path == dir)
    );
    assert_eq!(contents(&dir), before);
    assert!(holds_dataset(&dir, &small()) && !holds_dataset(&dir, &other));

    write_dataset(&dir, &other, Existing::Replace).unwrap();
    assert!(holds_dataset(&dir, &other));
    assert_ne!(contents(&dir), before);

    let precious = scratch.path().join("precious");
    fs::create_dir(&precious).unwrap();
    fs::write(precious.join("thesis.txt"), "mine").unwrap();
    assert!(matches!(write_dataset(&precious, &other, Existing::Replace), Err(DataError::Exists { .. })));
    assert_eq!(contents(&precious).len(), 1);
    let left: Vec<_> =
        fs::read_dir(scratch.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "no temporary folder stays: {left:?}");
}

#[test]
fn options_without_slices_are_refused_by_name_and_write_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("phantom");
    for (options, name) in [
        (DatasetOptions { train_subjects: 0, ..small() }, "train_subjects"),
        (DatasetOptions { size_px: 3, ..small() }, "size_px"),
        (DatasetOptions { levels_mm: [10.0, f32::NAN], ..small() }, "levels_mm"),
        (DatasetOptions { slices_per_subject: 99, ..small() }, "slices_per_subject"),
    ] {
        let message = write_dataset(&dir, &options, Existing::Refuse).unwrap_err().to_string();
        assert!(message.starts_with(name), "{message}");
        assert!(!dir.exists());
    }
}
