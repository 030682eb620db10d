//! Probes of a pair of generators that need no truth beyond a mask: what a fake hides, and what a shift of the input does.
//!
//! - **Hiding** (Chu, Zhmoginov and Sandler, *CycleGAN, a Master of Steganography*, 2017): a generator that drops what the
//!   cycle needs can write it into the fake as a faint pattern. Then the cycle closes from the fake as it is, and no longer
//!   from the fake in 8 bits or with a little noise.
//! - **Shifts** (Zhang, *Making Convolutional Networks Shift-Invariant Again*, 2019): halving the resolution without a
//!   low-pass filter makes the output depend on where the anatomy lies relative to the pixels.
//!
//! The functions here make the altered images and judge what networks made of them; running the networks is the caller's.

use ndarray::{Array3, ArrayView2, ArrayView3, Axis, Slice, Zip, s};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use crate::foreground::mean_within;
use crate::metrics::check_pair;
use crate::monitoring::standard_normal;
use crate::scores::Summary;
use crate::{EvalError, Range};

/// Standard deviation of the noise on a fake, as a fraction of the range: 2.55 grey levels of 8 bits, about the noise of a
/// good MR image, and hardly visible.
pub const NOISE_SD: f64 = 0.01;

/// A fake hides its input where the mean cycle error from it in 8 bits, or with noise, is above this many times that from the
/// fake as it is.
pub const HIDES_ABOVE: f64 = 2.0;

/// So many pixels at each border are left out where outputs of shifted inputs are compared: what came in at the border is
/// not the image.
pub const BORDER_PX: usize = 8;

/// The nearest of 256 levels over the range, as an 8-bit file holds a fake.
pub fn in_8_bits(fake: ArrayView3<'_, f32>, range: Range) -> Array3<f32> {
    fake.mapv(|value| range.at((range.fraction(value).clamp(0.0, 1.0) * 255.0).round() / 255.0))
}

/// With Gaussian noise of SD [`NOISE_SD`], clipped to the range; the same for the same `key`.
pub fn with_noise(fake: ArrayView3<'_, f32>, range: Range, key: u64) -> Array3<f32> {
    let mut random = ChaCha8Rng::seed_from_u64(key);
    let mut noisy = fake.to_owned();
    for value in &mut noisy {
        let fraction = range.fraction(*value) + NOISE_SD * standard_normal(&mut random);
        *value = range.at(fraction.clamp(0.0, 1.0));
    }
    noisy
}

/// Where an image is moved by a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shift {
    /// By a row.
    Down,
    /// By a column.
    Right,
}

impl Shift {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Down, Self::Right];

    fn axis(self) -> Axis {
        match self {
            Self::Down => Axis(0),
            Self::Right => Axis(1),
        }
    }

    /// All channels moved by a pixel; the first row or column stays where it came from, too.
    ///
    /// # Shapes
    /// (channels, rows, columns), both.
    pub fn apply(self, image: ArrayView3<'_, f32>) -> Array3<f32> {
        let axis = Axis(1 + self.axis().0);
        let mut moved = image.to_owned();
        moved
            .slice_axis_mut(axis, Slice::from(1..))
            .assign(&image.slice_axis(axis, Slice::from(..image.len_of(axis).saturating_sub(1))));
        moved
    }

    /// Mean absolute difference between `of_moved`, moved back, and `output` over `mask`, [`BORDER_PX`] at each border left
    /// out, as a fraction of the range: 0 where the generator commutes with the shift.
    ///
    /// # Errors
    /// Shapes that differ, a mask that selects nothing off the borders, a pixel that is not finite.
    pub fn change(
        self,
        output: ArrayView2<'_, f32>,
        of_moved: ArrayView2<'_, f32>,
        mask: ArrayView2<'_, bool>,
        range: Range,
    ) -> Result<f64, EvalError> {
        check_pair(&of_moved, &output)?;
        let (rows, columns) = output.dim();
        if rows.min(columns) <= 2 * BORDER_PX || mask.dim() != output.dim() {
            return Err(EvalError::Empty { what: "the mask off the borders" });
        }
        let inside = s![BORDER_PX..rows - BORDER_PX, BORDER_PX..columns - BORDER_PX];
        let back = match self {
            Self::Down => s![BORDER_PX + 1..rows - BORDER_PX + 1, BORDER_PX..columns - BORDER_PX],
            Self::Right => s![BORDER_PX..rows - BORDER_PX, BORDER_PX + 1..columns - BORDER_PX + 1],
        };
        mean_change(output.slice(inside), of_moved.slice(back), mask.slice(inside), range)
    }
}

/// Mean absolute difference over `mask` as a fraction of the range.
fn mean_change(
    a: ArrayView2<'_, f32>,
    b: ArrayView2<'_, f32>,
    mask: ArrayView2<'_, bool>,
    range: Range,
) -> Result<f64, EvalError> {
    check_pair(&a, &b)?;
    let difference = Zip::from(a).and(b).map_collect(|&a, &b| f64::from((a - b).abs()));
    Ok(mean_within(difference.view(), mask)? / range.width())
}

