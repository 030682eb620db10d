//! The model: two generators, two discriminators, their optimizers, and one training step.

use crate::{Adam, Error, ImagePool, LossConfig, PendingLosses, Result, TrainConfig, random};
use candle_core::{Device, Tensor};
use mri_kernels::Backward;
use mri_unet::{Generator, GeneratorConfig, Mode, Parameters, PatchGan, PatchGanConfig};
use serde::{Deserialize, Serialize};

/// What the four networks are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    /// Both generators.
    pub generator: GeneratorConfig,
    /// Both discriminators.
    pub discriminator: PatchGanConfig,
}

/// The two translating networks, in inference mode.
pub struct Translators {
    a_to_b: Generator,
    b_to_a: Generator,
    mode: Mode,
}

impl Translators {
    fn new(config: &GeneratorConfig, vb: candle_nn::VarBuilder) -> Result<Self> {
        Ok(Self {
            a_to_b: Generator::new(config, vb.pp(GENERATOR_AB))?,
            b_to_a: Generator::new(config, vb.pp(GENERATOR_BA))?,
            mode: Mode::Inference,
        })
    }

    /// Builds both generators over `parameters`, as read from a model file.
    pub fn from_parameters(config: &GeneratorConfig, parameters: &Parameters) -> Result<Self> {
        Self::new(config, parameters.frozen())
    }

    /// The same networks with dropout left on: sample `index` of Monte-Carlo dropout (Gal and Ghahramani 2016). Each index
    /// drops activations of its own, the same ones in every pass; they go by the place in the batch, so that what becomes
    /// of an image does not depend on others only where it passes alone.
    pub fn dropout_sample(&self, index: u64) -> Self {
        let mode = Mode::Train { dropout_key: random::key(0, "dropout sample", index) };
        Self { a_to_b: self.a_to_b.clone(), b_to_a: self.b_to_a.clone(), mode }
    }

    /// Translates a batch (N,C,H,W) in [-1,1] from domain A to B.
    pub fn a_to_b(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.a_to_b.forward(x, self.mode)?)
    }

    /// Translates a batch (N,C,H,W) in [-1,1] from domain B to A.
    pub fn b_to_a(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.b_to_a.forward(x, self.mode)?)
    }
}

pub(crate) const GENERATOR_AB: &str = "generator_ab";
pub(crate) const GENERATOR_BA: &str = "generator_ba";
const DISCRIMINATOR_A: &str = "discriminator_a";
const DISCRIMINATOR_B: &str = "discriminator_b";

/// Weights of the generators for each pixel of a batch from which on translation and identity share a pass on the CPU.
const WEIGHTS_A_PIXEL: usize = 400;

/// A CycleGAN in training (Zhu et al. 2017).
pub struct CycleGan {
    pub(crate) architecture: Architecture,
    pub(crate) loss: LossConfig,
    pub(crate) seed: u64,
    pub(crate) steps: u64,
    ema_decay: f64,
    device: Device,

    pub(crate) generators: Parameters,
    pub(crate) discriminators: Parameters,
    /// The generators' moving average; what translates where there is one.
    pub(crate) average: Option<Parameters>,

    generator_ab: Generator,
    generator_ba: Generator,
    discriminator_a: PatchGan,
    discriminator_b: PatchGan,
    /// Views of the discriminators through which no gradient of theirs is computed.
    frozen_a: PatchGan,
    frozen_b: PatchGan,

    backward: Backward,
    pub(crate) generator_adam: Adam,
    pub(crate) discriminator_adam: Adam,
    pub(crate) pool_a: ImagePool,
    pub(crate) pool_b: ImagePool,
}

impl CycleGan {
    /// Freshly initialized networks; every random number of the training follows from `seed`.
    ///
    /// The arithmetic of CUDA that `train` asks for holds from here on for the whole process
    /// ([`mri_kernels::set_arithmetic`]).
    ///
    /// # Errors
    /// Settings out of range, or that `device` cannot do.
    pub fn new(
        architecture: &Architecture,
        loss: &LossConfig,
        train: &TrainConfig,
        seed: u64,
        device: &Device,
    ) -> Result<Self> {
        loss.check()?;
        train.check()?;
        train.check_on(device)?;
        mri_kernels::set_arithmetic(train.arithmetic());
        let Architecture { generator, discriminator } = architecture;
        let generators = Parameters::seeded(seed, device);
        let discriminators = Parameters::seeded(seed, device);
        let new_generator = |name| -> Result<Generator> {
            Ok(Generator::new(generator, generators.var_builder().pp(name))?.with_precision(train.precision))
        };
        let judge = |vb| -> Result<PatchGan> {
            Ok(PatchGan::new(discriminator, vb)?.with_precision(train.precision))
        };
        let new_discriminator = |name| judge(discriminators.var_builder().pp(name));
        let (generator_ab, generator_ba) = (new_generator(GENERATOR_AB)?, new_generator(GENERATOR_BA)?);
        let (discriminator_a, discriminator_b) =
            (new_discriminator(DISCRIMINATOR_A)?, new_discriminator(DISCRIMINATOR_B)?);
        let frozen = discriminators.frozen();
        let rate_factor = |name: &str| if mri_unet::is_tone_curve(name) { train.tone_lr_factor } else { 1. };
        let adam = |parameters: &Parameters| {
            let variables = parameters.iter().map(|(n, v)| (n.clone(), v.clone(), rate_factor(&n)));
            Adam::new(train.adam, variables)
        };
        Ok(Self {
            frozen_a: judge(frozen.pp(DISCRIMINATOR_A))?,
            frozen_b: judge(frozen.pp(DISCRIMINATOR_B))?,
            generator_adam: adam(&generators)?,
            backward: Backward::default(),
            discriminator_adam: adam(&discriminators)?,
            average: (train.ema > 0.).then(|| duplicate(&generators)).transpose()?,
            pool_a: ImagePool::new(train.pool),
            pool_b: ImagePool::new(train.pool),
            architecture: architecture.clone(),
            loss: *loss,
            seed,
            steps: 0,
            ema_decay: train.ema,
            device: device.clone(),
            generators,
            discriminators,
            generator_ab,
            generator_ba,
            discriminator_a,
            discriminator_b,
        })
    }

