//! The estimate of a tone curve from unpaired images, on heads whose curve is known.
#![allow(clippy::unwrap_used)]

use candle_core::{Device, Tensor};
use mri_cyclegan::{ToneStatistics, estimate_tone};
use mri_unet::TONE_KNOTS;

/// (depth below the outline at which it ends, in px; level in T1; level in T2) of skin, fat, bone, fluid, grey and white
/// matter, with a fold of fluid between the last two.
const LAYERS: [(f32, f32, f32); 7] = [
    (3., -0.2, -0.5),
    (6., 0.9, 0.3),
    (10., -0.9, -0.95),
    (14., -0.6, 0.8),
    (19., 0., -0.05),
    (21., -0.6, 0.8),
    (99., 0.4, -0.4),
];

/// A round head of `radius_px`, its levels those of `weighting`.
fn head(radius_px: f32, weighting: fn(&(f32, f32, f32)) -> f32) -> Tensor {
    const SIDE: usize = 80;
    let level = |depth: f32| match LAYERS.iter().find(|layer| depth < layer.0) {
        Some(layer) if depth > 0. => weighting(layer),
        _ => -1.,
    };
    let pixels: Vec<f32> = (0..SIDE * SIDE)
        .map(|i| {
            let away = ((i / SIDE) as f32 - 40.).hypot((i % SIDE) as f32 - 40.);
            // A pixel at a border between tissues has a part of both.
            (level(radius_px - away - 0.3) + level(radius_px - away + 0.3)) / 2.
        })
        .collect();
    Tensor::from_vec(pixels, (SIDE, SIDE), &Device::Cpu).unwrap()
}

fn statistics(radii_px: &[f32], weighting: fn(&(f32, f32, f32)) -> f32) -> ToneStatistics {
    let mut statistics = ToneStatistics::default();
    radii_px.iter().for_each(|&radius_px| statistics.add(&head(radius_px, weighting)).unwrap());
    statistics
}

fn at(curve: &[f32], level: f32) -> f32 {
    let u = (level + 1.) / 2. * (TONE_KNOTS - 1) as f32;
    let low = (u as usize).min(TONE_KNOTS - 2);
    curve[low] + (curve[low + 1] - curve[low]) * (u - low as f32)
}

#[test]
fn heads_of_other_people_give_the_curve_that_is_neither_rising_nor_falling() {
    let t1 = statistics(&[30., 33., 36.], |layer| layer.1);
    let t2 = statistics(&[29., 31., 35., 37.], |layer| layer.2);
    let (there, back) = (estimate_tone(&t1, &t2).unwrap(), estimate_tone(&t2, &t1).unwrap());
    // Smoothness takes up to a quarter off the narrow peaks, which is a tenth of the range here.
    for (_, t1, t2) in LAYERS {
        assert!((at(&there, t1) - t2).abs() < 0.25, "T1 {t1} became {} and not {t2}", at(&there, t1));
        assert!((at(&back, t2) - t1).abs() < 0.25, "T2 {t2} became {} and not {t1}", at(&back, t2));
    }
    assert_eq!((there[0], back[0]), (-1., -1.), "air is black");
}

#[test]
fn equal_contrasts_give_the_identity() {
    let few = statistics(&[30., 36.], |layer| layer.1);
    let curve = estimate_tone(&few, &statistics(&[32., 33., 35.], |layer| layer.1)).unwrap();
    for (_, level, _) in LAYERS {
        assert!((at(&curve, level) - level).abs() < 0.1, "{level} became {}", at(&curve, level));
    }
}

#[test]
fn what_is_no_image_is_refused() {
    let mut statistics = ToneStatistics::default();
    let hollow = Tensor::new(&[[0f32, f32::NAN], [0., 0.]], &Device::Cpu).unwrap();
    let error = statistics.add(&hollow).unwrap_err().to_string();
    assert!(error.contains("2x2 px"), "{error}");
    assert!(statistics.add(&Tensor::zeros(4, candle_core::DType::F32, &Device::Cpu).unwrap()).is_err());
}