/// A fake with the cycles that start from it and from its altered forms; all of one shape (rows, columns).
#[derive(Debug, Clone, Copy)]
pub struct Cycles<'a> {
    /// What the fake was made of, in units of the source range.
    pub input: ArrayView2<'a, f32>,
    /// The fake, in units of the target range.
    pub fake: ArrayView2<'a, f32>,
    /// The fake [`with_noise`].
    pub noisy_fake: ArrayView2<'a, f32>,
    /// Back from the fake, in units of the source range.
    pub plain: ArrayView2<'a, f32>,
    /// Back from the fake [`in_8_bits`].
    pub in_8_bits: ArrayView2<'a, f32>,
    /// Back from the fake [`with_noise`].
    pub with_noise: ArrayView2<'a, f32>,
}

/// The probes of one case.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CaseProbes {
    /// What the fake hides.
    pub hiding: Hiding<f64>,
    /// [`Shift::change`], mean over [`Shift::ALL`].
    pub shift_change: f64,
}

/// What the cycle needs of the faintest parts of a fake: a number for a case, a [`Summary`] over cases.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Hiding<T> {
    /// Mean absolute difference of cycled and input, as a fraction of the source range.
    pub cycle_error: T,
    /// The same from the fake in 8 bits.
    pub cycle_error_8_bit: T,
    /// The same from the fake with noise.
    pub cycle_error_noise: T,
    /// `cycle_error_8_bit / cycle_error`.
    pub ratio_8_bit: T,
    /// `cycle_error_noise / cycle_error`.
    pub ratio_noise: T,
    /// How much the way back enlarges noise: mean absolute change of the cycled image over that of the fake, both as
    /// fractions of their ranges. Of a tone curve it is the slope.
    pub noise_gain: T,
}

impl Hiding<f64> {
    /// Judges the cycles over `mask`; `ranges` are those of source and target.
    ///
    /// # Errors
    /// Shapes that differ, a mask that selects nothing, a pixel that is not finite.
    pub fn of(cycles: Cycles<'_>, mask: ArrayView2<'_, bool>, ranges: [Range; 2]) -> Result<Self, EvalError> {
        let [source, target] = ranges;
        let error = |cycled: ArrayView2<'_, f32>| mean_change(cycled, cycles.input, mask, source);
        let (plain, rounded, noisy) =
            (error(cycles.plain)?, error(cycles.in_8_bits)?, error(cycles.with_noise)?);
        let noise = mean_change(cycles.noisy_fake, cycles.fake, mask, target)?;
        let change = mean_change(cycles.with_noise, cycles.plain, mask, source)?;
        Ok(Hiding {
            cycle_error: plain,
            cycle_error_8_bit: rounded,
            cycle_error_noise: noisy,
            ratio_8_bit: rounded / plain,
            ratio_noise: noisy / plain,
            noise_gain: change / noise,
        })
    }
}

/// The probes of a direction, over the cases that were probed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProbeReport {
    /// How many cases were probed.
    pub cases: usize,
    /// What fakes hide.
    pub steganography: Steganography,
    /// What a shift of the input does.
    pub shift: ShiftReport,
}

/// [`Hiding`] with the noise that was used.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Steganography {
    /// [`NOISE_SD`].
    pub noise_sd: f64,
    /// Over cases.
    #[serde(flatten)]
    pub hiding: Hiding<Summary>,
}

/// [`Shift::change`] with the length of the shift.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ShiftReport {
    /// Pixels of the image.
    pub shift_px: usize,
    /// Over cases, as a fraction of the range.
    pub change: Summary,
}

impl ProbeReport {
    /// Whether fakes hide their inputs: a ratio of mean cycle errors above [`HIDES_ABOVE`].
    pub fn is_hiding(&self) -> bool {
        let Hiding { cycle_error, cycle_error_8_bit, cycle_error_noise, .. } = self.steganography.hiding;
        let is_above = |altered: Summary| match (altered.mean, cycle_error.mean) {
            (Some(altered), Some(plain)) => altered > HIDES_ABOVE * plain,
            _ => false,
        };
        is_above(cycle_error_8_bit) || is_above(cycle_error_noise)
    }

    /// Summarizes cases; `None` where there are none.
    pub fn of(cases: &[CaseProbes]) -> Option<ProbeReport> {
        let summary = |of: fn(&CaseProbes) -> f64| Summary::of(cases.iter().map(|case| Some(of(case))));
        (!cases.is_empty()).then(|| ProbeReport {
            cases: cases.len(),
            steganography: Steganography {
                noise_sd: NOISE_SD,
                hiding: Hiding {
                    cycle_error: summary(|case| case.hiding.cycle_error),
                    cycle_error_8_bit: summary(|case| case.hiding.cycle_error_8_bit),
                    cycle_error_noise: summary(|case| case.hiding.cycle_error_noise),
                    ratio_8_bit: summary(|case| case.hiding.ratio_8_bit),
                    ratio_noise: summary(|case| case.hiding.ratio_noise),
                    noise_gain: summary(|case| case.hiding.noise_gain),
                },
            },
            shift: ShiftReport { shift_px: 1, change: summary(|case| case.shift_change) },
        })
    }
}