    /// Lets the tone curves of the generators start at these: one value in [-1,1] for each of [`mri_unet::TONE_KNOTS`]
    /// levels, as [`estimate_tone`](crate::estimate_tone) gives them.
    ///
    /// # Errors
    /// Generators without a learned curve, or another number of values.
    pub fn start_tones(&mut self, a_to_b: &[f32], b_to_a: &[f32]) -> Result<()> {
        for (generator, curve) in [(GENERATOR_AB, a_to_b), (GENERATOR_BA, b_to_a)] {
            let name = format!("{generator}.tone.knots");
            let start = mri_unet::tone_curve(curve, &self.device)?;
            for parameters in std::iter::once(&self.generators).chain(&self.average) {
                let Some((_, knots)) = parameters.iter().find(|(n, _)| **n == name) else {
                    return Err(Error::Setting {
                        key: "model.skip",
                        problem: "has no tone curve to start".into(),
                    });
                };
                knots.set(&start)?;
            }
        }
        Ok(())
    }

    /// Steps done since the beginning of the training, over all resumes.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The device of all tensors.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The generators as they translate now: the moving average where there is one, in f32. The view stays current.
    pub fn translators(&self) -> Result<Translators> {
        Translators::from_parameters(&self.architecture.generator, self.translating())
    }

    pub(crate) fn translating(&self) -> &Parameters {
        self.average.as_ref().unwrap_or(&self.generators)
    }

    /// One step at learning rate `lr` on unpaired batches `a` and `b`, each (N,C,H,W) in [-1,1]: the generators, then
    /// the discriminators, then the moving average. A CUDA device is given the work and not waited for.
    ///
    /// Where the losses turn out not to be finite ([`PendingLosses::read`] says so), no weight and no moment has changed in
    /// the half step that they belong to; but the pools hold whatever the generators made, and the step is counted. Go on
    /// from a checkpoint.
    pub fn step(&mut self, a: &Tensor, b: &Tensor, lr: f64) -> Result<PendingLosses> {
        let step = self.steps + 1;
        let (fakes, terms, identities) = self.update_generators(step, a, b, lr)?;
        let discriminators = self.update_discriminators(step, [a, b], fakes, lr)?;
        if let Some(average) = &self.average {
            let decay = self.ema_decay.min(step as f64 / (step as f64 + 10.));
            let (average, target): (Vec<_>, Vec<_>) =
                (average.iter().collect(), self.generators.iter().collect());
            let pairs: Vec<_> = average.iter().zip(&target).map(|((_, a), (_, t))| (a, t)).collect();
            mri_kernels::move_toward(&pairs, 1. - decay)?;
        }
        self.steps = step;
        PendingLosses::new(step, &[terms, discriminators, identities].concat())
    }

