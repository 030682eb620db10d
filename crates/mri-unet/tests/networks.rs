//! What holds for every network, whatever its configuration.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use candle_core::{Device, Tensor};
use mri_kernels::{Backward, mse};
use mri_unet::{
    Generator, GeneratorConfig, GeneratorKind, Mode, NetworkError, Norm, Parameters, PatchGan,
    PatchGanConfig, Skip, Upsample, is_tone_curve, receptive_field_px,
};

const TRAIN: Mode = Mode::Train { dropout_key: 3 };

/// A smooth image with air on one side.
fn image(shape: (usize, usize, usize, usize)) -> Tensor {
    let (n, c, h, w) = shape;
    let values: Vec<f32> = (0..n * c * h * w)
        .map(|i| if i % w < w / 5 { -1. } else { (i as f32 * 0.37).sin() * (i as f32 * 0.011).cos() })
        .collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn tiny(kind: GeneratorKind) -> GeneratorConfig {
    GeneratorConfig { kind, width: 3, depth: 3, blocks: 1, ..GeneratorConfig::default() }
}

fn every_generator() -> Vec<GeneratorConfig> {
    let mut all = Vec::new();
    for kind in [GeneratorKind::UNet, GeneratorKind::ResNet] {
        for norm in [Norm::None, Norm::Instance, Norm::InstanceAffine] {
            for upsample in [Upsample::Transposed, Upsample::Resize] {
                for skip in [Skip::None, Skip::Input, Skip::Inverse, Skip::Tone] {
                    all.push(GeneratorConfig { norm, upsample, skip, dropout: 0.5, ..tiny(kind) });
                }
            }
        }
    }
    all
}

/// Every variable has a finite gradient, and none is zero everywhere, but for biases that a norm takes away
/// again: theirs is rounding. What [`Backward`] records gives the gradients that Candle's graph gives.
fn assert_all_learn(parameters: &Parameters, output: impl Fn() -> candle_core::Result<Tensor>, what: &str) {
    let loss = || Ok((mse(&output()?, 0.3)?, ()));
    let (_, _, gradients) = Backward::default().run(loss).unwrap();
    let candles = loss().unwrap().0.backward().unwrap();
    let greatest = |t: &Tensor| t.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
    let of_all = parameters.iter().map(|(_, var)| greatest(candles.get(&var).unwrap())).fold(0., f32::max);
    for (name, var) in parameters.iter() {
        let gradient = gradients.get(&var).unwrap_or_else(|| panic!("{what}: {name} has no gradient"));
        assert_eq!(gradient.dims(), var.dims(), "{what}: {name}");
        let values: Vec<f32> = gradient.flatten_all().unwrap().to_vec1().unwrap();
        assert!(values.iter().all(|v| v.is_finite()), "{what}: {name} has a gradient that is not finite");
        assert!(values.iter().any(|&v| v != 0.), "{what}: the gradient of {name} is zero");
        let difference = greatest(&(gradient - candles.get(&var).unwrap()).unwrap());
        assert!(
            difference <= 1e-5 * of_all,
            "{what}: {name} differs from Candle's by {difference} of {of_all}"
        );
    }
}

#[test]
fn every_variable_of_every_generator_learns() {
    let x = image((2, 1, 16, 24));
    for config in every_generator() {
        let parameters = Parameters::seeded(5, &Device::Cpu);
        let generator = Generator::new(&config, parameters.var_builder()).unwrap();
        assert_all_learn(&parameters, || generator.forward(&x, TRAIN), &format!("{config:?}"));
    }
}

#[test]
fn the_deepest_layer_learns_on_a_map_of_one_pixel() {
    let parameters = Parameters::seeded(5, &Device::Cpu);
    let config = GeneratorConfig { depth: 4, ..tiny(GeneratorKind::UNet) };
    let generator = Generator::new(&config, parameters.var_builder()).unwrap();
    let x = image((1, 1, 16, 16));
    assert_all_learn(&parameters, || generator.forward(&x, Mode::Inference), "16 px, depth 4");
}

#[test]
fn every_variable_of_every_discriminator_learns() {
    for norm in [Norm::None, Norm::Instance, Norm::InstanceAffine] {
        for layers in 1..=4 {
            let parameters = Parameters::seeded(5, &Device::Cpu);
            let config = PatchGanConfig { width: 3, layers, norm, ..PatchGanConfig::default() };
            let judge = PatchGan::new(&config, parameters.var_builder()).unwrap();
            let x = image((2, 1, 3 << layers, 5 << layers));
            assert_eq!(judge.forward(&x).unwrap().dims(), [2, 1, 1, 3]);
            assert_all_learn(&parameters, || judge.forward(&x), &format!("{config:?}"));
        }
    }
}

#[test]
fn any_image_size_comes_back_at_its_own_size() {
    for kind in [GeneratorKind::UNet, GeneratorKind::ResNet] {
        for skip in [Skip::None, Skip::Tone] {
            let parameters = Parameters::seeded(1, &Device::Cpu);
            let config = GeneratorConfig { skip, depth: 4, ..tiny(kind) };
            let generator = Generator::new(&config, parameters.var_builder()).unwrap();
            for (h, w) in [(1, 1), (1, 9), (3, 3), (5, 7), (4, 4), (16, 16), (31, 2), (37, 53)] {
                let y = generator.forward(&image((2, 1, h, w)), Mode::Inference).unwrap();
                assert_eq!(y.dims(), [2, 1, h, w]);
                let values: Vec<f32> = y.flatten_all().unwrap().to_vec1().unwrap();
                assert!(values.iter().all(|v| v.abs() <= 1.), "{kind:?} {h} x {w}");
            }
        }
    }
}

#[test]
fn several_channels_in_and_out() {
    for kind in [GeneratorKind::UNet, GeneratorKind::ResNet] {
        let config = GeneratorConfig { in_channels: 3, out_channels: 2, ..tiny(kind) };
        let generator = Generator::new(&config, Parameters::seeded(1, &Device::Cpu).var_builder()).unwrap();
        assert_eq!(generator.forward(&image((1, 3, 12, 9)), TRAIN).unwrap().dims(), [1, 2, 12, 9]);
    }
}

#[test]
fn images_of_a_batch_do_not_see_each_other() {
    for kind in [GeneratorKind::UNet, GeneratorKind::ResNet] {
        let config = GeneratorConfig { skip: Skip::Tone, ..tiny(kind) };
        let generator = Generator::new(&config, Parameters::seeded(1, &Device::Cpu).var_builder()).unwrap();
        let batch = image((2, 1, 16, 24));
        let alone = generator.forward(&batch.narrow(0, 1, 1).unwrap(), Mode::Inference).unwrap();
        let together = generator.forward(&batch, Mode::Inference).unwrap().narrow(0, 1, 1).unwrap();
        let difference =
            (alone - together).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        assert!(difference < 1e-6, "{kind:?}: {difference}");
    }
}

#[test]
fn dropout_follows_its_key_and_rests_at_inference() {
    for kind in [GeneratorKind::UNet, GeneratorKind::ResNet] {
        let config = GeneratorConfig { dropout: 0.5, ..tiny(kind) };
        let generator = Generator::new(&config, Parameters::seeded(1, &Device::Cpu).var_builder()).unwrap();
        let run = |mode| {
            let y = generator.forward(&image((1, 1, 16, 16)), mode).unwrap();
            y.flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        let train = |dropout_key| run(Mode::Train { dropout_key });
        assert_eq!(train(1), train(1));
        assert_ne!(train(1), train(2));
        assert_ne!(train(1), run(Mode::Inference));
        assert_eq!(run(Mode::Inference), run(Mode::Inference));
    }
}

#[test]
fn an_untrained_tone_skip_is_nearly_the_inversion_with_black_air() {
    let parameters = Parameters::seeded(1, &Device::Cpu);
    let config = GeneratorConfig { skip: Skip::Tone, ..tiny(GeneratorKind::UNet) };
    let generator = Generator::new(&config, parameters.var_builder()).unwrap();
    let silent = parameters.iter().filter(|(name, _)| name.starts_with("last."));
    silent.for_each(|(_, var)| var.set(&var.zeros_like().unwrap()).unwrap());
    let x = Tensor::new(&[[[[-1f32, -0.9, 0., 0.5, 1., 1.7, -3.]]]], &Device::Cpu).unwrap();
    let y: Vec<f32> =
        generator.forward(&x, Mode::Inference).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    // 0.98 * curve(x), constant beyond the ends.
    let expected = [-0.98, 0.7938, 0., -0.441, -0.882, -0.882, -0.98];
    assert!(y.iter().zip(expected).all(|(y, e)| (y - e).abs() < 1e-5), "{y:?}");
}

#[test]
fn tone_curves_are_told_apart_by_name() {
    assert!(is_tone_curve("tone.knots") && is_tone_curve("t1_to_t2.tone.knots"));
    assert!(!is_tone_curve("monotone.knots") && !is_tone_curve("tone.knots.weight"));
}

#[test]
fn a_default_discriminator_judges_patches_of_70_px() {
    assert_eq!([1, 2, 3, 4].map(receptive_field_px), [16, 34, 70, 142]);
    let parameters = Parameters::seeded(1, &Device::Cpu);
    let config = PatchGanConfig { width: 2, norm: Norm::None, ..PatchGanConfig::default() };
    let judge = PatchGan::new(&config, parameters.var_builder()).unwrap();
    let x = candle_core::Var::from_tensor(&image((1, 1, 160, 160))).unwrap();
    let middle = judge.forward(&x).unwrap().narrow(2, 9, 1).unwrap().narrow(3, 9, 1).unwrap();
    let seen = middle
        .sum_all()
        .unwrap()
        .backward()
        .unwrap()
        .get(&x)
        .unwrap()
        .squeeze(0)
        .unwrap()
        .squeeze(0)
        .unwrap();
    let rows = seen.abs().unwrap().sum(1).unwrap().to_vec1::<f32>().unwrap();
    assert_eq!(rows.iter().filter(|&&g| g != 0.).count(), 70);
}

#[test]
fn an_image_too_small_to_judge_is_named() {
    let config = PatchGanConfig { width: 2, ..PatchGanConfig::default() };
    let judge = PatchGan::new(&config, Parameters::seeded(1, &Device::Cpu).var_builder()).unwrap();
    assert!(judge.forward(&image((1, 1, 24, 24))).is_ok());
    let error = judge.forward(&image((1, 1, 24, 23))).unwrap_err().to_string();
    assert!(error.contains("24 x 23 px") && error.contains("at least 24 px"), "{error}");
}

#[test]
fn a_configuration_out_of_range_is_named() {
    let ok = GeneratorConfig::default;
    for (key, config) in [
        ("model.width", GeneratorConfig { width: 0, ..ok() }),
        ("model.depth", GeneratorConfig { depth: 0, ..ok() }),
        ("model.depth", GeneratorConfig { depth: 40, ..ok() }),
        ("model.dropout", GeneratorConfig { dropout: 1., ..ok() }),
        ("model.dropout", GeneratorConfig { dropout: f64::NAN, ..ok() }),
        ("model.out_channels", GeneratorConfig { out_channels: 2, skip: Skip::Tone, ..ok() }),
    ] {
        let parameters = Parameters::seeded(0, &Device::Cpu);
        match Generator::new(&config, parameters.var_builder()) {
            Err(NetworkError::Config { key: found, .. }) => assert_eq!(found, key),
            other => panic!("{config:?}: {other:?}"),
        }
        assert_eq!(parameters.iter().count(), 0, "nothing is drawn for a network that is not built");
    }
}

#[test]
fn configurations_are_written_as_in_the_files() {
    let text = r#"{"generator":"resnet","norm":"instance","upsample":"resize","skip":"tone","width":32}"#;
    let config: GeneratorConfig = serde_json::from_str(text).unwrap();
    let expected = GeneratorConfig {
        kind: GeneratorKind::ResNet,
        norm: Norm::Instance,
        upsample: Upsample::Resize,
        skip: Skip::Tone,
        width: 32,
        ..GeneratorConfig::default()
    };
    assert_eq!(config, expected);
    let back: GeneratorConfig = serde_json::from_str(&serde_json::to_string(&config).unwrap()).unwrap();
    assert_eq!(back, config);
    let misspelt = serde_json::from_str::<GeneratorConfig>(r#"{"widht":3}"#).unwrap_err().to_string();
    assert!(misspelt.contains("widht"), "{misspelt}");
    assert!(serde_json::from_str::<PatchGanConfig>(r#"{"layer":3}"#).is_err());
}
