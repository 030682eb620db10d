//! What the members of an ensemble say of their own errors.

use anyhow::Result;
use mri_data::scratch::Scratch;
use mri_eval::EvalError;
use mri_eval::calibration::{Calibration, Pixels};
use mri_eval::foreground::foreground;

use super::{Evaluation, Translated};

/// Adds to the report of each direction how its errors compare with the standard deviations over `members` outputs, where
/// there are any.
pub fn calibrate(evaluation: &mut Evaluation, members: usize) -> Result<()> {
    let Evaluation { report, cases, scratch } = evaluation;
    for (direction, to) in report.directions.iter_mut().zip([1, 0]) {
        direction.uncertainty = calibration(to, members, cases, scratch)?;
    }
    Ok(())
}

/// Over the heads in the true images, one case after the other.
fn calibration(
    to: usize,
    members: usize,
    cases: &[Translated],
    scratch: &Scratch,
) -> Result<Option<Calibration>> {
    let mut pixels = Pixels::default();
    for case in cases {
        let Some(sd) = case.sds[to] else { return Ok(None) };
        let truth = scratch.read(case.images[to])?;
        let mask = match foreground(truth.view()) {
            Ok(mask) => mask,
            Err(EvalError::Undefined { .. }) => continue,
            Err(error) => return Err(error.into()),
        };
        let (output, sd) = (scratch.read(case.outputs[to])?, scratch.read(sd)?);
        pixels.add(output.view(), truth.view(), sd.view(), mask.view())?;
    }
    match pixels.calibration(members) {
        Ok(calibration) => Ok(Some(calibration)),
        Err(EvalError::Undefined { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
