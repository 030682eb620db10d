//! What is found of lesions in outputs whose fault is known.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mri_eval::evaluation::{Anatomy, Case, Direction, Training, evaluate};
use mri_eval::foreground::foreground;
use mri_eval::lesions::{Lesion, LesionReport, SearchArea, TypicalLesion, find_lesions};
use mri_eval::{EvalError, Range};
use ndarray::{Array2, array};

const RANGE: Range = Range::EIGHT_BIT;
const SIDE: usize = 96;
const LESIONS: [(i32, i32, i32); 3] = [(36, 40, 2), (52, 56, 3), (60, 36, 2)];

fn within(row: usize, column: usize, (r, c, radius): (i32, i32, i32)) -> bool {
    (row as i32 - r).pow(2) + (column as i32 - c).pow(2) <= radius * radius
}

/// Deterministic, about -1 to 1.
fn noise(row: usize, column: usize) -> f32 {
    ((row * 7919 + column * 104_729 + row * column * 31) % 256) as f32 / 127.5 - 1.0
}

/// White matter of 60 with lesions of 140 in a rim of 110, in air.
fn truth() -> Array2<f32> {
    Array2::from_shape_fn((SIDE, SIDE), |(row, column)| {
        let base = if !within(row, column, (48, 48, 44)) {
            return 2.0;
        } else if !within(row, column, (48, 48, 34)) {
            110.0
        } else if LESIONS.iter().any(|&lesion| within(row, column, lesion)) {
            140.0
        } else {
            60.0
        };
        base + 2.0 * noise(row, column)
    })
}

fn mask() -> Array2<bool> {
    Array2::from_shape_fn((SIDE, SIDE), |(row, column)| {
        LESIONS.iter().any(|&lesion| within(row, column, lesion))
    })
}

/// `truth` with a disc of `value` painted over it.
fn painted(truth: &Array2<f32>, disc: (i32, i32, i32), value: f32) -> Array2<f32> {
    let mut output = truth.clone();
    output
        .indexed_iter_mut()
        .filter(|((r, c), _)| within(*r, *c, disc))
        .for_each(|(_, pixel)| *pixel = value);
    output
}

fn blurred(image: &Array2<f32>) -> Array2<f32> {
    Array2::from_shape_fn(image.dim(), |(row, column)| {
        let around = (row.saturating_sub(2)..=(row + 2).min(SIDE - 1))
            .flat_map(|r| (column.saturating_sub(2)..=(column + 2).min(SIDE - 1)).map(move |c| (r, c)));
        let values: Vec<f32> = around.map(|at| image[at]).collect();
        values.iter().sum::<f32>() / values.len() as f32
    })
}

fn judged(truth: &Array2<f32>, output: &Array2<f32>, mask: &Array2<bool>) -> LesionReport {
    let direction =
        Direction { from: "t1".into(), to: "t2".into(), source_range: RANGE, target_range: RANGE };
    let case = Case {
        name: "a".into(),
        subject: None,
        source: truth.view(),
        truth: truth.view(),
        output: output.view(),
        anatomy: Anatomy { labels: None, lesions: Some(mask.into()) },
    };
    evaluate(&direction, &[case], &Training::default()).unwrap().lesions.unwrap()
}

#[test]
fn the_truth_keeps_all_and_invents_nothing() {
    let report = judged(&truth(), &truth(), &mask());
    assert_eq!((report.judged, report.unclear, report.model.contrast_kept), (3, 0, Some(1.0)));
    assert_eq!((report.model.sign_kept.share(), report.model.erased.count), (Some(1.0), 0));
    assert_eq!(report.model.invented, Some(0));
    assert!(report.searched_px > 1000, "{}", report.searched_px);
}

#[test]
fn noise_and_tone_and_a_small_shift_are_no_lesions() {
    let truth = truth();
    let noisy = Array2::from_shape_fn(truth.dim(), |(row, column)| {
        truth[[row, column]] + 12.0 * noise(column + 3, row)
    });
    let toned = truth.mapv(|value| 20.0 + 0.8 * value);
    let shifted = Array2::from_shape_fn(truth.dim(), |(row, column)| truth[[row, column.saturating_sub(1)]]);
    for (output, what) in [(noisy, "noise"), (toned, "tone"), (shifted, "shift"), (blurred(&truth), "blur")] {
        let report = judged(&truth, &output, &mask());
        assert_eq!(report.model.invented, Some(0), "{what}: {:?}", report.invented);
        assert_eq!(report.model.sign_kept.count, 3, "{what}");
    }
}

#[test]
fn what_fades_keeps_the_part_that_is_left() {
    let (truth, mask) = (truth(), mask());
    let faded = Array2::from_shape_fn(truth.dim(), |at| {
        if mask[at] { 60.0 + 0.5 * (truth[at] - 60.0) } else { truth[at] }
    });
    let kept = judged(&truth, &faded, &mask).model.contrast_kept.unwrap();
    assert!((kept - 0.5).abs() < 0.02, "{kept}");
    let of_blurred = judged(&truth, &blurred(&truth), &mask).model.contrast_kept.unwrap();
    assert!((0.2..0.8).contains(&of_blurred), "{of_blurred}");
}

