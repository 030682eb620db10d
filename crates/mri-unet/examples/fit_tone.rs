//! A generator with a tone skip learns to darken the bright half of the intensities, from one pair of images.
//!
//! cargo run --release -p mri-unet --example fit_tone

use candle_core::{Device, Tensor};
use mri_unet::{Generator, GeneratorConfig, Mode, NetworkError, Parameters, Skip, is_tone_curve};

const SIDE: usize = 48;
const STEPS: usize = 200;

fn main() -> Result<(), NetworkError> {
    let device = Device::Cpu;
    let parameters = Parameters::seeded(42, &device);
    let config = GeneratorConfig { depth: 3, width: 8, skip: Skip::Tone, ..GeneratorConfig::default() };
    let generator = Generator::new(&config, parameters.var_builder())?;
    println!("{} parameters in {} tensors", parameters.element_count(), parameters.iter().count());

    let pixels =
        (0..SIDE * SIDE).map(|i| (((i / SIDE) as f32 / 7.).sin() * ((i % SIDE) as f32 / 5.).cos()) * 0.9);
    let source = Tensor::from_iter(pixels, &device)?.reshape((1, 1, SIDE, SIDE))?;
    let target = (0.5 - source.abs()?)?;
    for step in 0..=STEPS {
        let made = generator.forward(&source, Mode::Inference)?;
        let loss = mri_kernels::l1(&made, &target)?;
        let gradients = loss.backward()?;
        for (name, var) in parameters.iter() {
            let Some(gradient) = gradients.get(&var) else { continue };
            // Steps along the sign of the gradient: enough to see it learn.
            let rate = if is_tone_curve(&name) { 0.01 } else { 0.001 } * (1. - step as f64 / STEPS as f64);
            var.set(&(var.as_tensor() - (gradient.sign()? * rate)?)?)?;
        }
        if step % 40 == 0 {
            println!("step {step:3}: mean absolute difference {:.3}", loss.to_scalar::<f32>()?);
        }
    }
    Ok(())
}
