//! What anyone who knows heads expects of the phantom.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mri_data::phantom::{SliceGrid, Subject, Tissue};
use ndarray::Array2;

const GRID_PX: usize = 112;

fn grid() -> SliceGrid {
    SliceGrid::square(GRID_PX)
}

fn area_mm2(labels: &Array2<u8>, tissue: Tissue) -> f32 {
    let pixels = labels.iter().filter(|label| **label == tissue.label()).count();
    pixels as f32 * grid().spacing_mm.powi(2)
}

fn correlation(a: &Array2<f32>, b: &Array2<f32>) -> f32 {
    let (a, b) = (a - a.mean().unwrap(), b - b.mean().unwrap());
    (&a * &b).sum() / ((&a * &a).sum() * (&b * &b).sum()).sqrt()
}

#[test]
fn the_same_seed_gives_the_same_head_and_another_seed_another() {
    let slice = |seed| Subject::new(seed).slice(20.0, &grid());
    assert_eq!(slice(1), slice(1));
    let (one, other) = (slice(1), slice(2));
    let changed = one.labels.iter().zip(&other.labels).filter(|(a, b)| a != b).count();
    assert!(changed > GRID_PX * GRID_PX / 12, "{changed} pixels differ");
}

#[test]
fn slices_a_millimetre_apart_are_nearly_the_same_and_centimetres_apart_are_not() {
    let subject = Subject::new(3);
    let t2 = |level_mm| subject.slice(level_mm, &grid()).t2;
    let (near, far) = (correlation(&t2(30.0), &t2(31.0)), correlation(&t2(30.0), &t2(50.0)));
    assert!(near > 0.9, "{near}");
    assert!(far < 0.75, "{far}");
}

#[test]
fn areas_of_the_tissues_are_those_of_adult_heads() {
    for seed in 0..12 {
        let slice = Subject::new(seed).slice(14.0, &grid());
        let area = |tissue| area_mm2(&slice.labels, tissue);
        let (grey, white) = (area(Tissue::GreyMatter), area(Tissue::WhiteMatter));
        assert!((3000.0..9000.0).contains(&grey), "seed {seed}: grey {grey}");
        assert!((4000.0..11000.0).contains(&white), "seed {seed}: white {white}");
        assert!((0.3..1.6).contains(&(grey / white)), "seed {seed}: grey to white {}", grey / white);
        let fluid = area(Tissue::Csf) / (grey + white);
        assert!((0.04..0.5).contains(&fluid), "seed {seed}: fluid {fluid}");
        // The nuclei are widest lower down.
        let lower = Subject::new(seed).slice(7.0, &grid()).labels;
        for nucleus in [Tissue::Thalamus, Tissue::Striatum] {
            let area = area_mm2(&lower, nucleus);
            assert!((200.0..1800.0).contains(&area), "seed {seed}: {nucleus:?} {area}");
        }
    }
}

#[test]
fn every_ray_from_the_middle_meets_skull_then_fat_then_skin_then_air_to_the_edge() {
    for seed in 0..6 {
        for level_mm in [5.0, 30.0, 55.0] {
            let labels = Subject::new(seed).slice(level_mm, &SliceGrid::square(224)).labels;
            let size = 224.0;
            for ray in 0..60 {
                let (sin, cos) = (ray as f32 * std::f32::consts::TAU / 60.0).sin_cos();
                let along: Vec<u8> = (0..(size as usize))
                    .map(|step| (size / 2.0 + sin * step as f32 * 0.5, size / 2.0 + cos * step as f32 * 0.5))
                    .map(|(row, column)| labels[(row as usize, column as usize)])
                    .collect();
                let first = |tissue: Tissue| along.iter().position(|label| *label == tissue.label());
                let [bone, fat, skin, air] =
                    [Tissue::Bone, Tissue::Fat, Tissue::Skin, Tissue::Background].map(first);
                let place = format!("seed {seed}, level {level_mm}, ray {ray}");
                assert!(bone < fat && fat < air, "{place}: {bone:?} {fat:?} {air:?}");
                assert!(bone.is_some() && fat.is_some() && skin.is_some() && air.is_some(), "{place}");
                let air = air.unwrap();
                assert!(along[air..].iter().all(|label| *label == Tissue::Background.label()), "{place}");
            }
        }
    }
}

