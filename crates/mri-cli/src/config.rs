//! One experiment's configuration: defaults in code, TOML over them, `--set` over TOML, flags over all.

use anyhow::{Context, Result, bail};
use mri_cyclegan::{LossConfig, TrainConfig};
use mri_data::{
    augment::AugmentConfig, geometry::Fit, normalize::Normalization, phantom::DatasetOptions, split::Split,
};
use mri_unet::{GeneratorConfig, PatchGanConfig};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Everything that decides a training.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Every random number follows from it.
    pub seed: u64,
    pub data: DataConfig,
    pub model: GeneratorConfig,
    pub discriminator: PatchGanConfig,
    pub loss: LossConfig,
    pub train: TrainConfig,
    pub output: OutputConfig,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataConfig {
    /// Names of the two domains.
    pub domains: [String; 2],
    /// File, folder or zip of the first domain; both absent: the phantom.
    pub t1: Option<PathBuf>,
    /// The same of the second.
    pub t2: Option<PathBuf>,
    /// Pairs with known truth that choose `best`.
    pub validation_pairs: Option<PathBuf>,
    /// Pairs with known truth for the table at the end.
    pub test_pairs: Option<PathBuf>,
    /// Pairs of the training part, for the oracle baselines alone.
    pub train_pairs: Option<PathBuf>,
    /// What the network sees.
    pub size: Size,
    pub fit: Fit,
    pub normalization: Normalization,
    pub split: Split,
    pub augment: AugmentConfig,
    /// The subjects that training uses where no data are given.
    pub phantom: DatasetOptions,
    /// Where they are kept; made when missing.
    pub phantom_path: PathBuf,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            domains: ["t1".into(), "t2".into()],
            t1: None,
            t2: None,
            validation_pairs: None,
            test_pairs: None,
            train_pairs: None,
            size: Size::Side(256),
            fit: Fit::Contain,
            normalization: Normalization::default(),
            split: Split::default(),
            augment: AugmentConfig::default(),
            phantom: DatasetOptions::default(),
            phantom_path: "data/phantom".into(),
        }
    }
}

/// A square's side, or `[height, width]`, px.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Size {
    Side(usize),
    HeightWidth([usize; 2]),
}

