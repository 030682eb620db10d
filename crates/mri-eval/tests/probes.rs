//! Sharpness and the probes: generators that hide, that shift, that blur, and those that do not.
#![allow(clippy::unwrap_used)]

use mri_eval::metrics::sharpness;
use mri_eval::probes::{CaseProbes, Cycles, Hiding, NOISE_SD, ProbeReport, Shift, in_8_bits, with_noise};
use mri_eval::{EvalError, Range};
use ndarray::{Array2, Array3, Axis};

/// A head of two tissues in air, as wide as a network sees it: one channel of 48 x 40 px in [-1, 1].
fn head() -> Array3<f32> {
    Array3::from_shape_fn((1, 48, 40), |(_, row, column)| {
        match (row as f32 - 24.0).hypot(column as f32 - 20.0) {
            r if r < 8.0 => 0.5 + row as f32 / 300.0,
            r if r < 17.0 => -0.2 + column as f32 / 300.0,
            _ => -1.0,
        }
    })
}

fn middle(image: &Array3<f32>) -> Array2<f32> {
    image.index_axis(Axis(0), 0).to_owned()
}

fn mask() -> Array2<bool> {
    middle(&head()).mapv(|value| value > -0.9)
}

fn range() -> Range {
    Range::new(-1.0, 1.0).unwrap()
}

/// The probes of a fake and of a way back from it.
fn hiding(fake: &Array3<f32>, back: impl Fn(&Array3<f32>) -> Array3<f32>) -> Hiding<f64> {
    let noisy = with_noise(fake.view(), range(), 7);
    let cycled =
        [back(fake), back(&in_8_bits(fake.view(), range())), back(&noisy)].map(|image| middle(&image));
    let [input, fake, noisy] = [&head(), fake, &noisy].map(middle);
    let cycles = Cycles {
        input: input.view(),
        fake: fake.view(),
        noisy_fake: noisy.view(),
        plain: cycled[0].view(),
        in_8_bits: cycled[1].view(),
        with_noise: cycled[2].view(),
    };
    Hiding::of(cycles, mask().view(), [range(); 2]).unwrap()
}

#[test]
fn a_negative_hides_nothing_and_passes_noise_as_it_is() {
    let negative = |image: &Array3<f32>| image.mapv(|value| 0.02 - 0.9 * value);
    let found = hiding(&negative(&head()), |fake| fake.mapv(|value| -value));
    assert!((found.noise_gain - 1.0).abs() < 1e-5, "{found:?}");
    assert!(found.ratio_8_bit < 1.05 && found.ratio_noise < 1.5, "{found:?}");
    let steep = hiding(&head().mapv(|value| value / 4.0), |fake| fake.mapv(|value| value * 4.0));
    assert!((steep.noise_gain - 4.0).abs() < 0.01, "the slope of the way back: {steep:?}");
}

#[test]
fn a_flat_fake_with_the_input_written_into_its_last_digits_is_found_out() {
    let faint = 2e-4;
    let fake = head().mapv(|value| 0.3 + faint * value);
    let found = hiding(&fake, |fake| fake.mapv(|value| ((value - 0.3) / faint).clamp(-1.0, 1.0)));
    assert!(found.cycle_error < 1e-3, "the cycle closes: {found:?}");
    assert!(found.ratio_8_bit > 100.0 && found.ratio_noise > 100.0 && found.noise_gain > 20.0, "{found:?}");
}

#[test]
fn the_noise_is_that_of_its_key_and_of_the_stated_size() {
    let grey = Array3::zeros((3, 64, 64));
    let noisy = |key| with_noise(grey.view(), range(), key);
    assert_eq!(noisy(1), noisy(1));
    assert_ne!(noisy(1), noisy(2));
    let sd = f64::from(noisy(1).std(0.0)) / range().width();
    assert!((sd / NOISE_SD - 1.0).abs() < 0.03, "{sd}");
    assert!(f64::from(noisy(1).mean().unwrap()).abs() < 1e-3);
    let black = with_noise(Array3::from_elem((1, 64, 64), -1.0).view(), range(), 1);
    assert!(black.iter().all(|value| (-1.0..=1.0).contains(value)), "a file holds nothing else");
}

#[test]
fn eight_bits_keep_256_levels() {
    let levels = Array3::from_shape_fn((1, 1, 256), |(_, _, level)| level as f32 / 127.5 - 1.0);
    let off = levels.mapv(|value| value + 0.4 / 127.5);
    let rounded = in_8_bits(off.view(), range());
    assert!(rounded.iter().zip(&levels).all(|(a, b)| (a - b).abs() < 1e-6));
}

