//! Intensities and geometry: both ways, and against numpy.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mri_data::geometry::{Canvas, Fit};
use mri_data::image::{BitDepth, Image};
use mri_data::normalize::{IntensityMap, Normalization, Normalizer};
use ndarray::Array2;
use proptest::prelude::*;

/// Three heads of different brightness. In numpy, as the goldens below have them:
///
/// ```python
/// r, c = np.mgrid[0:24, 0:20]
/// images = [np.where((r - 12)**2 + (c - 10)**2 < 80, 300 * k + (r * 37 + c * 91 + r * c * 13) % (400 * k + 9),
///                    5 * k + (r + c) % 7).astype(np.float64) for k in (1, 2, 3)]
/// ```
fn heads() -> Vec<Image> {
    let pixel = |k: usize, r: usize, c: usize| {
        let inside = r.abs_diff(12).pow(2) + c.abs_diff(10).pow(2) < 80;
        let value = if inside {
            300 * k + (r * 37 + c * 91 + r * c * 13) % (400 * k + 9)
        } else {
            5 * k + (r + c) % 7
        };
        value as f32
    };
    (1..=3)
        .map(|k| Image {
            pixels: Array2::from_shape_fn((24, 20), |(r, c)| pixel(k, r, c)),
            depth: BitDepth::Sixteen,
        })
        .collect()
}

fn assert_knots(map: &IntensityMap, expected: &[(f32, f32)]) {
    assert_eq!(map.knots().len(), expected.len(), "{:?}", map.knots());
    for (found, expected) in map.knots().iter().zip(expected) {
        let close = (found.0 - expected.0).abs() < 1e-3 && (found.1 - expected.1).abs() < 1e-6;
        assert!(close, "{found:?} is not {expected:?}");
    }
}

fn fitted(method: &Normalization) -> Normalizer {
    method.fit(heads()).unwrap()
}

#[test]
fn range_is_that_of_the_training_images_unless_given() {
    let normalizer = fitted(&Normalization::Range { min: None, max: None });
    // min(i.min() for i in images), max(i.max() for i in images)
    assert_knots(normalizer.typical(), &[(5.0, -1.0), (2104.0, 1.0)]);
    let given = fitted(&Normalization::Range { min: Some(0.0), max: Some(4095.0) });
    assert_knots(&given.map_for(&heads()[0]).unwrap(), &[(0.0, -1.0), (4095.0, 1.0)]);
}

#[test]
fn a_range_follows_the_depth_of_the_file() {
    let eight = |scale: f32| Image { pixels: ndarray::array![[0.0, 255.0 * scale]], depth: BitDepth::Eight };
    let normalizer = Normalization::default().fit([eight(1.0)]).unwrap();
    let sixteen = Image { pixels: ndarray::array![[0.0, 65535.0]], depth: BitDepth::Sixteen };
    assert_knots(&normalizer.map_for(&sixteen).unwrap(), &[(0.0, -1.0), (65535.0, 1.0)]);
    assert_knots(&normalizer.output_map(BitDepth::Sixteen), &[(0.0, -1.0), (65535.0, 1.0)]);
    let mixed = Normalization::default().fit([eight(0.5), sixteen]).unwrap();
    assert_eq!((mixed.depth(), mixed.typical().knots()[1].0), (Some(BitDepth::Sixteen), 65535.0));
}

#[test]
fn percentiles_are_those_of_numpy() {
    // ends = np.array([np.percentile(i, [0.5, 99.8]) for i in images]); ends[0], ends.mean(0)
    let normalizer = fitted(&Normalization::Percentile { low: 0.5, high: 99.8 });
    assert_knots(&normalizer.map_for(&heads()[0]).unwrap(), &[(5.0, -1.0), (703.084, 1.0)]);
    assert_knots(normalizer.typical(), &[(10.0, -1.0), (1399.557, 1.0)]);
}

#[test]
fn z_scores_are_those_of_numpy() {
    // m = np.array([i[i > i.mean()].mean() for i in images]); s = np.array([i[i > i.mean()].std() for i in images])
    // lo = np.array([i.min() for i in images]); hi = np.array([np.percentile(i, 99.8) for i in images])
    // M, S = m.mean(), s.mean(); ends = [((x - m) / s * S + M).mean() for x in (lo, hi)]
    // [(x - M) / S * s[1] + m[1] for x in ends]
    let normalizer = fitted(&Normalization::ZScore {});
    assert_knots(normalizer.typical(), &[(5.273956, -1.0), (1396.894, 1.0)]);
    assert_knots(&normalizer.map_for(&heads()[1]).unwrap(), &[(-6.631537, -1.0), (1384.873, 1.0)]);
}