impl Size {
    pub fn height_width_px(self) -> [usize; 2] {
        match self {
            Size::Side(side) => [side, side],
            Size::HeightWidth(size) => size,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OutputConfig {
    /// Epochs between panels; each is also a frame of progress.gif.
    pub panels_every: usize,
    /// Rows of a panel.
    pub panel_rows: usize,
}

impl Default for OutputConfig {
    fn default() -> Self {
        Self { panels_every: 5, panel_rows: 4 }
    }
}

const PRESETS: [(&str, &str); 3] = [
    ("quick", include_str!("../../../configs/quick.toml")),
    ("quality", include_str!("../../../configs/quality.toml")),
    ("seed", include_str!("../../../configs/seed.toml")),
];

impl Config {
    /// Reads the preset or file `name`, then applies `settings`, each `section.key=value`.
    pub fn load(name: &str, settings: &[String]) -> Result<Self> {
        let text = match PRESETS.iter().find(|(preset, _)| *preset == name) {
            Some((_, text)) => (*text).to_string(),
            None => read_config_file(Path::new(name))?,
        };
        Self::parse(&text, settings).with_context(|| format!("configuration {name}"))
    }

    /// Parses TOML `text`, then applies `settings`.
    pub fn parse(text: &str, settings: &[String]) -> Result<Self> {
        let mut table: toml::Table =
            toml::from_str(text).map_err(|e| anyhow::anyhow!(one_line(&e.to_string())))?;
        for setting in settings {
            apply_setting(&mut table, setting)?;
        }
        let config: Config =
            serde_path_to_error::deserialize(toml::Value::Table(table)).map_err(|e| describe(&e))?;
        config.check()?;
        Ok(config)
    }

    /// Refuses values that no training can work with, by name.
    pub fn check(&self) -> Result<()> {
        self.train.check()?;
        self.loss.check()?;
        let [height, width] = self.data.size.height_width_px();
        let least = 3 << self.discriminator.layers.min(20);
        if height < least || width < least {
            bail!(
                "data.size: {height}x{width} px is too small; a discriminator of {} layers needs {least} px",
                self.discriminator.layers
            );
        }
        let channels = [self.model.in_channels, self.model.out_channels, self.discriminator.in_channels];
        if channels != [1; 3] {
            bail!("in_channels, out_channels: slices have one channel");
        }
        self.data.augment.check()?;
        let [a, b] = &self.data.domains;
        let plain =
            |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if a == b || !plain(a) || !plain(b) {
            bail!(
                "data.domains: two different names of letters, digits and `-` are needed, found `{a}` and `{b}`"
            );
        }
        if self.data.t1.is_some() != self.data.t2.is_some() {
            let missing = if self.data.t1.is_some() { b } else { a };
            bail!(
                "data of one domain only: images of `{missing}` are missing; give both --t1 and --t2, or neither for the phantom"
            );
        }
        Ok(())
    }

    /// The whole configuration as TOML.
    pub fn to_toml(&self) -> Result<String> {
        Ok(toml::to_string_pretty(self)?)
    }
}

fn read_config_file(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|e| {
        let presets = PRESETS.map(|(name, _)| name).join(", ");
        anyhow::anyhow!("{}: {e} (neither a file nor a preset: {presets})", path.display())
    })
}

/// Sets `section.key=value`; the value is TOML, or else a plain string.
fn apply_setting(table: &mut toml::Table, setting: &str) -> Result<()> {
    let (path, value) =
        setting.split_once('=').with_context(|| format!("--set {setting}: expected section.key=value"))?;
    let value = toml::from_str::<toml::Table>(&format!("v = {value}"))
        .ok()
        .and_then(|mut t| t.remove("v"))
        .unwrap_or_else(|| toml::Value::String(value.to_string()));
    let mut keys: Vec<&str> = path.trim().split('.').collect();
    let last = keys.pop().unwrap_or_default();
    let mut section = table;
    for key in keys {
        section = section
            .entry(key)
            .or_insert_with(|| toml::Value::Table(toml::Table::new()))
            .as_table_mut()
            .with_context(|| format!("--set {setting}: `{key}` is not a section"))?;
    }
    section.insert(last.to_string(), value);
    Ok(())
}

/// One line that names the key and, for a misspelt one, the nearest right one.
fn describe(error: &serde_path_to_error::Error<toml::de::Error>) -> anyhow::Error {
    let message = one_line(error.inner().message());
    let path = error.path().to_string();
    let Some((unknown, known)) = message.strip_prefix("unknown field ").and_then(|m| m.split_once(','))
    else {
        return anyhow::anyhow!("{path}: {message}");
    };
    let unknown = unknown.trim_matches('`');
    let section = path.strip_suffix(unknown).unwrap_or(&path).trim_end_matches('.');
    let dotted = |key: &str| if section.is_empty() { key.to_string() } else { format!("{section}.{key}") };
    let nearest = known
        .split('`')
        .skip(1)
        .step_by(2)
        .max_by(|x, y| strsim::jaro_winkler(unknown, x).total_cmp(&strsim::jaro_winkler(unknown, y)));
    match nearest {
        Some(nearest) => {
            anyhow::anyhow!("unknown key `{}`; did you mean `{}`?", dotted(unknown), dotted(nearest))
        }
        None => anyhow::anyhow!("unknown key `{}`", dotted(unknown)),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
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
            &["train.epochs=7".into(), "model.generator=resnet".into(), "data.size=[224,192]".into()],
        )
        .unwrap();
        assert_eq!((config.train.epochs, config.train.lr), (7, 1e-3));
        assert_eq!(config.data.size.height_width_px(), [224, 192]);
    }

    #[test]
    fn a_misspelt_key_is_named_with_the_nearest() {
        assert_eq!(
            error("[train]\nepocs = 3", &[]),
            "unknown key `train.epocs`; did you mean `train.epochs`?"
        );
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
    }
}
