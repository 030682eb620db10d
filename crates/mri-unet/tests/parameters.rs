//! Counts, names, seeds, loading and frozen views.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use mri_unet::{
    Generator, GeneratorConfig, GeneratorKind, Mode, NetworkError, Parameters, PatchGan, PatchGanConfig, Skip,
};

fn count(build: impl FnOnce(VarBuilder)) -> usize {
    let parameters = Parameters::seeded(0, &Device::Cpu);
    build(parameters.var_builder());
    parameters.element_count()
}

fn generator(config: &GeneratorConfig, parameters: &Parameters) -> Generator {
    Generator::new(config, parameters.var_builder()).unwrap()
}

fn bits(tensor: &Tensor) -> Vec<u32> {
    tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
}

fn all_bits(parameters: &Parameters) -> Vec<(String, Vec<u32>)> {
    parameters.iter().map(|(name, var)| (name, bits(&var))).collect()
}

fn narrow() -> GeneratorConfig {
    GeneratorConfig { depth: 3, width: 2, skip: Skip::Tone, ..GeneratorConfig::default() }
}

// python -c "import pytorch_cyclegan as p; print([sum(q.numel() for q in m.parameters())
//            for m in (p.UNet(8, 64), p.ResNet(64, 6), p.PatchGAN(64))])"
#[test]
fn parameter_counts_are_those_of_pytorch() {
    let unet = GeneratorConfig::default();
    assert_eq!(count(|vb| drop(Generator::new(&unet, vb).unwrap())), 54_413_313);
    let resnet = GeneratorConfig { kind: GeneratorKind::ResNet, ..unet };
    assert_eq!(count(|vb| drop(Generator::new(&resnet, vb).unwrap())), 7_832_577);
    assert_eq!(count(|vb| drop(PatchGan::new(&PatchGanConfig::default(), vb).unwrap())), 2_764_481);
}

#[test]
fn seeded_values_depend_on_seed_and_name_alone() {
    let (one, two) = (Parameters::seeded(9, &Device::Cpu), Parameters::seeded(9, &Device::Cpu));
    let patches = PatchGanConfig { width: 2, ..PatchGanConfig::default() };
    let build_generator = |p: &Parameters| drop(Generator::new(&narrow(), p.var_builder().pp("g")).unwrap());
    let build_judge = |p: &Parameters| drop(PatchGan::new(&patches, p.var_builder().pp("d")).unwrap());
    build_generator(&one);
    build_judge(&one);
    std::thread::scope(|scope| {
        scope.spawn(|| build_judge(&two));
        scope.spawn(|| build_generator(&two));
    });
    assert_eq!(all_bits(&one), all_bits(&two));

    let other_seed = Parameters::seeded(10, &Device::Cpu);
    build_generator(&other_seed);
    let weight = |p: &Parameters| p.iter().find(|(name, _)| name == "g.down.1.conv.weight").unwrap().1;
    assert_ne!(bits(&weight(&one)), bits(&weight(&other_seed)));
}

#[test]
fn weights_have_sd_0_02_and_all_else_starts_neutral() {
    let parameters = Parameters::seeded(3, &Device::Cpu);
    generator(&GeneratorConfig { width: 16, ..narrow() }, &parameters);
    for (name, var) in parameters.iter() {
        let values: Vec<f32> = var.flatten_all().unwrap().to_vec1().unwrap();
        let constant = |c: f32| values.iter().all(|&v| v == c);
        match name.rsplit_once('.').unwrap() {
            (at, "weight") if at.ends_with("norm") => assert!(constant(1.), "{name}"),
            (_, "weight") => {
                let sd = (values.iter().map(|v| v * v).sum::<f32>() / values.len() as f32).sqrt();
                let tolerance = 0.02 * 4. / (2. * values.len() as f32).sqrt();
                assert!((sd - 0.02).abs() < tolerance, "{name}: SD {sd}");
            }
            _ => assert!(constant(0.), "{name}"),
        }
    }
}

