//! Classes of grey values and Dice's overlap.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mri_eval::evaluation::{Anatomy, Case, Direction, Training, evaluate};
use mri_eval::tissues::{GreyValues, Tissues};
use mri_eval::{EvalError, Range};
use ndarray::{Array2, array};

const RANGE: Range = Range::EIGHT_BIT;

/// Labels 0 to 3 in a pattern, and an image in which the tissues are about 200, 120 and 90.
fn sample() -> (Array2<f32>, Array2<u8>) {
    let labels = Array2::from_shape_fn((40, 32), |(r, c)| ((r * r + 3 * c * c + 5 * r * c) / 64 % 4) as u8);
    let image = Array2::from_shape_fn((40, 32), |(r, c)| {
        let noise = (r * 7919 + c * 104_729 + r * c * 31) % 64;
        [0, 200, 120, 90][usize::from(labels[[r, c]])] as f32 + noise as f32
    });
    (image, labels)
}

// import numpy as np; from scipy.stats import norm
// r, c = np.mgrid[:40, :32]
// labels = (r * r + 3 * c * c + 5 * r * c) // 64 % 4
// image = np.array([0, 200, 120, 90])[labels] + (r * 7919 + c * 104729 + r * c * 31) % 64.
// of = [image[labels == k] for k in (1, 2, 3)]
// n = sum(map(len, of))
// for output in (image, image[:, ::-1]):
//     told = 1 + np.argmax([norm.logpdf(output, v.mean(), v.std()) + np.log(len(v) / n) for v in of], 0)
//     told[labels == 0] = 0
//     print([2 * ((told == k) & (labels == k)).sum() / ((told == k).sum() + (labels == k).sum()) for k in (1, 2, 3)])
#[test]
fn classes_and_overlap_equal_scipy() {
    let (image, labels) = sample();
    let mut seen = GreyValues::default();
    seen.add(image.view(), labels.view()).unwrap();
    let classifier = seen.classifier(RANGE).unwrap();
    let mirrored = image.slice(ndarray::s![.., ..;-1]);
    for (output, expected) in [(image.view(), GOLDEN_OWN), (mirrored, GOLDEN_MIRRORED)] {
        let Tissues { csf, grey_matter, white_matter } = classifier.dice(output, labels.view()).unwrap();
        for (found, expected) in [csf, grey_matter, white_matter].into_iter().zip(expected) {
            assert!((found.unwrap() - expected).abs() < 1e-12, "{found:?} {expected}");
        }
    }
}

const GOLDEN_OWN: [f64; 3] = [1.0, 0.7430340557275542, 0.7242524916943521];
const GOLDEN_MIRRORED: [f64; 3] = [0.3304042179261863, 0.2642857142857143, 0.39738562091503266];

#[test]
fn by_hand() {
    let mut seen = GreyValues::default();
    let labels = array![[1_u8, 1, 2, 2, 3, 3, 0, 7]];
    seen.add(array![[200.0, 210.0, 100.0, 110.0, 50.0, 60.0, 100.0, 100.0]].view(), labels.view()).unwrap();
    let classifier = seen.classifier(RANGE).unwrap();
    // One pixel of grey matter told as white matter; what has another label does not count.
    let output = array![[205.0, 204.0, 56.0, 104.0, 51.0, 59.0, 55.0, 105.0]];
    let dice = classifier.dice(output.view(), labels.view()).unwrap();
    assert_eq!((dice.csf, dice.grey_matter, dice.white_matter), (Some(1.0), Some(2.0 / 3.0), Some(0.8)));

    let no_tissue = classifier.dice(output.view(), array![[0_u8; 8]].view()).unwrap();
    assert_eq!(no_tissue, Tissues::default());
    assert_eq!(GreyValues::default().classifier(RANGE), None);
    assert!(matches!(seen.add(output.view(), array![[1_u8]].view()), Err(EvalError::ShapeMismatch { .. })));
}

#[test]
fn the_classes_come_from_the_other_subjects() {
    let (image, labels) = sample();
    let inverted = image.mapv(|value| 255.0 - value);
    let case = |name: &str, output: &'static str| Case {
        name: name.into(),
        subject: Some(name.into()),
        source: image.view(),
        truth: image.view(),
        output: if output == "truth" { image.view() } else { inverted.view() },
        anatomy: Anatomy { labels: Some((&labels).into()), lesions: None },
    };
    let direction =
        Direction { from: "t1".into(), to: "t2".into(), source_range: RANGE, target_range: RANGE };
    let report = |cases: &[Case<'_>]| evaluate(&direction, cases, &Training::default()).unwrap();

    let tissues = report(&[case("a", "truth"), case("b", "inverted")]).tissues.unwrap();
    assert_eq!((tissues.cases, tissues.fitted_on.as_str()), (2, "the cases of the other subjects"));
    let ceiling = tissues.ceiling.mean().unwrap();
    assert!(ceiling > 0.8 && tissues.model.mean().unwrap() < 0.6 * ceiling, "{tissues:?}");
    assert_eq!(tissues.baselines.copy.unwrap(), tissues.ceiling, "here the source is the truth");

    assert!(report(&[case("a", "truth")]).tissues.is_none(), "no other case to take the classes from");
    let mut unlabelled = case("b", "truth");
    unlabelled.anatomy = Anatomy::default();
    assert!(report(&[unlabelled.clone(), unlabelled]).tissues.is_none());
}
