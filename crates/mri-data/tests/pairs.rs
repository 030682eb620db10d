//! Hidden pairs of phantoms and of the public set, and the public set through the whole way.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use mri_data::describe::describe;
use mri_data::geometry::{Canvas, Fit};
use mri_data::manifest::{Domain, discover};
use mri_data::normalize::Normalization;
use mri_data::pairing::{Thumbnail, suspected_pairs};
use mri_data::phantom::{SliceGrid, Subject};
use mri_data::slices::{Preparation, Slices, fit_normalizer};
use mri_data::source::resolve_domains;
use mri_data::split::{Amount, PerDomain, Split, split};
use ndarray::Array2;

fn phantom_thumbnails(
    seeds: std::ops::Range<u64>,
    take: fn(mri_data::phantom::PhantomSlice) -> Array2<f32>,
) -> Vec<Thumbnail> {
    let levels = [12.0, 24.0, 36.0, 48.0];
    let slice =
        |seed: u64, level: f32| Thumbnail::of(&take(Subject::new(seed).slice(level, &SliceGrid::square(96))));
    seeds.flat_map(|seed| levels.map(|level| slice(seed, level))).collect()
}

#[test]
fn pairs_of_one_phantom_are_found_and_other_subjects_are_not_suspected() {
    let t1 = phantom_thumbnails(1..4, |slice| slice.t1);
    let partners = phantom_thumbnails(1..4, |slice| slice.t2);
    let found = suspected_pairs(&t1, &partners);
    assert!(found.len() >= 11 && found.iter().all(|pair| pair.a == pair.b), "{found:?}");
    let strangers = phantom_thumbnails(11..15, |slice| slice.t2);
    assert_eq!(suspected_pairs(&t1, &strangers), []);
    assert_eq!(suspected_pairs(&[], &t1), []);
}

/// The public set under `MRI_TEST_DATA`, or nothing, with a printed line.
fn public_set() -> Option<PathBuf> {
    let folder = std::env::var_os("MRI_TEST_DATA").map(|data| Path::new(&data).join("slices"));
    if folder.is_none() {
        println!("skipped: MRI_TEST_DATA is not set");
    }
    folder
}

fn public_domains(root: &Path) -> Vec<Domain> {
    let (t1, t2) = resolve_domains(root, root).unwrap();
    vec![discover("t1", &t1).unwrap(), discover("t2", &t2).unwrap()]
}

#[test]
fn the_public_set_splits_into_its_held_out_block() {
    let Some(root) = public_set() else { return };
    let domains = public_domains(&root);
    assert_eq!(domains.iter().map(|domain| domain.slices.len()).collect::<Vec<_>>(), [43, 46]);
    assert!(domains.iter().all(|domain| domain.dropped.is_empty()));
    let by_count = split(&domains, &Split::Block { held_out: PerDomain::Same(Amount::Count(15)) }).unwrap();
    let first = BTreeMap::from([("t1".to_owned(), 41), ("t2".to_owned(), 111)]);
    let by_slice = split(&domains, &Split::FromSlice { first: PerDomain::Each(first) }).unwrap();
    for ((count, slice), first) in by_count.iter().zip(&by_slice).zip([41, 111]) {
        let numbers = |parts: &mri_data::split::Parts| -> Vec<u32> {
            parts.held_out.iter().map(|slice| slice.entry.slice.unwrap()).collect()
        };
        assert_eq!(numbers(count), (first..first + 15).collect::<Vec<_>>());
        assert_eq!(numbers(slice), numbers(count));
    }
}

#[test]
fn the_public_set_is_paired_and_every_pair_is_found() {
    let Some(root) = public_set() else { return };
    let (t1, t2) = resolve_domains(&root, &root).unwrap();
    let (t1, t2) = (describe(&t1), describe(&t2));
    assert_eq!((t1.images, t2.images), (43, 46));
    assert_eq!((t1.sizes[0], t1.bit_depths[0]), (((217, 181), 43), (8, 43)));
    let thumbnails = |of: &mri_data::describe::Description| {
        of.thumbnails.iter().map(|(_, t)| t.clone()).collect::<Vec<_>>()
    };
    let name = |path: &str| Path::new(path).file_name().unwrap().to_str().unwrap().to_owned();
    let found: BTreeSet<(String, String)> = suspected_pairs(&thumbnails(&t1), &thumbnails(&t2))
        .iter()
        .map(|pair| (name(&t1.thumbnails[pair.a].0), name(&t2.thumbnails[pair.b].0)))
        .collect();
    let csv = fs::read_to_string(root.join("pairs.csv")).unwrap();
    let truth: BTreeSet<(String, String)> = csv
        .lines()
        .skip(1)
        .filter_map(|line| line.split(',').skip(1).map(name_or_none).collect::<Option<Vec<_>>>())
        .map(|pair| (pair[0].clone(), pair[1].clone()))
        .collect();
    assert_eq!(truth.len(), 43);
    assert_eq!(found, truth);
}

fn name_or_none(path: &str) -> Option<String> {
    Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned())
}

#[test]
fn the_public_set_is_prepared_with_every_normalization() {
    let Some(root) = public_set() else { return };
    let domains = public_domains(&root);
    let canvas = Canvas { height_px: 128, width_px: 128, fit: Fit::Contain };
    for method in [
        Normalization::default(),
        Normalization::Percentile { low: 0.5, high: 99.8 },
        Normalization::ZScore {},
        Normalization::Nyul { low: 1.0, high: 99.8 },
    ] {
        for domain in &domains {
            let normalizer = fit_normalizer(&method, &domain.slices).unwrap();
            let slices = Slices::load(&domain.slices, Preparation::new(&normalizer, &canvas)).unwrap();
            assert_eq!((slices.len(), slices.size()), (domain.slices.len(), (128, 128)));
            for image in (0..slices.len()).map(|at| slices.image(at).unwrap()) {
                let (low, high) =
                    image.fold((1.0_f32, -1.0_f32), |(low, high), &v| (low.min(v), high.max(v)));
                assert!(low >= -1.0 && high <= 1.0 && high - low > 1.0, "{method:?}: {low} to {high}");
            }
        }
    }
}