/// The bits of the first weights, which must never change: a seed in someone's notes has to mean the same
/// network.
#[test]
fn first_weights_of_seed_42() {
    let parameters = Parameters::seeded(42, &Device::Cpu);
    generator(&narrow(), &parameters);
    let (name, var) = parameters.iter().find(|(name, _)| name.ends_with("conv.weight")).unwrap();
    assert_eq!(name, "down.0.conv.weight");
    assert_eq!(bits(&var)[..4], FIRST_WEIGHTS);
}
const FIRST_WEIGHTS: [u32; 4] = [3_168_006_180, 1_027_128_046, 1_017_971_749, 3_167_492_022];

/// Tensor names and shapes are a file format: change them only with a new format version.
#[test]
fn tensor_names_are_stable() {
    let listing = |parameters: &Parameters| {
        parameters.iter().map(|(name, var)| format!("{name} {:?}", var.dims())).collect::<Vec<_>>()
    };
    let unet = Parameters::seeded(0, &Device::Cpu);
    generator(&narrow(), &unet);
    assert_eq!(listing(&unet), UNET);
    let resnet = Parameters::seeded(0, &Device::Cpu);
    let config =
        GeneratorConfig { kind: GeneratorKind::ResNet, width: 2, blocks: 1, ..GeneratorConfig::default() };
    generator(&config, &resnet);
    assert_eq!(listing(&resnet), RESNET);
    let judge = Parameters::seeded(0, &Device::Cpu);
    let config = PatchGanConfig { width: 2, ..PatchGanConfig::default() };
    PatchGan::new(&config, judge.var_builder()).unwrap();
    assert_eq!(listing(&judge), PATCHGAN);
}
const UNET: [&str; 19] = [
    "down.0.conv.bias [2]",
    "down.0.conv.weight [2, 1, 4, 4]",
    "down.1.conv.bias [4]",
    "down.1.conv.weight [4, 2, 4, 4]",
    "down.1.norm.bias [4]",
    "down.1.norm.weight [4]",
    "down.2.conv.bias [8]",
    "down.2.conv.weight [8, 4, 4, 4]",
    "last.conv.bias [1]",
    "last.conv.weight [4, 1, 4, 4]",
    "tone.knots [33]",
    "up.0.conv.bias [4]",
    "up.0.conv.weight [8, 4, 4, 4]",
    "up.0.norm.bias [4]",
    "up.0.norm.weight [4]",
    "up.1.conv.bias [2]",
    "up.1.conv.weight [8, 2, 4, 4]",
    "up.1.norm.bias [2]",
    "up.1.norm.weight [2]",
];
const RESNET: [&str; 30] = [
    "block.0.conv1.bias [8]",
    "block.0.conv1.weight [8, 8, 3, 3]",
    "block.0.conv2.bias [8]",
    "block.0.conv2.weight [8, 8, 3, 3]",
    "block.0.norm1.bias [8]",
    "block.0.norm1.weight [8]",
    "block.0.norm2.bias [8]",
    "block.0.norm2.weight [8]",
    "down.0.conv.bias [4]",
    "down.0.conv.weight [4, 2, 3, 3]",
    "down.0.norm.bias [4]",
    "down.0.norm.weight [4]",
    "down.1.conv.bias [8]",
    "down.1.conv.weight [8, 4, 3, 3]",
    "down.1.norm.bias [8]",
    "down.1.norm.weight [8]",
    "first.conv.bias [2]",
    "first.conv.weight [2, 1, 7, 7]",
    "first.norm.bias [2]",
    "first.norm.weight [2]",
    "last.conv.bias [1]",
    "last.conv.weight [1, 2, 7, 7]",
    "up.0.conv.bias [4]",
    "up.0.conv.weight [8, 4, 3, 3]",
    "up.0.norm.bias [4]",
    "up.0.norm.weight [4]",
    "up.1.conv.bias [2]",
    "up.1.conv.weight [4, 2, 3, 3]",
    "up.1.norm.bias [2]",
    "up.1.norm.weight [2]",
];
const PATCHGAN: [&str; 16] = [
    "last.conv.bias [1]",
    "last.conv.weight [1, 16, 4, 4]",
    "layer.0.conv.bias [2]",
    "layer.0.conv.weight [2, 1, 4, 4]",
    "layer.1.conv.bias [4]",
    "layer.1.conv.weight [4, 2, 4, 4]",
    "layer.1.norm.bias [4]",
    "layer.1.norm.weight [4]",
    "layer.2.conv.bias [8]",
    "layer.2.conv.weight [8, 4, 4, 4]",
    "layer.2.norm.bias [8]",
    "layer.2.norm.weight [8]",
    "layer.3.conv.bias [16]",
    "layer.3.conv.weight [16, 8, 4, 4]",
    "layer.3.norm.bias [16]",
    "layer.3.norm.weight [16]",
];

