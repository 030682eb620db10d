//! Outputs and gradients against PyTorch with the same weights; `goldens/make.py` made the files.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use candle_core::{Device, Tensor, Var};
use mri_unet::{
    Generator, GeneratorConfig, GeneratorKind, Mode, Parameters, PatchGan, PatchGanConfig, Skip, Upsample,
};
use std::collections::BTreeMap;

fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.dims(), b.dims());
    (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap()
}

/// Builds the network on the golden weights, all of them, and compares its output and the gradient of
/// sum(output * probe) with respect to every variable and to the input.
fn check(name: &str, build: impl Fn(&Parameters) -> Box<dyn Fn(&Tensor) -> Tensor>) {
    let path = format!("{}/tests/goldens/{name}.safetensors", env!("CARGO_MANIFEST_DIR"));
    let mut golden: BTreeMap<_, _> =
        candle_core::safetensors::load(path, &Device::Cpu).unwrap().into_iter().collect();
    let mut take = |key: &str| golden.remove(key).unwrap_or_else(|| panic!("no {key} in {name}"));
    let (x, y, probe) = (Var::from_tensor(&take("x")).unwrap(), take("y"), take("probe"));
    let (gradients, weights): (BTreeMap<_, _>, BTreeMap<_, _>) =
        golden.into_iter().partition(|(key, _)| key.starts_with("gradient."));

    let parameters = Parameters::seeded(0, &Device::Cpu);
    let network = build(&parameters);
    parameters.load(&weights).unwrap();
    let output = network(&x);
    let difference = largest_difference(&output, &y);
    assert!(difference < 1e-4, "{name}: outputs differ by {difference}");

    let store = (output * probe).unwrap().sum_all().unwrap().backward().unwrap();
    let variables = parameters.iter().chain([("x".to_owned(), x)]);
    for (key, var) in variables {
        let expected = &gradients[&format!("gradient.{key}")];
        let found = store.get(&var).unwrap_or_else(|| panic!("{name}: no gradient for {key}"));
        let scale = expected.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        // A bias that a norm follows has no effect: its gradient is rounding on both sides.
        let difference = largest_difference(found, expected) / scale.max(0.1);
        assert!(difference < 1e-3, "{name}: gradients of {key} differ by {difference} of {scale}");
    }
}

fn check_generator(name: &str, config: GeneratorConfig) {
    check(name, |parameters| {
        let generator = Generator::new(&config, parameters.var_builder()).unwrap();
        Box::new(move |x| generator.forward(x, Mode::Inference).unwrap())
    });
}

#[test]
fn unet_equals_pytorch() {
    check_generator("unet", GeneratorConfig { depth: 4, width: 3, ..GeneratorConfig::default() });
}

#[test]
fn resnet_equals_pytorch() {
    let config =
        GeneratorConfig { kind: GeneratorKind::ResNet, width: 3, blocks: 2, ..GeneratorConfig::default() };
    check_generator("resnet", config.clone());
    check_generator("resnet_resize", GeneratorConfig { blocks: 1, upsample: Upsample::Resize, ..config });
}

#[test]
fn tone_skip_equals_pytorch() {
    let config = GeneratorConfig { depth: 2, width: 3, skip: Skip::Tone, ..GeneratorConfig::default() };
    check_generator("tone", config);
}

#[test]
fn patchgan_equals_pytorch() {
    check("patchgan", |parameters| {
        let config = PatchGanConfig { width: 3, ..PatchGanConfig::default() };
        let judge = PatchGan::new(&config, parameters.var_builder()).unwrap();
        Box::new(move |x| judge.forward(x).unwrap())
    });
}
