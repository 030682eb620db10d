//! One experiment's configuration: defaults in code, TOML over them, `--set` over TOML, flags over all.

use anyhow::{Context, Result, bail};
use mri_cyclegan::{LossConfig, TrainConfig};
use mri_data::{
    augment::AugmentConfig, geometry::Fit, normalize::Normalization, phantom::DatasetOptions,
    scratch::default_folder, split::Split, volume::SliceAxis,
};
use mri_unet::{GeneratorConfig, PatchGanConfig};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

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
    /// By domain, the series that is meant where a DICOM study has several: UIDs, descriptions, or parts of them.
    pub series: BTreeMap<String, Vec<String>>,
    /// Pairs with known truth that choose `best`.
    pub validation_pairs: Option<PathBuf>,
    /// Pairs with known truth for the table at the end.
    pub test_pairs: Option<PathBuf>,
    /// Pairs of the training part, for the oracle baselines alone.
    pub train_pairs: Option<PathBuf>,
    /// What the network sees.
    pub size: Size,
    pub fit: Fit,
    /// Absent: percentiles for volumes, the range of the training images for images.
    pub normalization: Option<Normalization>,
    /// The direction that volumes are cut along.
    pub slice_axis: SliceAxis,
    /// Slices on each side that the networks see with each one, as further channels.
    pub neighbours: usize,
    pub split: Split,
    pub augment: AugmentConfig,
    /// The subjects that training uses where no data are given.
    pub phantom: DatasetOptions,
    /// Where they are kept; made when missing.
    pub phantom_path: PathBuf,
    /// The folder for the temporary file of prepared slices.
    pub scratch_path: Option<PathBuf>,
}

impl DataConfig {
    /// Channels that the networks see.
    fn channels(&self) -> usize {
        2 * self.neighbours + 1
    }

    /// What tells the DICOM series of a domain.
    pub fn series_of(&self, domain: &str) -> &[String] {
        self.series.get(domain).map_or(&[], Vec::as_slice)
    }

    /// The folder for temporary files.
    pub fn scratch(&self) -> PathBuf {
        self.scratch_path.clone().unwrap_or_else(default_folder)
    }
}

/// More neighbours on each side than anyone needs.
const MOST_NEIGHBOURS: usize = 64;

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            domains: ["t1".into(), "t2".into()],
            t1: None,
            t2: None,
            series: BTreeMap::new(),
            validation_pairs: None,
            test_pairs: None,
            train_pairs: None,
            size: Size::Side(256),
            fit: Fit::Contain,
            normalization: None,
            slice_axis: SliceAxis::default(),
            neighbours: 0,
            split: Split::default(),
            augment: AugmentConfig::default(),
            phantom: DatasetOptions::default(),
            phantom_path: "data/phantom".into(),
            scratch_path: None,
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
        let is_named = |section: &str, key: &str| table.get(section).is_some_and(|s| s.get(key).is_some());
        let named = [("model", "in_channels"), ("model", "out_channels"), ("discriminator", "in_channels")]
            .map(|(section, key)| is_named(section, key));
        let mut config: Config =
            serde_path_to_error::deserialize(toml::Value::Table(table)).map_err(|e| describe(&e))?;
        let channels = config.data.neighbours.saturating_mul(2).saturating_add(1);
        let fields = [
            &mut config.model.in_channels,
            &mut config.model.out_channels,
            &mut config.discriminator.in_channels,
        ];
        for (field, is_named) in fields.into_iter().zip(named) {
            *field = if is_named { *field } else { channels };
        }
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
        if self.data.neighbours > MOST_NEIGHBOURS {
            bail!(
                "data.neighbours: {} on each side are too many; at most {MOST_NEIGHBOURS}",
                self.data.neighbours
            );
        }
        let expected = self.data.channels();
        if channels != [expected; 3] {
            let [input, output, discriminator] = channels;
            bail!(
                "data.neighbours = {} makes {expected} channels, but model.in_channels is {input}, model.out_channels {output} and discriminator.in_channels {discriminator}: leave them out",
                self.data.neighbours
            );
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
        if let Some(stranger) = self.data.series.keys().find(|name| !self.data.domains.contains(name)) {
            bail!("data.series: there is no domain `{stranger}`; the domains are `{a}` and `{b}`");
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
mod tests;
