//! From files to a data set: names, manifest, near-blank slices, and splits without leaks.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use mri_data::describe::describe;
use mri_data::image::{BitDepth, Image, write_image};
use mri_data::manifest::{Domain, Manifest, discover};
use mri_data::naming::subject_and_slice;
use mri_data::source::list_images;
use mri_data::split::{Amount, PerDomain, Split, split};
use ndarray::Array2;
use tempfile::{TempDir, tempdir};

#[test]
fn subjects_and_slices_are_read_from_names() {
    let cases = [
        ("sub-01/ses-1/anat/sub-01_ses-1_slice-041_T1w.png", "sub-01", Some(41)),
        ("sub-01/anat/12.png", "sub-01", Some(12)),
        ("sub-control07_T2w.png", "sub-control07", None),
        ("subject-003_slice-041.png", "subject-003", Some(41)),
        ("Subject_3 slice 7.tif", "subject-3", Some(7)),
        ("patient12/t1/z005.png", "patient-12", Some(5)),
        ("case 9/30.png", "case-9", Some(30)),
        ("Image #48.png", "TrainT1", Some(48)),
        ("Tr1/TrainT1/Image #48.png", "Tr1/TrainT1", Some(48)),
        ("0042/T1/img_100.png", "0042", Some(100)),
        ("subtraction_5.png", "TrainT1", Some(5)),
        ("brain.png", "TrainT1", None),
        ("99999999999999999999.png", "TrainT1", None),
    ];
    for (path, subject, slice) in cases {
        assert_eq!(subject_and_slice(Path::new(path), "TrainT1"), (subject.to_owned(), slice), "{path}");
    }
}

/// Writes a disc whose brightness and place depend on `value`.
fn disc(path: &Path, value: usize) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let inside =
        |row: usize, column: usize| row.abs_diff(10 + value % 5).pow(2) + column.abs_diff(12).pow(2) < 60;
    let pixels = Array2::from_shape_fn((24, 22), |(row, column)| {
        if inside(row, column) { 80.0 + value as f32 + ((row * column) % 9) as f32 } else { 0.0 }
    });
    write_image(path, &Image { pixels, depth: BitDepth::Eight }).unwrap();
}

/// Two domains: subjects 0 to 5 in t1, 3 to 8 in t2, with eight slices each.
fn two_domains() -> (TempDir, Vec<Domain>) {
    let folder = tempdir().unwrap();
    for (domain, subjects) in [("t1", 0..6), ("t2", 3..9)] {
        for subject in subjects {
            for slice in 0..8 {
                let name = format!("{domain}/subject-{subject}_slice-{}.png", slice + 5);
                disc(&folder.path().join(name), subject * 8 + slice);
            }
        }
    }
    let found =
        ["t1", "t2"].map(|name| discover(name, &list_images(&folder.path().join(name)).unwrap()).unwrap());
    (folder, found.into())
}

#[test]
fn discovery_orders_by_subject_and_slice_number() {
    let (_folder, domains) = two_domains();
    let order: Vec<_> =
        domains[0].slices.iter().map(|slice| (slice.entry.subject.clone(), slice.entry.slice)).collect();
    let expected: Vec<_> = (0..6)
        .flat_map(|subject| (5..13).map(move |slice| (format!("subject-{subject}"), Some(slice))))
        .collect();
    assert_eq!(order, expected);
    let first = &domains[0].slices[0].entry;
    assert_eq!((first.height_px, first.width_px, first.depth), (24, 22, BitDepth::Eight));
}

#[test]
fn near_blank_slices_are_dropped_and_counted() {
    let folder = tempdir().unwrap();
    for slice in 0..6 {
        disc(&folder.path().join(format!("{slice}.png")), slice);
    }
    let blank = |name: &str, f: &dyn Fn(usize, usize) -> f32| {
        let pixels = Array2::from_shape_fn((24, 22), |(row, column)| f(row, column));
        write_image(&folder.path().join(name), &Image { pixels, depth: BitDepth::Eight }).unwrap();
    };
    blank("black.png", &|_, _| 0.0);
    blank("flat.png", &|_, _| 90.0);
    blank("noise.png", &|row, column| ((row * 7 + column * 3) % 5) as f32);
    blank("speck.png", &|row, column| if (row, column) == (12, 12) { 200.0 } else { 0.0 });
    let images = list_images(folder.path()).unwrap();
    let found = discover("t1", &images).unwrap();
    let dropped: Vec<_> = found.dropped.iter().map(|dropped| dropped.path.as_str()).collect();
    assert_eq!(dropped, ["black.png", "flat.png", "noise.png", "speck.png"]);
    assert_eq!(found.slices.len(), 6);
    assert_eq!(describe(&images).near_blank, dropped);
    let blank_only: Vec<_> =
        images.iter().filter(|image| image.display().contains("black")).cloned().collect();
    assert!(
        discover("t1", &blank_only).unwrap_err().to_string().contains("domain t1: all 1 slices are blank")
    );
}

#[test]
fn a_manifest_hash_tells_any_change_of_the_bytes() {
    let (folder, domains) = two_domains();
    let before = Manifest::new(&domains);
    assert_eq!(before.entries.len(), 96);
    assert_eq!(Manifest::new(&domains).hash(), before.hash());
    let text = serde_json::to_string(&before).unwrap();
    assert_eq!(serde_json::from_str::<Manifest>(&text).unwrap(), before);
    disc(&folder.path().join("t1/subject-0_slice-5.png"), 40);
    let changed = discover("t1", &list_images(&folder.path().join("t1")).unwrap()).unwrap();
    assert_ne!(Manifest::new(&[changed, domains[1].clone()]).hash(), before.hash());
}

