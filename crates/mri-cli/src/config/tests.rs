use super::*;

fn error(text: &str, settings: &[&str]) -> String {
    let settings: Vec<_> = settings.iter().map(|s| s.to_string()).collect();
    Config::parse(text, &settings).unwrap_err().to_string()
}

#[test]
fn presets_are_valid_and_survive_a_round_trip() {
    for (name, _) in PRESETS {
        let config = Config::load(name, &[]).unwrap();
        assert_eq!(Config::parse(&config.to_toml().unwrap(), &[]).unwrap(), config, "{name}");
    }
}

#[test]
fn settings_override_the_file() {
    let config = Config::parse(
        "[train]\nepochs = 3\nlr = 1e-3",
        &[
            "train.epochs=7",
            "model.generator=resnet",
            "data.size=[224,192]",
            "train.precision=bf16",
            "train.tf32=false",
        ]
        .map(String::from),
    )
    .unwrap();
    assert_eq!((config.train.precision, config.train.tf32), (mri_unet::Precision::Bf16, false));
    assert_eq!((config.train.epochs, config.train.lr), (7, 1e-3));
    assert_eq!(config.data.size.height_width_px(), [224, 192]);
}

#[test]
fn channels_follow_the_neighbours() {
    let config = Config::parse("[data]\nneighbours = 2", &[]).unwrap();
    assert_eq!((config.model.in_channels, config.model.out_channels), (5, 5));
    assert_eq!(config.discriminator.in_channels, 5);
    assert_eq!(Config::parse(&config.to_toml().unwrap(), &[]).unwrap(), config);
    let message = error("[model]\nin_channels = 1", &["data.neighbours=1"]);
    assert!(message.contains("makes 3 channels, but model.in_channels is 1"), "{message}");
    assert!(error("[model]\nout_channels = 3", &[]).contains("makes 1 channels"));
    assert!(error("[data]\nneighbours = 1000000000000", &[]).contains("data.neighbours"));
    assert!(error("[data]\nslice_axis = \"axal\"", &[]).contains("data.slice_axis"));
}

#[test]
fn a_misspelt_key_is_named_with_the_nearest() {
    assert_eq!(error("[train]\nepocs = 3", &[]), "unknown key `train.epocs`; did you mean `train.epochs`?");
    assert_eq!(error("[lost]\ncycle = 3", &[]), "unknown key `lost`; did you mean `loss`?");
    assert_eq!(error("", &["loss.cylce=1"]), "unknown key `loss.cylce`; did you mean `loss.cycle`?");
}

#[test]
fn a_wrong_value_is_named() {
    let message = error("[train]\nepochs = \"many\"", &[]);
    assert!(message.starts_with("train.epochs: invalid type"), "{message}");
    assert!(error("[train]\nepochs = 0", &[]).contains("train.epochs"));
    assert!(error("[data.augment]\nscale = 1.5", &[]).contains("augment.scale"));
    assert!(error("[data]\nt1 = \"a\"", &[]).contains("one domain only"));
    let message = error("", &["train.precision=half"]);
    assert!(message.starts_with("train.precision: ") && message.contains("`bf16`"), "{message}");
    assert!(error("[train]\ntf32 = 1", &[]).starts_with("train.tf32: "));
}
