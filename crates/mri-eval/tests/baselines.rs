//! Baselines on cases small enough to work out by hand.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mri_eval::baselines::{LevelCounts, LookupFit, copy, fit_histogram_match, invert, nearest};
use mri_eval::{EvalError, Range};
use ndarray::{Array2, array};

const RANGE: Range = Range::EIGHT_BIT;

#[test]
fn copy_rescales_between_ranges() {
    let source = array![[0.0, 51.0, 255.0]];
    assert_eq!(copy(source.view(), RANGE, RANGE), source);
    assert_eq!(copy(source.view(), RANGE, Range::new(-1.0, 1.0).unwrap()), array![[-1.0, -0.6, 1.0]]);
}

#[test]
fn invert_keeps_air_black() {
    let source = array![[0.0, 20.0, 21.0, 255.0]];
    assert_eq!(invert(source.view(), RANGE, RANGE), array![[0.0, 0.0, 234.0, 0.0]]);
}

#[test]
fn lookup_table_is_the_conditional_mean_with_gaps_interpolated() {
    let mut fit = LookupFit::new(RANGE);
    fit.add(array![[10.0, 10.0, 20.0]].view(), array![[100.0, 110.0, 205.0]].view()).unwrap();
    let curve = fit.curve().unwrap();
    let output = curve.apply(array![[0.0, 10.0, 15.0, 20.0, 255.0, 10.5]].view());
    assert_eq!(output, array![[105.0, 105.0, 155.0, 205.0, 205.0, 110.0]]);
}

#[test]
fn leaving_a_pair_out_equals_never_adding_it() {
    let images = |k: usize| Array2::from_shape_fn((5, 7), |(r, c)| ((r * 37 + c * 11 * k) % 256) as f32);
    let (mut all, mut own, mut rest) = (LookupFit::new(RANGE), LookupFit::new(RANGE), LookupFit::new(RANGE));
    for k in 1..4 {
        let (source, target) = (images(k), images(k + 5));
        all.add(source.view(), target.view()).unwrap();
        if k == 2 { &mut own } else { &mut rest }.add(source.view(), target.view()).unwrap();
    }
    assert_eq!(all.without(&own), rest);
}

#[test]
fn histogram_match_recovers_a_monotone_curve_from_unpaired_images() {
    let source = Array2::from_shape_fn((16, 16), |(r, c)| (r * 16 + c) as f32);
    let target = Array2::from_shape_fn((16, 32), |(r, c)| ((r * 32 + c) / 4) as f32);
    let (mut a, mut b) = (LevelCounts::new(RANGE), LevelCounts::new(RANGE));
    a.add(source.view()).unwrap();
    b.add(target.view()).unwrap();
    let curve = fit_histogram_match(&a, &b).unwrap();
    // Levels 0..=255 once each against 0..=127 four times each: the upper one of two source levels shares a target's rank.
    assert_eq!(curve.apply(array![[1.0, 3.0, 255.0]].view()), array![[0.0, 1.0, 127.0]]);
}

#[test]
fn retrieval_takes_the_first_of_the_nearest_with_the_same_shape() {
    let image = array![[1.0, 2.0]];
    let candidates =
        [array![[1.0, 2.0], [0.0, 0.0]], array![[4.0, 2.0]], array![[1.0, 0.0]], array![[3.0, 2.0]]];
    assert_eq!(nearest(image.view(), candidates.iter().map(|c| c.view())), Ok(2));
    let other_shape = nearest(image.view(), candidates.iter().take(1).map(|c| c.view()));
    assert!(matches!(other_shape, Err(EvalError::Undefined { .. })));
}

#[test]
fn nothing_to_fit_on_is_an_error() {
    assert!(matches!(LookupFit::new(RANGE).curve(), Err(EvalError::Empty { .. })));
    let empty = LevelCounts::new(RANGE);
    assert!(matches!(fit_histogram_match(&empty, &empty), Err(EvalError::Empty { .. })));
}
