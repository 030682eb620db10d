//! Calibration against NumPy and SciPy (`goldens.py`), on exact Gaussians, and on what it must refuse.
#![allow(clippy::unwrap_used)]

use mri_eval::EvalError;
use mri_eval::calibration::{BINS, Bin, Calibration, Pixels};
use ndarray::Array2;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

#[track_caller]
fn assert_close(found: impl Into<Option<f64>>, expected: f64, tolerance: f64) {
    let found = found.into().unwrap();
    assert!((found - expected).abs() <= tolerance, "found {found}, expected {expected}");
}

/// Standard deviations that repeat, and errors of up to twice as much: `goldens.py`.
fn pattern() -> (Array2<f32>, Array2<f32>, Array2<bool>) {
    let sd = Array2::from_shape_fn((37, 29), |(r, c)| ((r * 37 + c * 101) % 50 + 1) as f32 / 4.0);
    let noise = |r: usize, c: usize| ((r * 7919 + c * 104_729 + r * c * 31) % 33) as f32 / 8.0 - 2.0;
    let error = Array2::from_shape_fn((37, 29), |(r, c)| sd[[r, c]] * noise(r, c));
    (sd, error, Array2::from_shape_fn((37, 29), |(r, c)| (r + 2 * c) % 3 > 0))
}

fn calibration_of(sd: &Array2<f32>, error: &Array2<f32>, mask: &Array2<bool>) -> Calibration {
    let mut pixels = Pixels::default();
    let truth = Array2::zeros(error.dim());
    pixels.add(error.view(), truth.view(), sd.view(), mask.view()).unwrap();
    pixels.calibration(3).unwrap()
}

#[test]
fn all_figures_equal_numpy_and_scipy() {
    let (sd, error, mask) = pattern();
    let found = calibration_of(&sd, &error, &mask);
    assert_eq!((found.pixels, found.reliability.len()), (715, BINS));
    let [first, .., last] = found.reliability.as_slice() else { panic!("too few bins") };
    assert_close(first.sd, 0.798218502527834, 1e-9);
    assert_close(first.rmse, 0.8983959833402776, 1e-9);
    assert_close(last.sd, 12.029563056235403, 1e-9);
    assert_close(last.rmse, 14.913008828078189, 1e-9);
    assert_close(found.ence, 0.19692954914797806, 1e-9);
    assert_close(found.spearman, 0.685856913958979, 1e-9);
    let tenth = found.most_uncertain_tenth.unwrap();
    assert_close(tenth.share, 0.19078921575033653, 1e-9);
    assert_close(tenth.at_best, 0.2876540467073537, 1e-9);
    assert_close(found.within_1_sd.share, 0.5286713286713287, 1e-9);
    assert_close(found.within_2_sd.share, 1.0, 0.0);
    assert_close(found.scale, 1.2201568366224365, 1e-9);
}

#[test]
fn expected_coverage_is_that_of_students_t() {
    let (sd, error, mask) = pattern();
    let mut pixels = Pixels::default();
    pixels.add(error.view(), Array2::zeros(error.dim()).view(), sd.view(), mask.view()).unwrap();
    for (members, one, two) in [
        (2, 0.43590578315102513, 0.6501982877189572),
        (3, 0.5222329678670936, 0.7745966692414834),
        (4, 0.563002379111599, 0.8284140716665243),
        (5, 0.5870456334488514, 0.8580725522259445),
        (8, 0.6228289373867779, 0.8986741236314766),
        (50, 0.6730335703451142, 0.9467001717669459),
    ] {
        let found = pixels.calibration(members).unwrap();
        assert_close(found.within_1_sd.expected, one, 1e-12);
        assert_close(found.within_2_sd.expected, two, 1e-12);
    }
}