#[test]
fn what_commutes_with_a_shift_changes_by_nothing_and_what_does_not_by_its_size() {
    let image = head();
    for shift in Shift::ALL {
        let moved = shift.apply(image.view());
        let change = |generator: &dyn Fn(&Array3<f32>) -> Array3<f32>| {
            let (output, of_moved) = (middle(&generator(&image)), middle(&generator(&moved)));
            shift.change(output.view(), of_moved.view(), mask().view(), range()).unwrap()
        };
        assert_eq!(change(&|image| image.mapv(|value| -value)), 0.0);
        // A checkerboard that stays on its grid when the anatomy moves: every pixel goes from +0.1 to -0.1 or back.
        let checkered = |image: &Array3<f32>| {
            let mut image = image.clone();
            image
                .indexed_iter_mut()
                .for_each(|((_, r, c), v)| *v += if (r + c) % 2 == 0 { 0.1 } else { -0.1 });
            image
        };
        assert!((change(&checkered) - 0.1).abs() < 1e-6, "0.2 of a range of 2");
    }
    let [down, right] = Shift::ALL.map(|shift| shift.apply(image.view()));
    assert_eq!((down[[0, 30, 20]], right[[0, 30, 20]]), (image[[0, 29, 20]], image[[0, 30, 19]]));
}

#[test]
fn images_too_small_to_leave_a_border_out_are_an_error() {
    let small = Array2::zeros((16, 40));
    let mask = Array2::from_elem((16, 40), true);
    let found = Shift::Down.change(small.view(), small.view(), mask.view(), range());
    assert!(matches!(found, Err(EvalError::Empty { .. })));
}

#[test]
fn sharpness_falls_with_blur_and_with_contrast_and_rises_with_noise() {
    let (truth, mask) = (middle(&head()), mask());
    let of = |output: &Array2<f32>| sharpness(output.view(), truth.view(), mask.view()).unwrap();
    assert_eq!(of(&truth), 1.0);
    assert!((of(&truth.mapv(|value| 0.5 * value + 0.2)) - 0.5).abs() < 1e-5, "in proportion to contrast");
    assert!((of(&truth.mapv(|value| -value)) - 1.0).abs() < 1e-5, "whatever the direction of the edges");
    let mut blurred = truth.clone();
    for row in 2..46 {
        for column in 2..38 {
            blurred[[row, column]] =
                truth.slice(ndarray::s![row - 2..row + 3, column - 2..column + 3]).mean().unwrap();
        }
    }
    assert!(of(&blurred) < 0.85, "{}", of(&blurred));
    let noisy = middle(&with_noise(head().view(), Range::new(-10.0, 10.0).unwrap(), 3));
    assert!(of(&noisy) > 1.02, "{}", of(&noisy));
    let flat = truth.mapv(|_| 0.0);
    let undefined = sharpness(truth.view(), flat.view(), mask.view());
    assert!(matches!(undefined, Err(EvalError::Undefined { .. })));
}

#[test]
fn the_report_says_how_many_were_probed_and_leaves_out_what_has_no_value() {
    let hiding = Hiding {
        cycle_error: 0.0,
        cycle_error_8_bit: 0.01,
        cycle_error_noise: 0.02,
        ratio_8_bit: f64::INFINITY,
        ratio_noise: f64::INFINITY,
        noise_gain: 1.5,
    };
    assert_eq!(ProbeReport::of(&[]), None);
    let report = ProbeReport::of(&[CaseProbes { hiding, shift_change: 0.25 }; 2]).unwrap();
    assert!(report.is_hiding(), "the cycle is exact from the fake as it is, and no longer from 8 bits");
    let open = Hiding { cycle_error: 0.02, cycle_error_noise: 0.03, ..hiding };
    assert!(!ProbeReport::of(&[CaseProbes { hiding: open, shift_change: 0.0 }]).unwrap().is_hiding());
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["cases"], 2);
    assert_eq!(json["steganography"]["noise_sd"], 0.01);
    assert_eq!(json["steganography"]["noise_gain"]["mean"], 1.5);
    assert_eq!(json["steganography"]["ratio_8_bit"]["infinite"], 2);
    assert_eq!((&json["shift"]["shift_px"], &json["shift"]["change"]["mean"]), (&1.into(), &0.25.into()));
}
