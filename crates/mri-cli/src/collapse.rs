//! A training whose generators collapse: warned of while it runs, for a GAN may recover, and failed at its end.

use anyhow::{Result, bail};
use mri_eval::collapse::Sign;
use mri_unet::Skip;

use crate::history::History;
use crate::run_folder::RunFolder;

/// Before this step a generator may not have learned yet what it starts without.
const LEARNED_AFTER_STEPS: u64 = 500;

/// Whether `sign` of a generator with `skip` is one of a collapse after so many steps. Without a skip it starts as flat grey,
/// with the others as a copy, a negative or in the tones of its domain, with noise of the air brightened: that is none
/// before [`LEARNED_AFTER_STEPS`]. But a picture with a tone skip has contrast, greys and its input from the start, and can
/// only lose them.
pub fn counts(sign: &Sign, skip: Skip, steps: u64) -> bool {
    let is_loss = !matches!(sign, Sign::Far(_) | Sign::Copied(_));
    steps >= LEARNED_AFTER_STEPS || (skip == Skip::Tone && is_loss)
}

/// Fails where the last validation of a training that ended saw a collapse.
pub fn check(run: &RunFolder, history: &History) -> Result<()> {
    if history.collapse.is_empty() {
        return Ok(());
    }
    bail!(
        "{}: the training collapsed: {}; its files are kept to look at; try another --seed, a lower train.lr, \
         model.skip = \"tone\", or the loss weights of a preset",
        run.path.display(),
        history.collapse.join("; ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_generator_starts_with_is_no_collapse_until_it_has_learned() {
        assert!(!counts(&Sign::Flat(0.), Skip::None, 499) && counts(&Sign::Flat(0.), Skip::None, 500));
        assert!(!counts(&Sign::Copied(0.), Skip::Input, 499) && counts(&Sign::Copied(0.), Skip::Input, 500));
        assert!(!counts(&Sign::Far(1.), Skip::Tone, 499) && counts(&Sign::Saturated(0.), Skip::Tone, 1));
    }
}
