//! What must hold for every image.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mri_eval::baselines::{copy, invert};
use mri_eval::metrics::{mae, ms_ssim, nmi, nmse, pearson, psnr, ssim, ssim_map};
use mri_eval::monitoring::{SlicedWasserstein, histogram_distance, sliced_wasserstein};
use mri_eval::{EvalError, Range};
use ndarray::{Array2, s};
use proptest::prelude::*;

const RANGE: Range = Range::EIGHT_BIT;

fn image() -> impl Strategy<Value = Array2<f32>> {
    (11_usize..24, 11_usize..24).prop_flat_map(pixels)
}

fn pixels(shape: (usize, usize)) -> impl Strategy<Value = Array2<f32>> {
    proptest::collection::vec(0.0_f32..=255.0, shape.0 * shape.1)
        .prop_map(move |values| Array2::from_shape_vec(shape, values).unwrap())
}

fn pair() -> impl Strategy<Value = (Array2<f32>, Array2<f32>)> {
    (11_usize..24, 11_usize..24).prop_flat_map(|shape| (pixels(shape), pixels(shape)))
}

proptest! {
    #[test]
    fn an_exact_output_scores_perfectly(x in image()) {
        let v = x.view();
        prop_assert_eq!(psnr(v, v, RANGE).unwrap(), f64::INFINITY);
        prop_assert_eq!(mae(v, v).unwrap(), 0.0);
        prop_assert_eq!(nmse(v, v).unwrap(), 0.0);
        prop_assert!((ssim(v, v, RANGE).unwrap() - 1.0).abs() < 1e-12);
        prop_assert!((pearson(v, v).unwrap() - 1.0).abs() < 1e-12);
        prop_assert!((nmi(v, v, RANGE, RANGE).unwrap() - 2.0).abs() < 1e-12);
    }

    #[test]
    fn symmetric_metrics_are((x, y) in pair()) {
        let (x, y) = (x.view(), y.view());
        prop_assert_eq!(psnr(x, y, RANGE).unwrap(), psnr(y, x, RANGE).unwrap());
        prop_assert_eq!(mae(x, y).unwrap(), mae(y, x).unwrap());
        prop_assert!((ssim(x, y, RANGE).unwrap() - ssim(y, x, RANGE).unwrap()).abs() < 1e-12);
        prop_assert!((pearson(x, y).unwrap() - pearson(y, x).unwrap()).abs() < 1e-12);
        prop_assert!((nmi(x, y, RANGE, RANGE).unwrap() - nmi(y, x, RANGE, RANGE).unwrap()).abs() < 1e-12);
    }

    #[test]
    fn metrics_stay_in_their_bounds((x, y) in pair()) {
        prop_assert!(ssim_map(x.view(), y.view(), RANGE).unwrap().iter().all(|v| v.abs() <= 1.0));
        prop_assert!(pearson(x.view(), y.view()).unwrap().abs() <= 1.0);
        let nmi = nmi(x.view(), y.view(), RANGE, RANGE).unwrap();
        prop_assert!((1.0 - 1e-12..=2.0 + 1e-12).contains(&nmi));
    }

    #[test]
    fn twice_the_error_costs_six_decibels((truth, error) in pair()) {
        let once = &truth + &(&error * 0.25);
        let twice = &truth + &(&error * 0.5);
        let lost = psnr(once.view(), truth.view(), RANGE).unwrap() - psnr(twice.view(), truth.view(), RANGE).unwrap();
        prop_assert!((lost - 20.0 * 2.0_f64.log10()).abs() < 1e-3);
        let nmse = |output: &Array2<f32>| nmse(output.view(), truth.view()).unwrap();
        prop_assert!(nmse(&once) < nmse(&twice));
    }

    #[test]
    fn the_unit_of_the_range_does_not_matter((x, y) in pair()) {
        let (a, b) = (&x * 257.0, &y * 257.0);
        let sixteen = Range::SIXTEEN_BIT;
        let close = |a: f64, b: f64| (a - b).abs() < 1e-5;
        prop_assert!(close(psnr(x.view(), y.view(), RANGE).unwrap(), psnr(a.view(), b.view(), sixteen).unwrap()));
        prop_assert!(close(ssim(x.view(), y.view(), RANGE).unwrap(), ssim(a.view(), b.view(), sixteen).unwrap()));
        prop_assert!(copy(x.view(), RANGE, sixteen).iter().zip(&a).all(|(c, a)| (c - a).abs() < 0.01));
        prop_assert!(
            invert(x.view(), RANGE, sixteen).iter().zip(&invert(a.view(), sixteen, sixteen)).all(|(i, j)| (i - j).abs() < 0.02)
        );
    }

    #[test]
    fn pearson_of_a_negative_is_minus_one(x in image()) {
        let negative = x.mapv(|value| 255.0 - value);
        prop_assert!((pearson(negative.view(), x.view()).unwrap() + 1.0).abs() < 1e-6);
    }

    #[test]
    fn distances_between_sets_are_zero_for_one_set_and_grow_with_a_shift(x in image(), shift in 1_u8..50) {
        prop_assert_eq!(histogram_distance([x.view()], [x.view()], RANGE).unwrap(), 0.0);
        let x = x.mapv(|value| (value * 0.7).round());
        let shifted = x.mapv(|value| value + f32::from(shift));
        let distance = histogram_distance([shifted.view()], [x.view()], RANGE).unwrap();
        prop_assert!((distance - f64::from(shift)).abs() < 1e-9);
    }
}

