//! The report: its JSON contract, its table, and what the fitted baselines are fitted on.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mri_eval::evaluation::{Anatomy, Case, Direction, Training, evaluate};
use mri_eval::report::{Failed, Report};
use mri_eval::scores::Summary;
use mri_eval::{EvalError, Range};
use ndarray::{Array2, array};
use serde_json::{Value, json};

fn direction(from: &str, to: &str) -> Direction {
    let range = Range::EIGHT_BIT;
    Direction { from: from.into(), to: to.into(), source_range: range, target_range: range }
}

/// A disk on air whose left half is `left` and whose right half is `right`.
fn head(left: f32, right: f32) -> Array2<f32> {
    Array2::from_shape_fn((24, 24), |(row, column)| {
        let inside = (row as i32 - 12).pow(2) + (column as i32 - 12).pow(2) < 81;
        if !inside {
            0.0
        } else if column < 12 {
            left
        } else {
            right
        }
    })
}

fn case<'a>(name: &str, subject: Option<&str>, source: &'a Array2<f32>, truth: &'a Array2<f32>) -> Case<'a> {
    Case {
        name: name.into(),
        subject: subject.map(str::to_owned),
        source: source.view(),
        truth: truth.view(),
        output: truth.view(),
        anatomy: Anatomy::default(),
    }
}

fn lut_mae(cases: &[Case<'_>], training: &Training<'_>) -> Vec<f64> {
    let report = evaluate(&direction("t1", "t2"), cases, training).unwrap();
    let of_case =
        |case: &mri_eval::report::CaseReport| case.baselines.lut.as_ref().unwrap().foreground.mae.unwrap();
    report.cases.iter().map(of_case).collect()
}

#[test]
fn json_is_the_contract() {
    let (t1, t2) = (head(80.0, 160.0), head(200.0, 90.0));
    let (other_t1, other_t2) = (head(90.0, 150.0), head(190.0, 100.0));
    let training =
        Training { origin: "two slices".into(), pairs: vec![(t1.view(), t2.view())], ..Default::default() };
    let mut cases = vec![case("a", Some("s1"), &t1, &t2), case("b", Some("s2"), &other_t1, &other_t2)];
    cases[1].output = t2.view();
    let mut there = evaluate(&direction("t1", "t2"), &cases, &training).unwrap();
    let back = evaluate(&direction("t2", "t1"), &[case("a", None, &t2, &t1)], &Training::default()).unwrap();
    there.baselines.retrieval = None;
    let failed = vec![Failed { name: "c".into(), reason: "c_t2.png: truncated".into() }];
    let json = serde_json::to_value(Report { directions: vec![there, back], failed }).unwrap();

    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&json), ["failed", "t1_to_t2", "t2_to_t1"]);
    assert_eq!(json["failed"], json!([{"name": "c", "reason": "c_t2.png: truncated"}]));
    let there = &json["t1_to_t2"];
    assert_eq!(keys(there), ["baselines", "cases", "fitted_on", "model", "range"]);
    assert_eq!(keys(&there["baselines"]), ["copy", "histogram", "invert", "lut", "retrieval"]);
    assert_eq!(there["baselines"]["retrieval"], Value::Null);
    assert_eq!(there["range"], json!([0.0, 255.0]));
    assert_eq!(
        there["fitted_on"],
        json!({"histogram": "the cases of the other subjects", "lut": "two slices", "retrieval": "two slices"})
    );

    let copy = &there["baselines"]["copy"];
    let metrics = ["mae", "nmi", "nmse", "pearson", "psnr_db", "ssim"];
    assert_eq!(keys(&copy["foreground"]), ["mae", "nmi", "nmse", "pearson", "psnr_db", "sharpness", "ssim"]);
    assert!(copy["foreground"]["sharpness"]["mean"].is_f64());
    for metric in metrics {
        for summary in [&copy[metric], &copy["foreground"][metric], &copy["inside"][metric]] {
            assert_eq!(keys(summary), ["mean", "sd"]);
            assert!(summary["mean"].is_f64() && summary["sd"].is_f64(), "{metric}: {summary}");
        }
    }
    assert_eq!(copy["ms_ssim"], json!({"mean": null, "sd": null, "undefined": 2}));

    // Case a is exact: its PSNR is infinite, so the mean is that of case b alone and says so.
    let psnr = &there["model"]["psnr_db"];
    assert_eq!(psnr["mean"], there["cases"][1]["model"]["psnr_db"]);
    assert_eq!((&psnr["sd"], &psnr["infinite"]), (&Value::Null, &json!(1)));
    let exact = &there["cases"][0];
    assert_eq!((&exact["name"], &exact["subject"]), (&json!("a"), &json!("s1")));
    assert_eq!((&exact["model"]["psnr_db"], &exact["model"]["mae"]), (&Value::Null, &json!(0.0)));
    assert!(exact["baselines"]["lut"]["foreground"]["ssim"].is_f64());
    assert!(json["t2_to_t1"]["cases"][0].get("subject").is_none());
}

#[test]
fn fitted_on_training_pairs_the_lookup_table_ignores_the_cases() {
    let (source, truth) = (head(50.0, 60.0), head(150.0, 100.0));
    let other = head(120.0, 120.0);
    let training = Training { pairs: vec![(source.view(), other.view())], ..Default::default() };
    let cases = [case("a", None, &source, &truth), case("b", None, &source, &truth)];
    let expected = lut_mae(&cases, &Training::default());
    assert_eq!(expected, [0.0, 0.0], "fitted on the other case, which is the same");
    for mae in lut_mae(&cases, &training) {
        assert!((20.0..=30.0).contains(&mae), "between |120 - 100| and |120 - 150|: {mae}");
    }
}