    /// The generators' half: the fakes of A and B, the terms with their weighted sum, and the identities where they count.
    fn update_generators(
        &mut self,
        step: u64,
        a: &Tensor,
        b: &Tensor,
        lr: f64,
    ) -> Result<([Tensor; 2], Vec<Tensor>, Vec<Tensor>)> {
        let LossConfig { adversarial, adversarial_weight, cycle, identity, cycle_noise } = self.loss;
        let mut backward = std::mem::take(&mut self.backward);
        let train =
            |pass: u64| Mode::Train { dropout_key: random::key(self.seed, "dropout", step * 8 + pass) };
        let noisy = |x: &Tensor, pass| self.with_noise(x, cycle_noise, step * 2 + pass);

        let (total, (fakes, mut terms, identities), gradients) = backward.run(|| {
            let (fake_b, same_b) =
                self.translation_and_identity(&self.generator_ab, a, b, [train(0), train(5)])?;
            let (fake_a, same_a) =
                self.translation_and_identity(&self.generator_ba, b, a, [train(1), train(4)])?;
            let cycled_a = self.generator_ba.forward(&noisy(&fake_b, 0)?, train(2))?;
            let cycled_b = self.generator_ab.forward(&noisy(&fake_a, 1)?, train(3))?;

            let terms = [
                adversarial.real(&self.frozen_b.forward(&fake_b)?)?,
                adversarial.real(&self.frozen_a.forward(&fake_a)?)?,
                mri_kernels::l1(&cycled_a, a)?,
                mri_kernels::l1(&cycled_b, b)?,
            ];
            let identities = match (same_a, same_b) {
                (Some(same_a), Some(same_b)) => {
                    vec![mri_kernels::l1(&same_a, a)?, mri_kernels::l1(&same_b, b)?]
                }
                _ => vec![],
            };
            let weights = [adversarial_weight, adversarial_weight, cycle, cycle, identity, identity];
            let weighted: Vec<_> = weights.into_iter().zip(terms.iter().chain(&identities)).collect();
            Ok((mri_kernels::weighted_sum(&weighted)?, ([fake_a, fake_b], terms.to_vec(), identities)))
        })?;
        self.generator_adam.step(&gradients, lr, &total)?;
        backward.reuse(gradients);
        self.backward = backward;
        terms.push(total);
        Ok((fakes, terms, identities))
    }

    /// The discriminators' half: their terms and the sum, detached.
    fn update_discriminators(
        &mut self,
        step: u64,
        [a, b]: [&Tensor; 2],
        [fake_a, fake_b]: [Tensor; 2],
        lr: f64,
    ) -> Result<Vec<Tensor>> {
        let past_a = self.pool_a.exchange(&fake_a, &mut random::stream(self.seed, "pool-a", step))?;
        let past_b = self.pool_b.exchange(&fake_b, &mut random::stream(self.seed, "pool-b", step))?;
        let mut backward = std::mem::take(&mut self.backward);
        let (total, mut terms, gradients) = backward.run(|| {
            let of_a = self.judge(&self.discriminator_a, a, &past_a)?;
            let of_b = self.judge(&self.discriminator_b, b, &past_b)?;
            Ok((mri_kernels::add(&of_a, &of_b)?, vec![of_a, of_b]))
        })?;
        self.discriminator_adam.step(&gradients, lr, &total)?;
        backward.reuse(gradients);
        self.backward = backward;
        terms.push(total);
        Ok(terms)
    }

    /// What `generator` makes of `image` and, where its loss counts, of `target`, an image of the domain that it translates
    /// to. No layer mixes the images of a batch, so both can share a pass.
    fn translation_and_identity(
        &self,
        generator: &Generator,
        image: &Tensor,
        target: &Tensor,
        modes: [Mode; 2],
    ) -> candle_core::Result<(Tensor, Option<Tensor>)> {
        if self.loss.identity == 0. {
            return Ok((generator.forward(image, modes[0])?, None));
        }
        if !self.is_pass_shared(image)? {
            return Ok((generator.forward(image, modes[0])?, Some(generator.forward(target, modes[1])?)));
        }
        let n = image.dim(0)?;
        let both = generator.forward(&Tensor::cat(&[image, target], 0)?, modes[0])?;
        let of = |start, count| mri_kernels::narrow(&both, 0, start, count);
        Ok((of(0, n)?, Some(of(n, target.dim(0)?)?)))
    }

    /// A GPU is the busier for a pass of both. On the CPU it reads the weights once, but its maps are twice as large, which
    /// may cost more. With dropout, whose masks go by the place in the batch, every device must do the same.
    fn is_pass_shared(&self, image: &Tensor) -> candle_core::Result<bool> {
        let pixels = image.dim(0)? * image.dim(2)? * image.dim(3)?;
        Ok(!self.device.is_cpu()
            || self.architecture.generator.dropout > 0.
            || self.generators.element_count() >= WEIGHTS_A_PIXEL * pixels)
    }

    /// (loss(real) + loss(fake)) / 2 in one pass over both: no layer mixes the images of a batch.
    fn judge(&self, discriminator: &PatchGan, real: &Tensor, fake: &Tensor) -> candle_core::Result<Tensor> {
        let n = real.dim(0)?;
        let scores = discriminator.forward(&Tensor::cat(&[real, fake], 0)?)?;
        let real = self.loss.adversarial.real(&mri_kernels::narrow(&scores, 0, 0, n)?)?;
        let fake = self.loss.adversarial.fake(&mri_kernels::narrow(&scores, 0, n, fake.dim(0)?)?)?;
        mri_kernels::weighted_sum(&[(0.5, &real), (0.5, &fake)])
    }

    fn with_noise(&self, x: &Tensor, deviation: f64, index: u64) -> candle_core::Result<Tensor> {
        if deviation == 0. {
            return Ok(x.clone());
        }
        mri_kernels::normal_noise(x, deviation, random::cycle_noise_key(self.seed, index))
    }
}

fn duplicate(parameters: &Parameters) -> Result<Parameters> {
    Ok(Parameters::from_tensors(parameters.to_tensors()?, parameters.device())?)
}
