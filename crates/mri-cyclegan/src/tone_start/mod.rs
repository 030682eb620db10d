//! Where the tone curves of the two generators start: estimated from the unpaired images themselves.
//!
//! A curve from grey level to grey level carries the statistics of the images of one domain over to the other's. Two of
//! them say more than a histogram, which any rising or falling curve can match: which levels lie how deep below the
//! outline of the head, and which levels lie beside which ([`ToneStatistics`]). The curve is sought as a table of
//! chances, one row a source level, so that one level may stand for several tissues:
//!
//! minimize over M, rows of M summing to 1,
//! `KL(Q | P M) + mean over distances o of KL(Q_o | Mᵀ P_o M) + mean (k'')²`
//!
//! with P and Q the levels by depth of source and target, `P_o` and `Q_o` their levels side by side at distance o, and k
//! the mean target level of each row, which is the curve. The first term is convex; the third bridges levels that hardly
//! occur.

mod head;
mod statistics;

use crate::{Adam, Result, adam::AdamConfig};
use candle_core::{D, DType, Device, Tensor, Var};
use mri_unet::TONE_KNOTS;
pub use statistics::ToneStatistics;

const STEPS: usize = 600;
const RATE: f64 = 0.1;
const SMOOTHNESS: f64 = 1.;
/// Air that comes out darker than this is made quite black, where a curve's knot stays.
const BLACK: f32 = -0.9;
/// Added to every chance, so that a level that does not occur has a logarithm.
const RARE: f64 = 1e-6;

/// The curve that makes the statistics of `source` most like those of `target`: the level that each of [`TONE_KNOTS`]
/// levels, evenly spaced on [-1,1], becomes.
pub fn estimate_tone(source: &ToneStatistics, target: &ToneStatistics) -> Result<Vec<f32>> {
    let device = Device::Cpu;
    let wanted_by_depth = target.by_depth(&device)?;
    // As often at each depth as in the target: heads may be larger in one domain.
    let by_depth = source.by_depth(&device)?;
    let share = wanted_by_depth.sum_keepdim(1)?.div(&(by_depth.sum_keepdim(1)? + 1e-12)?)?;
    let by_depth = by_depth.broadcast_mul(&share)?;
    let (beside, wanted_beside) = (source.beside(&device)?, target.beside(&device)?);
    let distances = beside.dim(0)? as f64;
    let levels = (Tensor::arange(0., TONE_KNOTS as f64, &device)? * (2. / (TONE_KNOTS - 1) as f64))?;
    let levels = (levels - 1.)?.reshape((TONE_KNOTS, 1))?;

    let logits = Var::zeros((TONE_KNOTS, TONE_KNOTS), DType::F64, &device)?;
    let constants = AdamConfig { beta1: 0.9, ..AdamConfig::default() };
    let mut adam = Adam::new(constants, [("logits".to_string(), logits.clone(), 1.)])?;
    let cross_entropy = |wanted: &Tensor, found: Tensor| -> Result<Tensor> {
        Ok((wanted * (found + RARE)?.log()?)?.sum_all()?.neg()?)
    };
    for step in 0..STEPS {
        let chances = candle_nn::ops::softmax(&logits, D::Minus1)?;
        let carried = chances.t()?.contiguous()?.broadcast_matmul(&beside)?.broadcast_matmul(&chances)?;
        let curve = chances.matmul(&levels)?;
        let slope = (curve.narrow(0, 1, TONE_KNOTS - 1)? - curve.narrow(0, 0, TONE_KNOTS - 1)?)?;
        let bend = (slope.narrow(0, 1, TONE_KNOTS - 2)? - slope.narrow(0, 0, TONE_KNOTS - 2)?)?;
        let loss = (cross_entropy(&wanted_by_depth, by_depth.matmul(&chances)?)?
            + (cross_entropy(&wanted_beside, carried)? / distances)?
            + (bend.sqr()?.mean_all()? * SMOOTHNESS)?)?;
        let rest = 1. - step as f64 / STEPS as f64;
        adam.step(&loss.backward()?.into(), RATE * (2. * rest).min(1.), &loss)?;
    }
    let curve = candle_nn::ops::softmax(&logits, D::Minus1)?.matmul(&levels)?;
    let mut curve: Vec<f32> = curve.flatten_all()?.to_dtype(DType::F32)?.to_vec1()?;
    if let Some(air) = curve.first_mut().filter(|air| **air < BLACK) {
        *air = -1.;
    }
    Ok(curve)
}
