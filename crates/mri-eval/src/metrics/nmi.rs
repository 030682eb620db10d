use super::check_pair;
use crate::{EvalError, Range};
use ndarray::{ArrayView, Dimension, Zip};

/// Bins per image in the joint histogram of [`nmi`].
pub const NMI_BINS: usize = 64;

/// Normalized mutual information `(H(output) + H(truth)) / H(output, truth)` (Studholme 1999): 1 when the images tell
/// nothing of each other, 2 when each determines the other, whatever the contrast.
///
/// The joint histogram has [`NMI_BINS`] x [`NMI_BINS`] bins over the declared range of each image; values beyond it
/// count in the end bins. Equals scikit-image's `normalized_mutual_information(bins=64)` for images that reach both
/// ends of their ranges.
///
/// # Errors
/// [`EvalError::Undefined`] when both images fall into one bin; shapes that differ, no pixels, a pixel that is not finite.
pub fn nmi<D: Dimension>(
    output: ArrayView<'_, f32, D>,
    truth: ArrayView<'_, f32, D>,
    output_range: Range,
    truth_range: Range,
) -> Result<f64, EvalError> {
    check_pair(&output, &truth)?;
    let bin = |value: f32, range: Range| {
        ((range.fraction(value) * NMI_BINS as f64).max(0.0) as usize).min(NMI_BINS - 1)
    };
    let mut joint = vec![0_u64; NMI_BINS * NMI_BINS];
    Zip::from(&output).and(&truth).for_each(|&o, &t| {
        joint[bin(o, output_range) * NMI_BINS + bin(t, truth_range)] += 1;
    });
    let of_output: Vec<u64> = joint.chunks(NMI_BINS).map(|row| row.iter().sum()).collect();
    let of_truth: Vec<u64> =
        (0..NMI_BINS).map(|column| joint.iter().skip(column).step_by(NMI_BINS).sum()).collect();

    let joint_entropy = entropy(&joint);
    if joint_entropy == 0.0 {
        return Err(EvalError::Undefined { metric: "NMI", reason: "both images fall into a single bin" });
    }
    Ok((entropy(&of_output) + entropy(&of_truth)) / joint_entropy)
}

/// Shannon entropy of counts, in nats.
fn entropy(counts: &[u64]) -> f64 {
    let total = counts.iter().sum::<u64>() as f64;
    let occupied = counts.iter().filter(|&&count| count > 0).map(|&count| count as f64 / total);
    occupied.map(|p| -p * p.ln()).sum()
}