#[test]
fn sliced_wasserstein_repeats_and_tells_texture_apart() {
    let smooth = Array2::from_shape_fn((48, 48), |(r, c)| (2 * r + 2 * c) as f32);
    let mut shuffled = smooth.clone();
    for (index, value) in shuffled.iter_mut().enumerate() {
        let other = index * 1009 % (48 * 48);
        *value = smooth[[other / 48, other % 48]];
    }
    let sampling = SlicedWasserstein::default();
    let distance = |a: &Array2<f32>, b: &Array2<f32>, sampling| {
        sliced_wasserstein(&[a.view()], &[b.view()], RANGE, sampling).unwrap()
    };
    let to_itself = distance(&smooth, &smooth, sampling);
    let to_shuffled = distance(&shuffled, &smooth, sampling);
    assert_eq!(histogram_distance([shuffled.view()], [smooth.view()], RANGE).unwrap(), 0.0);
    assert!(to_shuffled > 5.0 * to_itself, "{to_shuffled} against {to_itself}");
    assert_eq!(to_itself, distance(&smooth, &smooth, sampling));
    assert_ne!(to_itself, distance(&smooth, &smooth, SlicedWasserstein { seed: 1, ..sampling }));
}

#[test]
fn bad_input_is_a_typed_error() {
    let x = Array2::from_shape_fn((20, 30), |(r, c)| (r * c) as f32);
    let constant = Array2::<f32>::zeros((20, 30));
    let v = x.view();
    let mismatch = EvalError::ShapeMismatch { expected: vec![20, 30], found: vec![20, 29] };
    assert_eq!(psnr(x.slice(s![.., 1..]), v, RANGE), Err(mismatch.clone()));
    assert_eq!(ssim(x.slice(s![.., 1..]), v, RANGE), Err(mismatch));

    let mut broken = x.clone();
    broken[[3, 4]] = f32::INFINITY;
    for metric in [mae, nmse, pearson] {
        let error = metric(broken.view(), v).unwrap_err();
        assert_eq!(error, EvalError::NotFinite { what: "the output", value: f32::INFINITY });
    }
    broken[[3, 4]] = f32::NAN;
    assert!(matches!(ssim(v, broken.view(), RANGE), Err(EvalError::NotFinite { what: "the truth", .. })));

    assert!(matches!(nmse(v, constant.view()), Err(EvalError::Undefined { .. })));
    assert!(matches!(pearson(constant.view(), v), Err(EvalError::Undefined { .. })));
    assert!(matches!(nmi(constant.view(), constant.view(), RANGE, RANGE), Err(EvalError::Undefined { .. })));
    assert!(matches!(ms_ssim(v, v, RANGE), Err(EvalError::TooSmall { minimum_px: 161, .. })));
    let narrow = x.slice(s![.., ..10]);
    assert!(matches!(ssim(narrow, narrow, RANGE), Err(EvalError::TooSmall { minimum_px: 11, .. })));
    let none = x.slice(s![..0, ..]);
    assert!(matches!(psnr(none, none, RANGE), Err(EvalError::Empty { .. })));

    assert!(matches!(mri_eval::foreground::foreground(constant.view()), Err(EvalError::Undefined { .. })));
    let nothing = Array2::from_elem((20, 30), false);
    let empty_mask = Err(EvalError::Empty { what: "the mask" });
    assert_eq!(mri_eval::foreground::select(v, nothing.view()), empty_mask);
    assert!(Range::new(0.0, f32::NAN).is_err());
    assert!(Range::new(2.0, 1.0).is_err());
}