#[test]
fn a_frozen_view_stays_current_and_records_nothing() {
    let parameters = Parameters::seeded(1, &Device::Cpu);
    let trained = generator(&narrow(), &parameters);
    let frozen = Generator::new(&narrow(), parameters.frozen()).unwrap();
    let x = Tensor::arange(0f32, 64., &Device::Cpu).unwrap().sin().unwrap().reshape((1, 1, 8, 8)).unwrap();
    let run = |g: &Generator| g.forward(&x, Mode::Inference).unwrap();
    let before = bits(&run(&frozen));
    assert_eq!(before, bits(&run(&trained)));

    for (_, var) in parameters.iter() {
        var.set(&(var.as_tensor() + 0.1).unwrap()).unwrap();
    }
    assert_ne!(before, bits(&run(&frozen)));
    assert_eq!(bits(&run(&frozen)), bits(&run(&trained)));

    assert!(!run(&frozen).track_op() && run(&trained).track_op());
    let x = candle_core::Var::from_tensor(&x).unwrap();
    let gradients = frozen.forward(&x, Mode::Inference).unwrap().sum_all().unwrap().backward().unwrap();
    assert!(gradients.get(&x).is_some());
    assert!(parameters.iter().all(|(_, var)| gradients.get(&var).is_none()));
}

#[test]
fn values_go_out_and_in_again() {
    let (one, two) = (Parameters::seeded(1, &Device::Cpu), Parameters::seeded(2, &Device::Cpu));
    generator(&narrow(), &one);
    generator(&narrow(), &two);
    assert_ne!(all_bits(&one), all_bits(&two));
    two.copy_from(&one).unwrap();
    assert_eq!(all_bits(&one), all_bits(&two));

    let saved = one.to_tensors().unwrap();
    let (name, var) = one.iter().next().unwrap();
    var.set(&(var.as_tensor() + 1.).unwrap()).unwrap();
    assert_ne!(bits(&saved[&name]), bits(&var), "saved values are copies");
    let restored = Parameters::from_tensors(saved.clone(), &Device::Cpu).unwrap();
    generator(&narrow(), &restored);
    assert_eq!(all_bits(&restored), all_bits(&two));
}

#[test]
fn tensors_that_do_not_fit_are_named_and_change_nothing() {
    let parameters = Parameters::seeded(1, &Device::Cpu);
    generator(&narrow(), &parameters);
    let (before, good) = (all_bits(&parameters), parameters.to_tensors().unwrap());
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();

    let mut missing = good.clone();
    missing.remove("up.1.conv.bias");
    let error = parameters.load(&missing).unwrap_err();
    assert!(matches!(&error, NetworkError::MissingTensor { name, .. } if name == "up.1.conv.bias"));
    assert_eq!(error.to_string(), "tensor up.1.conv.bias of shape [2] is missing");

    let mut unknown = good.clone();
    unknown.insert("up.7.conv.bias".to_owned(), zeros(&[2]));
    let error = parameters.load(&unknown).unwrap_err();
    assert_eq!(error.to_string(), "tensor up.7.conv.bias of shape [2] belongs to no layer of this network");

    let mut reshaped = good.clone();
    reshaped.insert("down.2.conv.weight".to_owned(), zeros(&[8, 4, 3, 3]));
    let error = parameters.load(&reshaped).unwrap_err();
    let expected = "tensor down.2.conv.weight: expected shape [8, 4, 4, 4], found [8, 4, 3, 3]";
    assert_eq!(error.to_string(), expected);
    assert_eq!(all_bits(&parameters), before);

    let stored = Parameters::from_tensors(missing, &Device::Cpu).unwrap();
    let error = Generator::new(&narrow(), stored.var_builder()).unwrap_err().to_string();
    assert!(error.contains("up.1.conv.bias"), "{error}");
    let stored = Parameters::from_tensors(reshaped, &Device::Cpu).unwrap();
    let error = Generator::new(&narrow(), stored.var_builder()).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}
