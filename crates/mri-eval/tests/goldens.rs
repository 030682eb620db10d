//! Numbers of scikit-image 0.26.0, SciPy and NumPy on integer patterns that both languages make exactly: `goldens.py`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mri_eval::baselines::{LevelCounts, fit_histogram_match};
use mri_eval::foreground::{Regions, foreground, mean_within, otsu_threshold, shrunk};
use mri_eval::metrics::{mae, ms_ssim, nmi, nmse, pearson, psnr, sharpness, ssim, ssim_map};
use mri_eval::{Range, monitoring::histogram_distance};
use ndarray::Array2;

const RANGE: Range = Range::EIGHT_BIT;

fn images(shape: (usize, usize)) -> (Array2<f32>, Array2<f32>) {
    let truth = |r: usize, c: usize| (r * r + 3 * c * c + 5 * r * c) / 64 % 256;
    let noise = |r: usize, c: usize| (r * 7919 + c * 104_729 + r * c * 31) % 256;
    let with_extremes = |value: &dyn Fn(usize, usize) -> usize| {
        Array2::from_shape_fn(shape, |position| match position {
            (0, 0) => 0.0,
            (0, 1) => 255.0,
            (r, c) => value(r, c) as f32,
        })
    };
    (with_extremes(&|r, c| (truth(r, c) * 3 + noise(r, c)) / 4), with_extremes(&truth))
}

#[track_caller]
fn assert_close(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "found {found}, expected {expected}");
}

#[test]
fn pointwise_metrics_equal_scikit_image() {
    let (output, truth) = images((40, 32));
    let (o, t) = (output.view(), truth.view());
    assert_close(psnr(o, t, RANGE).unwrap(), 19.057928931425728, 1e-9);
    assert_close(mae(o, t).unwrap(), 23.35546875, 1e-9);
    assert_close(nmse(o, t).unwrap(), 0.2318368373800057, 1e-9);
    assert_close(nmi(o, t, RANGE, RANGE).unwrap(), 1.1553906922341464, 1e-9);
    assert_close(pearson(o, t).unwrap(), 0.829983637172416, 1e-9);
}

#[test]
fn ssim_and_its_map_equal_scikit_image() {
    let (output, truth) = images((40, 32));
    let (o, t) = (output.view(), truth.view());
    assert_close(ssim(o, t, RANGE).unwrap(), 0.2139020400875636, 1e-9);
    let map = ssim_map(o, t, RANGE).unwrap();
    assert_close(map[[0, 0]], 0.8861319653471689, 1e-9);
    assert_close(map[[39, 7]], 0.2523366494423383, 1e-9);
    let mask = Array2::from_shape_fn((40, 32), |(r, c)| (r + 2 * c) % 3 == 0);
    assert_close(mean_within(map.view(), mask.view()).unwrap(), 0.2080516471630726, 1e-9);
}

#[test]
fn sharpness_equals_the_quotient_of_scipys_gradients() {
    let (output, truth) = images((40, 32));
    let mask = Array2::from_shape_fn((40, 32), |(r, c)| (r + 2 * c) % 3 == 0);
    assert_close(sharpness(output.view(), truth.view(), mask.view()).unwrap(), 1.3646735759238182, 1e-9);
}

#[test]
fn ms_ssim_equals_the_dense_formula_on_odd_sides() {
    for (shape, expected) in [((181, 217), 0.9460687321423837), ((161, 170), 0.942003924849315)] {
        let (output, truth) = images(shape);
        assert_close(ms_ssim(output.view(), truth.view(), RANGE).unwrap(), expected, 1e-9);
    }
}

#[test]
fn otsu_threshold_equals_scikit_image() {
    let (output, truth) = images((40, 32));
    assert_eq!(otsu_threshold(truth.view()).unwrap(), 58.271_484);
    assert_eq!(otsu_threshold(output.view()).unwrap(), 71.220_7);
}

#[test]
fn foreground_fills_the_ring_of_bone() {
    let head = Array2::from_shape_fn((60, 50), |(r, c)| {
        let distance = (r as i32 - 30).pow(2) + (c as i32 - 25).pow(2);
        let bone = (300..=400).contains(&distance);
        if bone {
            0.0
        } else if distance < 500 {
            40.0 + 3.0 * r as f32
        } else {
            2.0
        }
    });
    assert_eq!(otsu_threshold(head.view()).unwrap(), 63.929_688);
    let mask = foreground(head.view()).unwrap();
    assert_eq!(mask.iter().filter(|&&inside| inside).count(), 1565);
    assert!(mask[[30, 25 - 18]], "bone is inside the head");
    assert!(!mask[[0, 0]], "air is outside");
}

#[test]
fn shrinking_equals_an_erosion_with_a_disc() {
    let outline = Array2::from_shape_fn((60, 50), |(r, c)| {
        let in_head = (r as i32 - 30).pow(2) + (c as i32 - 25).pow(2) < 500;
        in_head || ((20..40).contains(&r) && c < 30) // a head that the frame cuts off
    });
    for (radius_px, golden) in [
        (60.0 / 18.0, [1216, 36435, 29276, 878_026]),
        (1.0, [1510, 45245, 36198, 1_085_745]),
        (5.5, [952, 28524, 23014, 690_139]),
    ] {
        let eroded = shrunk(outline.view(), radius_px);
        let pixels = eroded.indexed_iter().filter(|(_, kept)| **kept);
        let moments = pixels.fold([0; 4], |[n, rows, columns, products], ((r, c), _)| {
            [n + 1, rows + r, columns + c, products + r * c]
        });
        assert_eq!(moments, golden, "{radius_px} px");
    }
    let regions = Regions::of(outline.mapv(|head| if head { 90.0 } else { 0.0 }).view()).unwrap();
    assert_eq!(regions.inside, shrunk(outline.view(), 60.0 / 9.0));
}

#[test]
fn histogram_match_equals_scikit_image() {
    let (output, truth) = images((40, 32));
    let mut levels = [LevelCounts::new(RANGE), LevelCounts::new(RANGE)];
    levels[0].add(truth.view()).unwrap();
    levels[1].add(output.view()).unwrap();
    let curve = fit_histogram_match(&levels[0], &levels[1]).unwrap();
    for (level, expected) in [(0, 10.0), (64, 83.3125), (128, 134.0), (255, 255.0)] {
        assert_close(curve.entries()[level], expected, 1e-9);
    }
    let matched = curve.apply(truth.view());
    assert_close(f64::from(matched.mean().unwrap()), 66.52127808561019, 1e-4);
}

#[test]
fn histogram_distance_equals_scipy() {
    let (output, truth) = images((40, 32));
    let distance = histogram_distance([output.view()], [truth.view()], RANGE).unwrap();
    assert_close(distance, 19.80390625, 1e-9);
}
