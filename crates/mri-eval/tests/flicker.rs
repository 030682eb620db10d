//! Flicker: nothing for what every slice has in common, the jitter of the slices for what it has not.
#![allow(clippy::unwrap_used)]

use mri_eval::evaluation::{Cases, Direction, Images, Label, TrainingFit, evaluate_cases};
use mri_eval::flicker::flicker;
use mri_eval::report::Report;
use mri_eval::{EvalError, Range};
use ndarray::{Array2, Array3, Axis, s};

/// A ball of two tissues in air, with values 0 to 1.
fn head(slices: usize) -> Array3<f32> {
    Array3::from_shape_fn((slices, 24, 20), |(slice, row, column)| {
        let along = (slice as f32 + 0.5) / slices as f32 - 0.5;
        match along.hypot((row as f32 / 23.0 - 0.5).hypot(column as f32 / 19.0 - 0.5)) {
            r if r < 0.25 => 0.8,
            r if r < 0.6 => 0.45,
            _ => 0.0,
        }
    })
}

/// The truth with `error(slice)` added to every pixel.
fn off_by(truth: &Array3<f32>, error: impl Fn(usize) -> f32) -> Array3<f32> {
    let mut output = truth.clone();
    output.outer_iter_mut().enumerate().for_each(|(slice, mut of)| of += error(slice));
    output
}

/// Independent numbers of mean 0 and SD 1 (uniform), the same in every run.
fn noise(n: u64) -> f32 {
    let mut x = (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (((x ^ (x >> 31)) >> 11) as f64 / (1u64 << 53) as f64 * 2.0 - 1.0) as f32 * 3f32.sqrt()
}

fn of(output: &Array3<f32>, truth: &Array3<f32>) -> f64 {
    flicker(output.view(), truth.view(), Range::UNIT).unwrap()
}

#[test]
fn what_runs_evenly_through_a_volume_is_no_flicker() {
    let truth = head(40);
    assert_eq!(of(&truth, &truth), 0.0);
    assert!(of(&off_by(&truth, |_| 0.2), &truth) < 1e-6);
    assert!(of(&off_by(&truth, |slice| slice as f32 * 0.01 - 0.2), &truth) < 1e-6);
    let slow = off_by(&truth, |slice| 0.1 * (slice as f32 / 40.0 * std::f32::consts::TAU).sin());
    assert!(of(&slow, &truth) < 0.002, "{}", of(&slow, &truth));
}

#[test]
fn jitter_of_the_slices_is_measured_as_its_standard_deviation() {
    let truth = head(600);
    for sd in [0.01, 0.02, 0.08] {
        let found = of(&off_by(&truth, |slice| sd * noise(slice as u64)), &truth);
        assert!((found / f64::from(sd) - 1.0).abs() < 0.1, "{found} for {sd}");
    }
    let once = |sd: f32| of(&off_by(&truth, |slice| sd * noise(slice as u64)), &truth);
    assert!((once(0.04) / once(0.02) - 2.0).abs() < 1e-3, "in proportion");
    let with_trend = off_by(&truth, |slice| 0.05 * noise(slice as u64) + slice as f32 * 1e-3);
    assert!((of(&with_trend, &truth) / once(0.05) - 1.0).abs() < 1e-3, "whatever the trend");
}

#[test]
fn errors_within_a_slice_that_leave_its_brightness_are_no_flicker() {
    let truth = head(40);
    let mut output = truth.clone();
    output.iter_mut().zip(0..).for_each(|(value, n)| *value += 0.1 * noise(n));
    assert!(
        of(&output, &truth) < 0.01,
        "an SD of 0.1 over some 300 pixels of a slice: {}",
        of(&output, &truth)
    );
}

#[test]
fn slices_without_a_head_are_passed_over() {
    let mut truth = head(20);
    truth.slice_mut(s![..8, .., ..]).fill(0.0);
    let jittered = off_by(&truth, |slice| if slice < 9 { 0.5 * noise(slice as u64) } else { 0.0 });
    let tail = |of: &Array3<f32>| of.slice(s![8.., .., ..]).to_owned();
    assert_eq!(of(&jittered, &truth), of(&tail(&jittered), &tail(&truth)));
    truth.slice_mut(s![10.., .., ..]).fill(0.0);
    let error = flicker(truth.view(), truth.view(), Range::UNIT).unwrap_err();
    assert!(matches!(error, EvalError::Undefined { metric: "flicker", .. }), "{error}");
    let error = flicker(truth.view(), head(19).view(), Range::UNIT).unwrap_err();
    assert!(matches!(error, EvalError::ShapeMismatch { .. }));
}

/// Two volumes; the model makes the first one flicker.
struct Volumes(Vec<(&'static str, usize, [Array2<f32>; 3])>);

impl Volumes {
    fn new(jitter: f32) -> Self {
        let truth = head(12);
        let source = truth.mapv(|value| if value > 0.0 { 1.1 - value } else { 0.0 });
        let mut cases = Vec::new();
        for (name, sd) in [("a", jitter), ("b", 0.0)] {
            let output = off_by(&truth, |slice| sd * noise(slice as u64));
            // The first slices of volume b are left out, as near-blank ones would be.
            for at in if name == "a" { 0..12 } else { 3..12 } {
                let slice = |of: &Array3<f32>| of.index_axis(Axis(0), at).to_owned();
                cases.push((name, at, [slice(&source), slice(&truth), slice(&output)]));
            }
        }
        Self(cases)
    }
}

impl Cases for Volumes {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn label(&self, index: usize) -> Label<'_> {
        let (name, at, _) = self.0[index];
        Label { name, subject: Some(name), slice_of: Some((name, at)) }
    }

    fn images(&self, index: usize) -> Result<Images<'_>, EvalError> {
        let [source, truth, output] = &self.0[index].2;
        Ok(Images { source: source.into(), truth: truth.into(), output: output.into() })
    }
}

#[test]
fn a_report_on_volumes_has_their_flicker() {
    let direction = Direction {
        from: "t1".into(),
        to: "t2".into(),
        source_range: Range::UNIT,
        target_range: Range::UNIT,
    };
    let cases = Volumes::new(0.05);
    let report = evaluate_cases(&direction, &cases, &TrainingFit::default()).unwrap();
    let found = report.flicker.clone().unwrap();
    let truth = head(12);
    let expected = of(&off_by(&truth, |slice| 0.05 * noise(slice as u64)), &truth);
    let [a, b] = &found.volumes[..] else { panic!("{found:?}") };
    assert_eq!((a.name.as_str(), a.slices, b.name.as_str(), b.slices), ("a", 12, "b", 9));
    assert!((a.model.unwrap() - expected).abs() < 1e-9 && b.model == Some(0.0), "{found:?}");
    assert_eq!(found.model.mean, Some(a.model.unwrap() / 2.0));
    assert!(found.baselines.lut.mean < Some(0.01), "one curve for all slices");

    let report = Report { directions: vec![report], failed: vec![] };
    let table = report.table();
    let percent = 50.0 * a.model.unwrap();
    assert!(
        table.contains(&format!("flicker of 2 volumes, % of the range: model {percent:.2}, copy ")),
        "{table}"
    );
    let json = serde_json::to_value(&report).unwrap();
    let flicker = &json["t1_to_t2"]["flicker"];
    assert!(
        flicker["model"]["mean"].is_f64() && flicker["baselines"]["retrieval"]["sd"].is_f64(),
        "{flicker}"
    );
    assert_eq!(flicker["volumes"][1]["name"], "b");
}
