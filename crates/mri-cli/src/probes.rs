//! The networks on inputs and fakes that were altered a little: the probes of an evaluation.

use anyhow::Result;
use mri_eval::foreground::foreground;
use mri_eval::probes::{CaseProbes, Cycles, Hiding, ProbeReport, Shift, in_8_bits, with_noise};
use mri_eval::{EvalError, Range};
use ndarray::{Array2, Array3, ArrayView2};

use crate::paired_slices::{PairedSlice, PairedSlices};
use crate::pairs::Pairs;
use crate::translator::Translator;
use crate::validation::{middle, unit_range};

/// At most this many cases are probed, evenly chosen: each takes six passes of a network in each direction.
const MOST_PROBED: usize = 24;

/// Probes the directions to the first and to the second domain on some of `pairs`. What cannot be probed, because it cannot be
/// read or has no foreground, is left out.
pub fn probe(translator: &Translator, pairs: &Pairs) -> [Option<ProbeReport>; 2] {
    let mut cases: [Vec<CaseProbes>; 2] = Default::default();
    // A line that cannot be read is in the list of failures already.
    let chosen = evenly(pairs.len(), MOST_PROBED);
    for (_, slices) in pairs.read_chosen(chosen, translator.settings()).flatten() {
        for index in evenly(slices.len(), MOST_PROBED / pairs.len()) {
            for (to, cases) in cases.iter_mut().enumerate() {
                let key = cases.len() as u64;
                match probe_slice(translator, &slices, index, to, key) {
                    Ok(Some(case)) => cases.push(case),
                    Ok(None) => {}
                    Err(error) => tracing::warn!("a case could not be probed: {error:#}"),
                }
            }
        }
    }
    cases.map(|cases| ProbeReport::of(&cases))
}

/// At most `most` of `count` indices, evenly, but one at least.
fn evenly(count: usize, most: usize) -> impl Iterator<Item = usize> {
    let most = most.clamp(1, count.max(1)).min(count);
    (0..most).map(move |i| (2 * i + 1) * count / (2 * most))
}

/// `None` where the truth has no foreground.
fn probe_slice(
    translator: &Translator,
    slices: &PairedSlices,
    index: usize,
    to: usize,
    key: u64,
) -> Result<Option<CaseProbes>> {
    let PairedSlice { images, units, .. } = slices.slice(index)?;
    let mask = match foreground(images[to].pixels.view()) {
        Ok(mask) => mask,
        Err(EvalError::Undefined { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let (input, mask, range) = (&units[1 - to], mask.view(), unit_range()?);
    let fake = translator.translate_channels(input.view(), to)?;
    let hiding = hiding(translator, input, &fake, to, mask, range, key)?;
    let mut shift_change = 0.;
    for shift in Shift::ALL {
        let of_moved = translator.translate_channels(shift.apply(input.view()).view(), to)?;
        shift_change += shift.change(middle(&fake), middle(&of_moved), mask, range)?;
    }
    Ok(Some(CaseProbes { hiding, shift_change: shift_change / Shift::ALL.len() as f64 }))
}

fn hiding(
    translator: &Translator,
    input: &Array3<f32>,
    fake: &Array3<f32>,
    to: usize,
    mask: ArrayView2<'_, bool>,
    range: Range,
    key: u64,
) -> Result<Hiding<f64>> {
    let noisy = with_noise(fake.view(), range, key);
    let back = |fake: &Array3<f32>| -> Result<Array2<f32>> {
        let cycled = translator.translate_channels(fake.view(), 1 - to)?;
        Ok(middle(&cycled).to_owned())
    };
    let (plain, rounded, from_noisy) = (back(fake)?, back(&in_8_bits(fake.view(), range))?, back(&noisy)?);
    let cycles = Cycles {
        input: middle(input),
        fake: middle(fake),
        noisy_fake: middle(&noisy),
        plain: plain.view(),
        in_8_bits: rounded.view(),
        with_noise: from_noisy.view(),
    };
    Ok(Hiding::of(cycles, mask, [range; 2])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_chosen_evenly_and_one_at_least() {
        let chosen = |count, most| evenly(count, most).collect::<Vec<_>>();
        assert_eq!(chosen(100, 4), [12, 37, 62, 87]);
        assert_eq!(chosen(3, 24), [0, 1, 2]);
        assert_eq!(chosen(9, 0), [4]);
        assert_eq!(chosen(0, 4), [0; 0]);
    }
}
