use crate::{Adversarial, Error, Result, Schedule, adam::AdamConfig};
use candle_core::Device;
use mri_kernels::Arithmetic;
use mri_unet::Precision;
use serde::{Deserialize, Serialize};

/// Weights of the terms of the generators' loss, each in units of its own.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LossConfig {
    /// The adversarial loss's form.
    pub adversarial: Adversarial,
    /// Weight of the adversarial term of each generator.
    pub adversarial_weight: f64,
    /// Weight of mean |cycled - input|.
    pub cycle: f64,
    /// Weight of mean |G(y) - y| for y already in the target domain; 0 computes nothing.
    pub identity: f64,
    /// Standard deviation of the Gaussian noise put on a fake before it is cycled, in units of [-1,1]: against
    /// hiding the input in the fake (Chu et al. 2017, "CycleGAN, a Master of Steganography").
    pub cycle_noise: f64,
}

impl Default for LossConfig {
    /// The paper's: LSGAN, cycle 10, identity 0.5 x 10, no noise.
    fn default() -> Self {
        Self {
            adversarial: Adversarial::Lsgan,
            adversarial_weight: 1.,
            cycle: 10.,
            identity: 5.,
            cycle_noise: 0.,
        }
    }
}

/// Where tone curves start, with [`mri_unet::Skip::Tone`]. Who has the training images sees to it, before the first step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToneStart {
    /// At a curve estimated from the training images, by [`estimate_tone`](crate::estimate_tone) and
    /// [`CycleGan::start_tones`](crate::CycleGan::start_tones).
    #[default]
    Estimated,
    /// At the inversion, air kept black.
    Inversion,
}

/// How long and how fast to train.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// Passes over the training images at which to stop.
    pub epochs: usize,
    /// Images of each domain in a step.
    pub batch: usize,
    /// Base learning rate of all four networks.
    pub lr: f64,
    /// Where tone curves start.
    pub tone_start: ToneStart,
    /// Factor on the rate of a tone curve's knots.
    pub tone_lr_factor: f64,
    /// The course of the learning rate.
    pub schedule: Schedule,
    /// Adam's constants.
    pub adam: AdamConfig,
    /// Images in each history pool of fakes; 0 turns the pools off.
    pub pool: usize,
    /// Decay a step of the generators' exponential moving average, which then is what translates; 0 turns it off.
    /// Early steps use `step / (step + 10)` where that is less.
    pub ema: f64,
    /// Epochs between validations; each also decides whether `best` is renewed.
    pub validate_every: usize,
    /// The type of the maps inside the networks; what is saved is f32 whatever it is.
    pub precision: Precision,
    /// CUDA may round the factors of f32 products to TF32, 10 bits of mantissa.
    pub tf32: bool,
    /// CUDA gives the same bits for the same inputs, at the price of speed. The CPU always does.
    pub deterministic: bool,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            epochs: 200,
            batch: 1,
            lr: 2e-4,
            tone_start: ToneStart::default(),
            tone_lr_factor: 10.,
            schedule: Schedule::default(),
            adam: AdamConfig::default(),
            pool: 50,
            ema: 0.,
            validate_every: 5,
            precision: Precision::F32,
            tf32: true,
            deterministic: false,
        }
    }
}

impl TrainConfig {
    /// Refuses values that no training can work with, by name.
    pub fn check(&self) -> Result<()> {
        let demand = |fine: bool, key: &'static str, problem: &str| {
            if fine { Ok(()) } else { Err(Error::Setting { key, problem: problem.to_string() }) }
        };
        demand(self.epochs > 0, "train.epochs", "must be at least 1")?;
        demand(self.batch > 0, "train.batch", "must be at least 1")?;
        demand(self.validate_every > 0, "train.validate_every", "must be at least 1")?;
        demand(self.lr > 0. && self.lr.is_finite(), "train.lr", "must be a positive number")?;
        demand(
            self.tone_lr_factor >= 0. && self.tone_lr_factor.is_finite(),
            "train.tone_lr_factor",
            "must be a number >= 0",
        )?;
        demand(
            self.adam.eps > 0. && self.adam.eps.is_finite(),
            "train.adam.eps",
            "must be a positive number",
        )?;
        demand((0. ..1.).contains(&self.ema), "train.ema", "must be in [0, 1)")?;
        demand((0. ..1.).contains(&self.adam.beta1), "train.adam.beta1", "must be in [0, 1)")?;
        demand((0. ..1.).contains(&self.adam.beta2), "train.adam.beta2", "must be in [0, 1)")
    }

    /// Refuses what `device` cannot do, by name.
    pub fn check_on(&self, device: &Device) -> Result<()> {
        if self.precision == Precision::Bf16 && !mri_kernels::has_bf16(device)? {
            let problem = "\"bf16\" needs a CUDA device of compute capability 8.0 or more; set it to \"f32\" for this one".into();
            return Err(Error::Setting { key: "train.precision", problem });
        }
        Ok(())
    }

    pub(crate) fn arithmetic(&self) -> Arithmetic {
        Arithmetic { tf32: self.tf32, deterministic: self.deterministic }
    }
}

impl LossConfig {
    /// Refuses weights that are negative or not finite, by name.
    pub fn check(&self) -> Result<()> {
        for (key, value) in [
            ("loss.adversarial_weight", self.adversarial_weight),
            ("loss.cycle", self.cycle),
            ("loss.identity", self.identity),
            ("loss.cycle_noise", self.cycle_noise),
        ] {
            if !(value >= 0. && value.is_finite()) {
                return Err(Error::Setting { key, problem: format!("{value} is not a number >= 0") });
            }
        }
        Ok(())
    }
}