#[test]
fn a_lesion_painted_over_is_erased_and_one_turned_dark_has_lost_its_sign() {
    let truth = truth();
    let output = painted(&painted(&truth, LESIONS[0], 60.0), LESIONS[1], 20.0);
    let report = judged(&truth, &output, &mask());
    assert_eq!((report.model.erased.count, report.model.sign_kept.count < 3), (1, true));
    let kept: Vec<f64> = report.each.iter().map(|lesion| lesion.model).collect();
    assert!(kept[0].abs() < 0.05 && (kept[1] + 0.5).abs() < 0.05 && kept[2] == 1.0, "{kept:?}");
    assert_eq!((report.each[1].row, report.each[1].column, report.each[1].area_px), (52, 56, 29));
    assert_eq!(report.model.invented, Some(0), "what happens to a lesion is no invention");
}

#[test]
fn a_painted_spot_is_invented_and_a_faint_one_is_not() {
    let truth = truth();
    for (value, sign) in [(140.0, 1.0), (10.0, -1.0)] {
        let report = judged(&truth, &painted(&truth, (40, 62, 2), value), &mask());
        let [spot] = &report.invented[..] else { panic!("{:?}", report.invented) };
        assert_eq!((spot.case.as_str(), spot.spot.row, spot.spot.column), ("a", 40, 62));
        assert!(sign * spot.spot.deviation > 20.0, "{spot:?}");
    }
    assert_eq!(judged(&truth, &painted(&truth, (40, 62, 2), 85.0), &mask()).model.invented, Some(0));
    assert_eq!(
        judged(&truth, &painted(&truth, (40, 62, 0), 140.0), &mask()).model.invented,
        Some(0),
        "one pixel"
    );
}

#[test]
fn without_a_lesion_to_measure_by_nothing_can_be_called_invented() {
    let healthy = Array2::from_elem((SIDE, SIDE), false);
    let report = judged(&truth(), &painted(&truth(), (40, 62, 2), 140.0), &healthy);
    assert_eq!((report.judged, report.model.contrast_kept, report.model.invented), (0, None, None));
}

#[test]
fn lesions_without_contrast_and_pieces_of_few_pixels_are_left_out() {
    let truth = truth();
    let unseen = painted(&truth, LESIONS[0], 60.5);
    let report = judged(&unseen, &truth, &mask());
    assert_eq!((report.judged, report.unclear), (2, 1));

    let mut with_speck = mask();
    with_speck[[30, 60]] = true;
    let lesions = find_lesions(truth.view(), with_speck.view(), None, RANGE).unwrap();
    assert_eq!(lesions.iter().map(Lesion::area_px).collect::<Vec<_>>(), [13, 29, 13]);
}

#[test]
fn with_labels_a_lesion_is_compared_with_its_own_tissue() {
    // A lesion of 140 in white matter (60) beside fluid (250), which takes a third of the ring.
    let truth =
        Array2::from_shape_fn((20, 20), |(row, column)| match (within(row, column, (10, 9, 2)), column) {
            (true, _) => 140.0,
            (false, 12..) => 250.0,
            _ => 60.0,
        });
    let mask = Array2::from_shape_fn((20, 20), |(row, column)| within(row, column, (10, 9, 2)));
    let labels = truth.mapv(|value| if value == 250.0 { 1_u8 } else { 3 });
    let contrast = |labels| find_lesions(truth.view(), mask.view(), labels, RANGE).unwrap()[0].contrast;
    assert_eq!(contrast(Some(labels.view())), 80.0);
    assert!(contrast(None) < 40.0);
}

#[test]
fn the_median_is_that_of_the_clear_lesions_without_their_signs() {
    let truth = painted(&truth(), LESIONS[0], 20.0);
    let lesions = find_lesions(truth.view(), mask().view(), None, RANGE).unwrap();
    let typical = TypicalLesion::of(&lesions).unwrap();
    let mut contrasts: Vec<f64> = lesions.iter().map(|lesion| lesion.contrast.abs()).collect();
    contrasts.sort_by(f64::total_cmp);
    assert_eq!(typical.contrast, contrasts[1]);
    assert!((typical.radius_px - (13.0 / std::f64::consts::PI).sqrt()).abs() < 1e-12);
    assert_eq!(TypicalLesion::of(&[]), None);
}

#[test]
fn shapes_must_agree() {
    let (truth, small) = (truth(), array![[true]]);
    let mismatch = |result: Result<(), EvalError>| matches!(result, Err(EvalError::ShapeMismatch { .. }));
    assert!(mismatch(find_lesions(truth.view(), small.view(), None, RANGE).map(|_| ())));
    let head = foreground(truth.view()).unwrap();
    let typical = TypicalLesion { contrast: 80.0, radius_px: 2.0 };
    let search = |mask: &Array2<bool>| {
        SearchArea::new(truth.view(), mask.view(), head.view(), typical).map(|area| area.area_px())
    };
    assert!(mismatch(search(&small).map(|_| ())));
    assert!(search(&mask()).unwrap() > 1000);
}
