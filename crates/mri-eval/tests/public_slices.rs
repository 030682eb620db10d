//! The reference figures on the public BrainWeb slices: train on z below 110, test on the block z = 110..124.
//! Skipped where the environment variable `MRI_TEST_DATA` names no folder with `slices/`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mri_eval::Range;
use mri_eval::evaluation::{Anatomy, Case, Direction, Training, evaluate};
use mri_eval::scores::{Scores, Summary};
use ndarray::Array2;
use std::path::{Path, PathBuf};

struct Pair {
    z: u32,
    images: [Array2<f32>; 2],
}

fn read(path: &Path) -> Array2<f32> {
    let grey = image::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).into_luma8();
    let (width, height) = grey.dimensions();
    let pixels = grey.into_raw().into_iter().map(f32::from).collect();
    Array2::from_shape_vec((height as usize, width as usize), pixels).unwrap()
}

fn read_pairs(root: &Path) -> Vec<Pair> {
    let text = std::fs::read_to_string(root.join("pairs.csv")).unwrap();
    let rows = text.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
    rows.filter(|row| row.iter().all(|field| !field.is_empty()))
        .map(|row| Pair {
            z: row[0].parse().unwrap(),
            images: [read(&root.join("Tr1").join(row[1])), read(&root.join("Tr2").join(row[2]))],
        })
        .collect()
}

fn psnr_and_ssim(scores: &Option<Scores<Summary>>) -> (f64, f64) {
    let frame = &scores.as_ref().unwrap().frame;
    (frame.psnr_db.mean.unwrap(), frame.ssim.mean.unwrap())
}

#[test]
fn baselines_reproduce_the_reference_figures() {
    let Some(root) = std::env::var_os("MRI_TEST_DATA").map(|root| PathBuf::from(root).join("slices")) else {
        println!("skipped: MRI_TEST_DATA is not set");
        return;
    };
    let pairs = read_pairs(&root);
    let (train, test): (Vec<&Pair>, Vec<&Pair>) =
        pairs.iter().filter(|pair| pair.z <= 124).partition(|pair| pair.z < 110);
    assert_eq!((train.len(), test.len()), (28, 15));

    let expected = [
        ("t1", "t2", 0, 1, [(11.3, 0.08, 0.005), (17.0, 0.78, 0.005), (25.7, 0.933, 0.0005)]),
        ("t2", "t1", 1, 0, [(11.3, 0.08, 0.005), (14.0, 0.65, 0.005), (20.6, 0.773, 0.0005)]),
    ];
    for (from, to, source, target, figures) in expected {
        let direction = Direction {
            from: from.into(),
            to: to.into(),
            source_range: Range::EIGHT_BIT,
            target_range: Range::EIGHT_BIT,
        };
        let cases: Vec<Case<'_>> = test
            .iter()
            .map(|pair| Case {
                name: format!("z = {}", pair.z),
                subject: None,
                source: pair.images[source].view(),
                truth: pair.images[target].view(),
                output: pair.images[source].view(),
                anatomy: Anatomy::default(),
            })
            .collect();
        let training = Training {
            origin: "the slices below z = 110".into(),
            sources: train.iter().map(|pair| pair.images[source].view()).collect(),
            targets: train.iter().map(|pair| pair.images[target].view()).collect(),
            pairs: train
                .iter()
                .map(|pair| (pair.images[source].view(), pair.images[target].view()))
                .collect(),
        };
        let report = evaluate(&direction, &cases, &training).unwrap();
        let baselines = &report.baselines;
        for (scores, (psnr_db, ssim, tolerance)) in
            [&baselines.copy, &baselines.invert, &baselines.lut].iter().zip(figures)
        {
            let (found_psnr_db, found_ssim) = psnr_and_ssim(scores);
            assert!(
                (found_psnr_db - psnr_db).abs() <= 0.05,
                "{from} to {to}: {found_psnr_db} dB, not {psnr_db}"
            );
            assert!((found_ssim - ssim).abs() <= tolerance, "{from} to {to}: {found_ssim}, not {ssim}");
        }
        assert_eq!(Some(&report.model), baselines.copy.as_ref());
        println!("{}", mri_eval::report::Report { directions: vec![report], failed: vec![] }.table());
    }
}