#[test]
fn nyul_landmarks_are_those_of_numpy() {
    // p = [1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 99.8]
    // L = np.array([np.concatenate([[i.min()], np.percentile(i[i > i.mean()], p)]) for i in images])
    // std = (2 * (L - L[:, :1]) / (L[:, -1:] - L[:, :1]) - 1).mean(0)
    // list(zip(L.mean(0), std)), list(zip(L[1], std))
    let standard = [
        -1.0,
        -0.141819,
        -0.02352513,
        0.0960673,
        0.2051506,
        0.3166382,
        0.4258524,
        0.5467645,
        0.673956,
        0.7962694,
        0.9021353,
        1.0,
    ];
    let mean = [
        10.0, 607.4667, 683.6667, 766.6667, 844.0, 924.3333, 998.6667, 1087.333, 1169.667, 1255.667,
        1327.667, 1402.107,
    ];
    let second = [10.0, 607.8, 676.0, 756.0, 828.0, 905.0, 976.0, 1062.0, 1158.0, 1233.0, 1333.0, 1403.56];
    let zip = |files: [f32; 12]| files.into_iter().zip(standard).collect::<Vec<_>>();
    let normalizer = fitted(&Normalization::Nyul { low: 1.0, high: 99.8 });
    assert_knots(normalizer.typical(), &zip(mean));
    let map = normalizer.map_for(&heads()[1]).unwrap();
    assert_knots(&map, &zip(second));
    // np.interp([700, 900], L[1], std)
    assert!((map.to_unit(700.0) - 0.0123526).abs() < 1e-6);
    assert!((map.to_unit(900.0) - 0.3093988).abs() < 1e-6);
    assert!(map.to_unit(1500.0) > 1.1, "beyond the ends the map goes on");
}

#[test]
fn nyul_brings_histograms_together() {
    let normalizer = fitted(&Normalization::Nyul { low: 1.0, high: 99.8 });
    let median = |image: &Image, map: &IntensityMap| {
        let mean = image.pixels.mean().unwrap();
        let mut bright: Vec<f32> =
            image.pixels.iter().copied().filter(|&v| v > mean).map(|v| map.to_unit(v)).collect();
        bright.sort_by(f32::total_cmp);
        bright[bright.len() / 2]
    };
    let medians: Vec<f32> =
        heads().iter().map(|head| median(head, &normalizer.map_for(head).unwrap())).collect();
    assert!(medians.iter().all(|m| (m - medians[0]).abs() < 0.02), "{medians:?}");
}

#[test]
fn quantized_images_with_equal_percentiles_are_still_invertible() {
    let steps = Array2::from_shape_fn((20, 20), |(row, _)| {
        if row < 10 {
            0.0
        } else if row < 19 {
            100.0
        } else {
            200.0
        }
    });
    let image = Image { pixels: steps, depth: BitDepth::Eight };
    let two = Image { pixels: image.pixels.mapv(|value| value.min(100.0)), depth: BitDepth::Eight };
    for method in every_method() {
        let normalizer = method.fit([&image, &two]).unwrap();
        for image in [&image, &two] {
            let map = normalizer.map_for(image).unwrap();
            let back = map.file_image(&image.pixels.mapv(|value| map.to_unit(value)));
            assert!(back.iter().zip(&image.pixels).all(|(a, b)| (a - b).abs() < 1e-2), "{method:?}");
        }
    }
}

fn every_method() -> [Normalization; 4] {
    [
        Normalization::default(),
        Normalization::Percentile { low: 0.5, high: 99.8 },
        Normalization::ZScore {},
        Normalization::Nyul { low: 1.0, high: 99.8 },
    ]
}

#[test]
fn a_normalizer_survives_being_saved() {
    for method in every_method() {
        let normalizer = fitted(&method);
        let text = serde_json::to_string(&normalizer).unwrap();
        assert_eq!(serde_json::from_str::<Normalizer>(&text).unwrap(), normalizer);
    }
    let crossed = r#"[[0.0, 1.0], [1.0, -1.0]]"#;
    assert!(serde_json::from_str::<IntensityMap>(crossed).is_err(), "a map that falls cannot be inverted");
}

