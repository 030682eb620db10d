//! Collapse: every way of collapsing has its sign, and a translation that works has none.
#![allow(clippy::unwrap_used)]

use mri_eval::Range;
use mri_eval::collapse::{OutputStatistics, Sign};
use ndarray::{Array2, ArrayView2};

/// Heads of growing size in black air; `tissues` are the grey levels of the inner and the outer one, in [-1, 1].
fn heads(tissues: [f32; 2]) -> Vec<Array2<f32>> {
    let head = |number: usize| {
        Array2::from_shape_fn((40, 36), |(row, column)| {
            let radius = (row as f32 - 20.0).hypot(column as f32 - 18.0) / (10.0 + number as f32);
            match radius {
                r if r < 0.5 => tissues[0] + row as f32 / 200.0,
                r if r < 1.0 => tissues[1] + column as f32 / 200.0,
                _ => -1.0,
            }
        })
    };
    (0..6).map(head).collect()
}

const T1: [f32; 2] = [-0.5, 0.4];
const T2: [f32; 2] = [0.6, -0.3];

fn statistics(outputs: &[Array2<f32>]) -> OutputStatistics {
    let (inputs, references) = (heads(T1), heads(T2));
    fn views(images: &[Array2<f32>]) -> Vec<ArrayView2<'_, f32>> {
        images.iter().map(|image| image.view()).collect()
    }
    let range = Range::new(-1.0, 1.0).unwrap();
    OutputStatistics::of(&views(&inputs), &views(outputs), &views(&references), range).unwrap()
}

fn signs(outputs: &[Array2<f32>]) -> Vec<Sign> {
    statistics(outputs).signs()
}

fn each(images: &[Array2<f32>], change: impl Fn(f32) -> f32) -> Vec<Array2<f32>> {
    images.iter().map(|image| image.mapv(&change)).collect()
}

#[test]
fn the_true_images_show_no_sign_and_every_figure_says_so() {
    let found = statistics(&heads(T2));
    assert_eq!(found.signs(), []);
    assert_eq!((found.contrast, found.greys, found.distance), (Some(1.0), Some(1.0), Some(0.0)));
    assert!(found.change.unwrap() > 1.0, "a translation changes at least what the histograms ask for");
    assert!((0.5..2.0).contains(&found.variety.unwrap()));
}

#[test]
fn a_poor_translation_is_no_collapse() {
    let low_contrast = each(&heads(T2), |value| 0.3 * (value + 1.0) - 1.0);
    let noisy: Vec<_> = heads(T2)
        .into_iter()
        .map(|mut image| {
            image.iter_mut().zip(0_u32..).for_each(|(value, n)| *value += 0.1 * (n as f32 * 12.9).sin());
            image
        })
        .collect();
    let negative = each(&heads(T1), |value| if value > -0.9 { -value } else { -1.0 });
    for poor in [low_contrast, noisy, negative] {
        assert_eq!(signs(&poor), []);
    }
}

#[test]
fn every_way_of_collapsing_has_its_sign() {
    let t1 = heads(T1);
    assert!(matches!(signs(&each(&t1, |value| 0.01 * value))[..], [Sign::Flat(_), Sign::Far(_)]));
    assert!(matches!(signs(&each(&t1, |_| -1.0))[..], [Sign::Flat(_), Sign::Saturated(_)]));
    assert!(matches!(signs(&each(&t1, |value| value.signum()))[..], [Sign::Saturated(_)]));
    let checkered = |mut image: Array2<f32>| {
        image.indexed_iter_mut().for_each(|((r, c), v)| *v += if (r + c) % 2 == 0 { 0.3 } else { -0.3 });
        image
    };
    assert!(matches!(
        signs(&heads(T2).into_iter().map(checkered).collect::<Vec<_>>())[..],
        [Sign::Pattern(_)]
    ));
    let one_image: Vec<_> = heads(T2).iter().map(|_| heads(T2)[2].clone()).collect();
    assert_eq!(signs(&one_image), [Sign::Same(0.0)]);
    let white_air = each(&t1, |value| -value);
    assert!(matches!(signs(&white_air)[..], [Sign::Far(times)] if times > 1.5));
    assert_eq!(signs(&t1), [Sign::Copied(0.0)]);
    let words = signs(&each(&t1, |value| value + 1e-3))[0].to_string();
    assert!(words.starts_with("copies of the input: changed by "), "{words}");
}

#[test]
fn a_flat_output_at_the_median_grey_lies_at_distance_one() {
    let mut greys: Vec<f32> = heads(T2).iter().flatten().copied().collect();
    greys.sort_by(f32::total_cmp);
    let median = greys[greys.len() / 2];
    let found = statistics(&each(&heads(T1), |_| median)).distance.unwrap();
    assert!((found - 1.0).abs() < 0.01, "{found}");
}

#[test]
fn what_cannot_be_compared_is_no_sign() {
    let range = Range::new(-1.0, 1.0).unwrap();
    let (t1, t2) = (heads(T1), heads(T2));
    let one = OutputStatistics::of(&[t1[0].view()], &[t2[0].view()], &[t2[1].view()], range).unwrap();
    assert_eq!((one.variety, one.signs()), (None, vec![]), "a single output is not compared with others");
    let of_t2: Vec<_> = t2.iter().map(|image| image.view()).collect();
    let copied = OutputStatistics::of(&of_t2, &of_t2, &of_t2, range).unwrap();
    assert_eq!((copied.change, copied.signs()), (None, vec![]), "domains that do not differ may be copied");
    assert!(OutputStatistics::of(&of_t2, &of_t2[1..], &of_t2, range).is_err());
    assert!(OutputStatistics::of(&[], &[], &of_t2, range).is_err());
    let nan = t2[0].mapv(|_| f32::NAN);
    assert!(OutputStatistics::of(&of_t2[..1], &[nan.view()], &of_t2, range).is_err());
}