#[test]
fn files_shared_by_the_domains_are_found() {
    let (_folder, domains) = two_domains();
    // Subjects 3 to 5 are written the same in both.
    let manifest = Manifest::new(&domains);
    let shared = manifest.shared_files();
    assert_eq!(shared.len(), 24);
    assert!(shared.iter().all(|(a, b)| a.domain == "t1" && b.domain == "t2" && a.path == b.path));
}

#[test]
fn an_unreadable_image_is_named_by_discovery_and_passed_over_by_describe() {
    let (folder, _) = two_domains();
    fs::write(folder.path().join("t1/subject-1_slice-6.png"), b"").unwrap();
    let images = list_images(&folder.path().join("t1")).unwrap();
    let error = discover("t1", &images).unwrap_err().to_string();
    assert!(error.contains("subject-1_slice-6.png: the file is empty"), "{error}");
    let described = describe(&images);
    assert_eq!((described.images, described.subjects), (47, 6));
    assert_eq!(described.unreadable.len(), 1);
    assert!(described.unreadable[0].1.contains("the file is empty"));
    assert_eq!(described.sizes, [((24, 22), 47)]);
    assert_eq!(described.bit_depths, [(8, 47)]);
    assert_eq!(described.intensity.histogram.iter().sum::<u64>(), 47 * 24 * 22);
    assert_eq!((described.intensity.min, described.intensity.max), (0.0, 80.0 + 47.0 + 8.0));
}

fn subjects(slices: &[mri_data::manifest::Slice]) -> BTreeSet<String> {
    slices.iter().map(|slice| slice.entry.subject.clone()).collect()
}

#[test]
fn a_subject_held_out_of_one_domain_trains_in_none() {
    let (_folder, domains) = two_domains();
    for held_out in [Amount::Count(2), Amount::Fraction(0.3), Amount::Count(1)] {
        let parts = split(&domains, &Split::Subject { held_out: PerDomain::Same(held_out) }).unwrap();
        let train: BTreeSet<_> = parts.iter().flat_map(|part| subjects(&part.train)).collect();
        let held: BTreeSet<_> = parts.iter().flat_map(|part| subjects(&part.held_out)).collect();
        assert!(train.is_disjoint(&held), "{held_out:?}");
        assert!(held.contains("subject-5") && held.contains("subject-8"));
        for (part, domain) in parts.iter().zip(&domains) {
            assert_eq!(part.train.len() + part.held_out.len(), domain.slices.len());
        }
    }
}

#[test]
fn a_block_is_the_end_of_each_subject() {
    let (_folder, domains) = two_domains();
    let each =
        BTreeMap::from([("t1".to_owned(), Amount::Count(3)), ("t2".to_owned(), Amount::Fraction(0.25))]);
    let parts = split(&domains, &Split::Block { held_out: PerDomain::Each(each) }).unwrap();
    for (part, count) in parts.iter().zip([3, 2]) {
        assert_eq!(part.held_out.len(), 6 * count);
        assert!(part.held_out.iter().all(|slice| slice.entry.slice.unwrap() > 12 - count as u32));
        assert!(part.train.iter().all(|slice| slice.entry.slice.unwrap() <= 12 - count as u32));
    }
}

#[test]
fn splits_without_meaning_are_refused() {
    let (folder, domains) = two_domains();
    let refused = |domains: &[Domain], rule: Split| split(domains, &rule).unwrap_err().to_string();
    let same = |amount| PerDomain::Same(amount);
    assert!(
        refused(&domains, Split::Block { held_out: same(Amount::Count(8)) }).contains("no slice to train on")
    );
    assert!(
        refused(&domains, Split::Block { held_out: same(Amount::Fraction(1.5)) }).contains("between 0 and 1")
    );
    assert!(
        refused(&domains, Split::FromSlice { first: PerDomain::Same(99) }).contains("holds out no slice")
    );
    let only_t1 = PerDomain::Each(BTreeMap::from([("t1".to_owned(), 10)]));
    assert!(refused(&domains, Split::FromSlice { first: only_t1 }).contains("domain t2"));
    let one = folder.path().join("one");
    (0..4).for_each(|slice| disc(&one.join(format!("{slice}.png")), slice));
    let one = [discover("t1", &list_images(&one).unwrap()).unwrap()];
    assert!(refused(&one, Split::Subject { held_out: same(Amount::Count(1)) }).contains("split by block"));
    assert_eq!(split(&one, &Split::None).unwrap()[0].train.len(), 4);
}

#[test]
fn splits_are_written_as_tables() {
    let parse = |text: &str| serde_json::from_str::<Split>(text);
    assert_eq!(parse(r#"{"by": "none"}"#).unwrap(), Split::None);
    assert_eq!(
        parse(r#"{"by": "block", "held_out": 15}"#).unwrap(),
        Split::Block { held_out: PerDomain::Same(Amount::Count(15)) }
    );
    assert_eq!(
        parse(r#"{"by": "subject", "held_out": 0.2}"#).unwrap(),
        Split::Subject { held_out: PerDomain::Same(Amount::Fraction(0.2)) }
    );
    let first = BTreeMap::from([("t1".to_owned(), 41), ("t2".to_owned(), 111)]);
    let from_slice = Split::FromSlice { first: PerDomain::Each(first) };
    let text = r#"{"by":"from-slice","first":{"t1":41,"t2":111}}"#;
    assert_eq!(parse(text).unwrap(), from_slice);
    assert_eq!(serde_json::to_string(&from_slice).unwrap(), text);
    assert!(parse(r#"{"by": "block", "heldout": 15}"#).is_err());
}