#[test]
fn sulci_reach_a_centimetre_and_more_below_the_surface() {
    // Fluid that is neither ventricle nor near the midline, by its distance to the nearest bone.
    for seed in 0..4 {
        let slice = Subject::new(seed).slice(48.0, &grid());
        let bones: Vec<(usize, usize)> = indices(&slice.labels, Tissue::Bone);
        let middle = GRID_PX as f32 / 2.0;
        let depth_mm = |(row, column): &(usize, usize)| {
            let squared = |bone: &(usize, usize)| {
                (bone.0 as f32 - *row as f32).powi(2) + (bone.1 as f32 - *column as f32).powi(2)
            };
            bones.iter().map(squared).fold(f32::INFINITY, f32::min).sqrt() * grid().spacing_mm
        };
        let lateral =
            |(_, column): &(usize, usize)| (*column as f32 - middle).abs() * grid().spacing_mm > 20.0;
        let deepest = indices(&slice.labels, Tissue::Csf)
            .iter()
            .filter(|p| lateral(p))
            .map(depth_mm)
            .fold(0.0, f32::max);
        assert!(deepest > 12.0, "seed {seed}: {deepest} mm");
    }
}

fn indices(labels: &Array2<u8>, tissue: Tissue) -> Vec<(usize, usize)> {
    labels.indexed_iter().filter(|(_, label)| **label == tissue.label()).map(|(at, _)| at).collect()
}

#[test]
fn lesions_change_only_themselves_and_have_their_signal() {
    let (mut lesion_pixels, mut focal_pixels) = (0, 0);
    for seed in 0..5 {
        let (healthy, ill) = (Subject::new(seed), Subject::with_lesions(seed));
        for level_mm in [14.0, 22.0, 30.0, 38.0] {
            let (before, after) = (healthy.slice(level_mm, &grid()), ill.slice(level_mm, &grid()));
            assert!(before.lesions.iter().all(|lesion| *lesion == 0));
            for ((at, lesion), label) in after.lesions.indexed_iter().zip(&after.labels) {
                lesion_pixels += usize::from(*lesion);
                focal_pixels += usize::from(*label == Tissue::FocalLesion.label());
                if *lesion == 1 {
                    assert!(after.t2[at] > before.t2[at] && after.t1[at] < before.t1[at] + 0.02, "{at:?}");
                }
            }
            let far = |(row, column): (usize, usize)| {
                let rows = row.saturating_sub(2)..(row + 3).min(GRID_PX);
                rows.flat_map(|r| (column.saturating_sub(2)..(column + 3).min(GRID_PX)).map(move |c| (r, c)))
                    .all(|p| !matches!(after.labels[p], 14 | 15))
            };
            for (at, t1) in after.t1.indexed_iter().filter(|(at, _)| far(*at)) {
                assert!((t1 - before.t1[at]).abs() < 0.05, "{at:?}");
            }
        }
    }
    assert!(lesion_pixels > 50 && focal_pixels > 5, "{lesion_pixels} {focal_pixels}");
}

#[test]
fn a_slice_does_not_depend_on_the_size_of_its_pixels_but_for_detail() {
    let subject = Subject::new(9);
    let (coarse, fine) =
        (subject.slice(25.0, &SliceGrid::square(64)), subject.slice(25.0, &SliceGrid::square(256)));
    let shrunk = Array2::from_shape_fn((64, 64), |(row, column)| {
        fine.t1.slice(ndarray::s![4 * row..4 * row + 4, 4 * column..4 * column + 4]).mean().unwrap()
    });
    assert!(correlation(&coarse.t1, &shrunk) > 0.96, "{}", correlation(&coarse.t1, &shrunk));
}