#[test]
fn settings_without_meaning_and_misspelt_ones_are_refused() {
    for method in [
        Normalization::Range { min: Some(2.0), max: Some(2.0) },
        Normalization::Percentile { low: 60.0, high: 40.0 },
        Normalization::Nyul { low: 30.0, high: 99.0 },
    ] {
        assert!(method.fit(heads()).unwrap_err().to_string().starts_with("normalization: "));
    }
    assert!(Normalization::default().fit(Vec::<Image>::new()).is_err());
    let parse = serde_json::from_str::<Normalization>;
    assert_eq!(
        parse(r#"{"method": "percentile", "low": 1.0}"#).unwrap(),
        Normalization::Percentile { low: 1.0, high: 99.8 }
    );
    assert!(parse(r#"{"method": "z-score"}"#).is_ok() && parse(r#"{"method": "nyul"}"#).is_ok());
    assert!(parse(r#"{"method": "percentile", "hihg": 99.0}"#).unwrap_err().to_string().contains("hihg"));
}

proptest! {
    #[test]
    fn intensity_maps_are_inverted_by_from_unit(
        start in -1e4_f32..1e4, steps in prop::collection::vec((1.0_f32..5000.0, 0.05_f32..1.0), 1..12), part in -0.5_f32..1.5,
    ) {
        let mut knots = vec![(start, -1.0)];
        for (file, unit) in steps {
            let last = knots[knots.len() - 1];
            knots.push((last.0 + file, last.1 + unit));
        }
        let map = IntensityMap::new(knots.clone()).unwrap();
        let span = knots[knots.len() - 1].0 - start;
        let value = start + part * span;
        // Two roundings of f32: relative to the values in file units and, through the steepest piece, to network units.
        let steepest = knots.windows(2).map(|k| (k[1].0 - k[0].0) / (k[1].1 - k[0].1)).fold(0.0, f32::max);
        let tolerance = 4.0 * f32::EPSILON * (value.abs() + steepest * map.to_unit(value).abs().max(1.0));
        prop_assert!((map.from_unit(map.to_unit(value)) - value).abs() <= tolerance);
        prop_assert!(map.to_unit(value) < map.to_unit(value + 0.01 * span.max(1.0)), "strictly increasing");
        for (file, unit) in knots {
            prop_assert!((map.to_unit(file) - unit).abs() < 1e-5 && map.to_unit(file).is_finite());
        }
    }

    #[test]
    fn every_size_comes_back_at_its_own_size(
        size in (1_usize..70, 1_usize..70), canvas in (1_usize..70, 1_usize..70),
        fit in prop::sample::select(vec![Fit::Pad, Fit::Contain, Fit::Stretch]),
    ) {
        let image = Array2::from_shape_fn(size, |(row, column)| ((row * 31 + column * 17) % 101) as f32);
        let place = Canvas { height_px: canvas.0, width_px: canvas.1, fit }.place(size);
        let placed = place.forward(&image, -1.0);
        prop_assert_eq!(placed.dim(), canvas);
        let back = place.inverse(&placed, -1.0);
        prop_assert_eq!(back.dim(), size);
        prop_assert!(back.iter().all(|value| (-1.0..=100.0).contains(value)));
        let fits = size.0 <= canvas.0 && size.1 <= canvas.1;
        prop_assert_eq!(place.is_lossless(), if fit == Fit::Pad { fits } else { place.is_lossless() && back == image });
        if place.is_lossless() {
            prop_assert_eq!(&back, &image);
        } else if fit == Fit::Pad {
            let kept = back.iter().zip(&image).filter(|(back, value)| back == value).count();
            prop_assert_eq!(kept, size.0.min(canvas.0) * size.1.min(canvas.1));
        }
    }
}

#[test]
fn smooth_images_survive_resizing_to_the_canvas_and_back() {
    let smooth = |size: (usize, usize)| {
        Array2::from_shape_fn(size, |(row, column)| {
            let (y, x) = (row as f32 / size.0 as f32 - 0.5, column as f32 / size.1 as f32 - 0.5);
            2.0 * (-8.0 * (x * x + y * y)).exp() - 1.0
        })
    };
    for fit in [Fit::Contain, Fit::Stretch] {
        for size in [(217, 181), (64, 90), (300, 128)] {
            let image = smooth(size);
            let place = Canvas { height_px: 128, width_px: 128, fit }.place(size);
            let back = place.inverse(&place.forward(&image, -1.0), -1.0);
            let worst = (&back - &image).fold(0.0_f32, |worst, d| worst.max(d.abs()));
            assert!(worst < 0.02, "{fit:?} {size:?}: {worst}");
        }
    }
}

#[test]
fn contain_keeps_the_aspect_and_centres() {
    let place = Canvas { height_px: 100, width_px: 100, fit: Fit::Contain }.place((50, 25));
    let placed = place.forward(&Array2::ones((50, 25)), -1.0);
    let columns: Vec<bool> = placed.row(50).iter().map(|&value| value > 0.0).collect();
    assert_eq!(columns.iter().position(|&inside| inside), Some(25));
    assert_eq!(columns.iter().filter(|&&inside| inside).count(), 50);
    assert!(placed.column(50).iter().all(|&value| value > 0.0));
}