/// Draws of a Gaussian (Box and Muller, 1958), `count` in each of as many rows as asked for.
fn gaussians(rows: usize, count: usize) -> Array2<f64> {
    let mut random = ChaCha8Rng::seed_from_u64(6);
    Array2::from_shape_fn((rows, count), |_| {
        let (u, v): (f64, f64) = (random.random(), random.random());
        (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    })
}

/// Members and truth are draws of one Gaussian whose width differs from pixel to pixel: what "expected" means.
#[test]
fn members_that_are_right_have_the_expected_coverage_and_scale() {
    const MEMBERS: usize = 5;
    let side = 200;
    let draws = gaussians(side * side, MEMBERS + 1);
    let (mut sd, mut error) = (Array2::zeros((side, side)), Array2::zeros((side, side)));
    for (index, draws) in draws.outer_iter().enumerate() {
        let at = [index / side, index % side];
        let width = 1.0 + (index % 13) as f64;
        let (truth, members) = (draws[0], draws.slice(ndarray::s![1..]));
        sd[at] = (width * members.std(1.0)) as f32;
        error[at] = (width * (members.mean().unwrap() - truth)) as f32;
    }
    let mut pixels = Pixels::default();
    let all = Array2::from_elem(sd.dim(), true);
    pixels.add(error.view(), Array2::zeros(sd.dim()).view(), sd.view(), all.view()).unwrap();
    let found = pixels.calibration(MEMBERS).unwrap();
    assert_close(found.within_1_sd.share, found.within_1_sd.expected, 0.02);
    assert_close(found.within_2_sd.share, found.within_2_sd.expected, 0.02);
    assert_close(found.scale, found.expected_scale, 0.03);
    assert!(found.spearman.unwrap() > 0.3);
}

#[test]
fn an_exact_uncertainty_is_perfect_and_one_that_is_constant_says_nothing() {
    let (sd, _, mask) = pattern();
    let exact = calibration_of(&sd, &-&sd, &mask);
    assert_close(exact.ence, 0.0, 1e-12);
    assert_close(exact.spearman, 1.0, 1e-12);
    assert_close(exact.scale, 1.0, 1e-12);
    let tenth = exact.most_uncertain_tenth.unwrap();
    assert_eq!(tenth.share, tenth.at_best);

    let (_, error, _) = pattern();
    let constant = calibration_of(&Array2::from_elem(sd.dim(), 2.0), &error, &mask);
    assert_eq!(constant.spearman, None);
    let half = calibration_of(&sd.mapv(|sd| sd / 2.0), &error, &mask);
    assert_close(half.scale.unwrap(), 2.0 * calibration_of(&sd, &error, &mask).scale.unwrap(), 1e-9);
}

#[test]
fn ratios_to_a_deviation_of_zero_have_no_value() {
    let (sd, error, mask) = pattern();
    let found = calibration_of(&Array2::zeros(sd.dim()), &error, &mask);
    assert_eq!((found.ence, found.scale, found.spearman), (None, None, None));
    assert_eq!(calibration_of(&sd, &Array2::zeros(sd.dim()), &mask).most_uncertain_tenth, None);
}

#[test]
fn of_many_pixels_few_are_kept_from_all_over() {
    let truth = Array2::zeros((1, 1000));
    let mask = Array2::from_elem((1, 1000), true);
    let mut pixels = Pixels::at_most(64);
    for row in 0..10 {
        let rising = Array2::from_shape_fn((1, 1000), |(_, column)| (1000 * row + column) as f32);
        pixels.add(rising.view(), truth.view(), rising.view(), mask.view()).unwrap();
    }
    let found = pixels.calibration(2).unwrap();
    assert!((32..=64).contains(&found.pixels), "{}", found.pixels);
    let [Bin { sd: lowest, .. }, .., Bin { sd: highest, .. }] = found.reliability.as_slice() else {
        panic!("too few bins")
    };
    assert!(*lowest < 1000.0 && *highest > 9000.0, "{lowest} {highest}");
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let (sd, error, mask) = pattern();
    let truth = Array2::zeros(sd.dim());
    let mut pixels = Pixels::default();
    let small = Array2::zeros((3, 3));
    assert!(matches!(
        pixels.add(error.view(), truth.view(), small.view(), mask.view()),
        Err(EvalError::ShapeMismatch { .. })
    ));
    let negative = sd.mapv(|sd| sd - 1.0);
    assert!(matches!(
        pixels.add(error.view(), truth.view(), negative.view(), mask.view()),
        Err(EvalError::Undefined { .. })
    ));
    assert!(matches!(pixels.calibration(3), Err(EvalError::Undefined { .. })));
    pixels.add(error.view(), truth.view(), sd.view(), mask.view()).unwrap();
    assert!(matches!(pixels.calibration(1), Err(EvalError::Undefined { .. })));
}
