//! The order of samples.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;

use mri_data::DataError;
use mri_data::augment::AugmentConfig;
use mri_data::loader::UnpairedLoader;
use mri_data::slices::Slices;
use ndarray::Array2;

fn prepared(count: usize, offset: f32) -> Slices {
    let image = |index: usize| {
        Array2::from_shape_fn((6, 5), |(row, column)| {
            (offset + index as f32 * 0.02 + (row * 5 + column) as f32 * 1e-4).clamp(-1.0, 1.0)
        })
    };
    Slices::new((0..count).map(image).collect()).unwrap()
}

type Values = Vec<(Vec<f32>, Vec<f32>)>;

fn values(loader: &UnpairedLoader, epoch: usize) -> Values {
    let flat = |tensor: &candle_core::Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    loader
        .epoch(epoch)
        .map(|item| {
            let (a, b) = item.unwrap();
            assert_eq!((a.dims(), b.dims()), (&[1, 6, 5][..], &[1, 6, 5][..]));
            (flat(&a), flat(&b))
        })
        .collect()
}

fn augmented() -> AugmentConfig {
    AugmentConfig { flip_probability: 0.5, shift: 0.1, noise_sd: 0.05, ..AugmentConfig::default() }
}

#[test]
fn samples_are_the_same_for_any_number_of_threads() {
    let loader = UnpairedLoader::new(prepared(23, -0.9), prepared(9, 0.3), augmented(), 5);
    let on_none = values(&loader.clone().threads(0), 3);
    for threads in [1, 2, 4, 64] {
        assert_eq!(values(&loader.clone().threads(threads), 3), on_none, "{threads} threads");
    }
    assert_ne!(values(&loader, 4), on_none, "another epoch");
    let other_seed = UnpairedLoader::new(prepared(23, -0.9), prepared(9, 0.3), augmented(), 6);
    assert_ne!(values(&other_seed, 3), on_none, "another seed");
}

#[test]
fn an_epoch_visits_each_image_of_a_once_and_draws_b_apart_from_it() {
    let (a, b) = (prepared(40, -0.9), prepared(30, 0.3));
    let loader = UnpairedLoader::new(a.clone(), b.clone(), AugmentConfig::default(), 1);
    let position = |slices: &Slices, values: &[f32]| {
        (0..slices.len()).position(|at| slices.image(at).unwrap().iter().eq(values)).unwrap()
    };
    let epoch = values(&loader, 0);
    let visited: Vec<usize> = epoch.iter().map(|(of_a, _)| position(&a, of_a)).collect();
    let drawn: Vec<usize> = epoch.iter().map(|(_, of_b)| position(&b, of_b)).collect();
    assert_eq!(visited.iter().collect::<BTreeSet<_>>().len(), 40);
    assert!(visited.windows(2).any(|pair| pair[0] > pair[1]), "shuffled");
    let distinct = drawn.iter().collect::<BTreeSet<_>>().len();
    assert!((10..30).contains(&distinct), "drawn with replacement: {distinct} of 30");
    assert!(visited.iter().zip(&drawn).filter(|(a, b)| a == b).count() < 10);
}

#[test]
fn an_epoch_can_be_left_early() {
    let loader =
        UnpairedLoader::new(prepared(50, -0.9), prepared(50, 0.3), AugmentConfig::default(), 1).threads(3);
    assert_eq!(loader.len(), 50);
    assert_eq!(loader.epoch(0).size_hint(), (50, Some(50)));
    let first: Values = values(&loader, 0);
    for _ in 0..20 {
        let taken = loader
            .epoch(0)
            .take(2)
            .map(|item| item.unwrap().0.flatten_all().unwrap().to_vec1::<f32>().unwrap());
        assert!(taken.zip(&first).all(|(again, (before, _))| again == *before));
    }
}

#[test]
fn slices_must_exist_and_agree_in_size() {
    assert!(matches!(Slices::new(Vec::new()), Err(DataError::Setting { .. })));
    assert!(Slices::new(vec![Array2::zeros((2, 2)), Array2::zeros((2, 3))]).is_err());
}