#[test]
fn without_training_a_case_is_left_out_with_its_subject() {
    let source = head(50.0, 50.0);
    let truths = [head(100.0, 100.0), head(110.0, 110.0), head(200.0, 200.0)];
    let subjects = [Some("x"), Some("x"), Some("y")];
    let with = |subjects: [Option<&str>; 3]| {
        let cases: Vec<_> = truths
            .iter()
            .zip(subjects)
            .map(|(truth, subject)| case("slice", subject, &source, truth))
            .collect();
        lut_mae(&cases, &Training::default())
    };
    assert_eq!(with(subjects), [100.0, 90.0, 95.0], "x is predicted from y alone, y from the mean of x");
    assert_eq!(with([None; 3]), [55.0, 40.0, 95.0], "each is predicted from the mean of the two others");
    assert_eq!(with([Some("x"); 3]), with([None; 3]), "one subject cannot be left out");
}

#[test]
fn a_case_alone_has_no_fitted_baseline() {
    let (source, truth) = (head(50.0, 70.0), head(150.0, 100.0));
    let report =
        evaluate(&direction("t1", "t2"), &[case("a", None, &source, &truth)], &Training::default()).unwrap();
    let baselines = &report.baselines;
    assert!(baselines.histogram.is_none() && baselines.lut.is_none() && baselines.retrieval.is_none());
    assert!(baselines.copy.as_ref().unwrap().frame.psnr_db.sd.is_none(), "one case has no spread");
}

#[test]
fn retrieval_answers_with_the_partner() {
    let (source, truth) = (head(50.0, 70.0), head(150.0, 100.0));
    let (near, far) = (head(51.0, 71.0), head(10.0, 10.0));
    let training =
        Training { pairs: vec![(far.view(), far.view()), (near.view(), truth.view())], ..Default::default() };
    let report = evaluate(&direction("t1", "t2"), &[case("a", None, &source, &truth)], &training).unwrap();
    assert_eq!(report.baselines.retrieval.unwrap().frame.mae.mean, Some(0.0));
}

#[test]
fn a_blank_truth_is_scored_on_the_frame_alone() {
    let (source, blank) = (head(50.0, 70.0), head(0.0, 0.0));
    let mut blank_case = case("blank", None, &source, &blank);
    blank_case.output = source.view();
    let report = evaluate(&direction("t1", "t2"), &[blank_case], &Training::default()).unwrap();
    let model = &report.cases[0].model;
    assert!(model.frame.psnr_db.is_some() && model.frame.nmse.is_none());
    assert!(model.foreground.psnr_db.is_none() && model.inside.psnr_db.is_none());
}

#[test]
fn an_error_names_its_case() {
    let (source, truth) = (head(50.0, 70.0), head(150.0, 100.0));
    let mut nan = source.clone();
    nan[[0, 0]] = f32::NAN;
    let mut cases = vec![case("a", None, &source, &truth), case("b", None, &source, &truth)];
    cases[1].output = nan.view();
    let error = evaluate(&direction("t1", "t2"), &cases, &Training::default()).unwrap_err();
    assert_eq!(error.to_string(), "case b: the output holds a value that is not finite (NaN)");
    let small = array![[1.0]];
    cases[1].output = small.view();
    let error = evaluate(&direction("t1", "t2"), &cases, &Training::default()).unwrap_err();
    assert_eq!(error.to_string(), "case b: shapes differ: expected [24, 24], found [1, 1]");
    let none = evaluate(&direction("t1", "t2"), &[], &Training::default());
    assert!(matches!(none, Err(EvalError::Empty { .. })));
}

#[test]
fn the_standard_deviation_is_that_of_a_sample() {
    let summary = Summary::of([Some(1.0), Some(2.0), Some(6.0), Some(f64::INFINITY), None]);
    assert_eq!(summary.mean, Some(3.0));
    assert_eq!(summary.sd, Some(7.0_f64.sqrt()));
    assert_eq!((summary.infinite, summary.undefined), (1, 1));
}

#[test]
fn the_table_lists_model_and_baselines() {
    let (t1, t2) = (head(80.0, 160.0), head(200.0, 90.0));
    let mut only = case("a", None, &t1, &t2);
    let output = t2.mapv(|value| value + 1.0);
    only.output = output.view();
    let report = evaluate(&direction("t1", "t2"), &[only], &Training::default()).unwrap();
    let table = Report { directions: vec![report], failed: vec![] }.table();
    let lines: Vec<&str> = table.lines().map(str::trim_end).collect();
    assert_eq!(lines[0], "t1 -> t2, 1 case, mean ± SD");
    assert!(lines[3].starts_with("model              |         48.13"), "{table}");
    assert!(lines[4].starts_with("copy") && lines[5].starts_with("invert"), "{table}");
    assert_eq!(lines[6], "histogram          | not fitted: needs training images or more cases");
    assert!(lines[9].starts_with("inside the head, PSNR dB: model 48.13, copy "), "{table}");
    assert!(
        lines[10].starts_with("sharpness of the foreground, 1 as the truth: model 1.00, copy 0."),
        "{table}"
    );
    assert_eq!(lines[11], "histogram, lut and retrieval fitted on the other cases");
}
