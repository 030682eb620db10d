//! Judges a made-up translation of a made-up head against its truth and the baselines:
//! `cargo run -p mri-eval --example judge`

use mri_eval::evaluation::{Anatomy, Case, Direction, Training, evaluate};
use mri_eval::report::Report;
use mri_eval::{EvalError, Range};
use ndarray::Array2;

/// An ellipse of three tissues; `size` differs between subjects, `tissues` between contrasts.
fn head(size: f32, tissues: [f32; 3]) -> Array2<f32> {
    Array2::from_shape_fn((192, 176), |(row, column)| {
        let radius = ((row as f32 - 96.0) / 90.0).hypot((column as f32 - 88.0) / 75.0) / size;
        let folds = 0.05 * (row as f32 / 7.0).sin() * (column as f32 / 9.0).cos();
        match radius + folds {
            r if r < 0.3 => tissues[0],
            r if r < 0.7 => tissues[1],
            r if r < 0.9 => tissues[2],
            _ => 0.0,
        }
    })
}

fn main() -> Result<(), EvalError> {
    let sizes = [0.8, 0.85, 0.9, 0.95];
    let t1: Vec<_> = sizes.iter().map(|&size| head(size, [60.0, 150.0, 200.0])).collect();
    let t2: Vec<_> = sizes.iter().map(|&size| head(size, [230.0, 110.0, 80.0])).collect();
    let synthetic: Vec<_> = t2.iter().map(|truth| truth.mapv(|value| 0.93 * value)).collect();

    let cases: Vec<Case<'_>> = (0..sizes.len())
        .map(|index| Case {
            name: format!("subject-{index}"),
            subject: Some(format!("{index}")),
            source: t1[index].view(),
            truth: t2[index].view(),
            output: synthetic[index].view(),
            anatomy: Anatomy::default(),
        })
        .collect();
    let direction = Direction {
        from: "t1".into(),
        to: "t2".into(),
        source_range: Range::EIGHT_BIT,
        target_range: Range::EIGHT_BIT,
    };
    let report = evaluate(&direction, &cases, &Training::default())?;
    println!("{}", Report { directions: vec![report], failed: vec![] }.table());
    Ok(())
}
