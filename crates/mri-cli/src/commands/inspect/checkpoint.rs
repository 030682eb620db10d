//! What a safetensors file holds: its own words in the metadata, and its tensors counted.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use mri_cyclegan::{FORMAT_VERSION, METADATA_KEY};
use safetensors::SafeTensors;
use serde::Serialize;
use serde_json::Value;

use super::{count, grouped};

#[derive(Serialize)]
pub(super) struct Found {
    kind: &'static str,
    path: PathBuf,
    bytes: u64,
    /// Tensors and their numbers by the first part of their names.
    tensors: BTreeMap<String, Group>,
    /// The metadata that this program wrote; none for a file of another.
    metadata: Option<Value>,
}

#[derive(Default, Serialize)]
struct Group {
    tensors: usize,
    values: u64,
}

pub(super) fn look(path: &Path) -> anyhow::Result<Found> {
    let reading = || format!("cannot read {}", path.display());
    let bytes = std::fs::read(path).with_context(reading)?;
    let file = SafeTensors::deserialize(&bytes)
        .with_context(|| format!("{}: damaged or cut short", path.display()))?;
    let mut tensors: BTreeMap<String, Group> = BTreeMap::new();
    for (name, view) in file.tensors() {
        let group = tensors.entry(group_of(&name)).or_default();
        group.tensors += 1;
        group.values += view.shape().iter().map(|&side| side as u64).product::<u64>();
    }
    let (_, header) = SafeTensors::read_metadata(&bytes).with_context(reading)?;
    let text = header.metadata().as_ref().and_then(|metadata| metadata.get(METADATA_KEY));
    let metadata = text.map(|text| serde_json::from_str(text)).transpose().with_context(reading)?;
    Ok(Found { kind: "checkpoint", path: path.to_path_buf(), bytes: bytes.len() as u64, tensors, metadata })
}

/// `generator_ab`, `adam.generators`: the network, or the state and what it belongs to.
fn group_of(name: &str) -> String {
    let parts: Vec<&str> = name.split('.').collect();
    let depth = if matches!(parts.first(), Some(&"adam" | &"average")) { 2 } else { 1 };
    parts.iter().take(depth).copied().collect::<Vec<_>>().join(".")
}

pub(super) fn words(found: &Found) -> String {
    let mut text = String::new();
    let field = |name: &str| found.metadata.as_ref().and_then(|metadata| metadata.get(name));
    let kind = match (&found.metadata, field("training")) {
        (None, _) => "a safetensors file of another program",
        (Some(_), None) => "a model for `translate`",
        (Some(_), Some(_)) => "a training checkpoint",
    };
    let _ = writeln!(text, "{}: {kind}, {} bytes", found.path.display(), grouped(found.bytes));
    if let Some(version) = field("format_version").and_then(Value::as_u64) {
        let newer = if version > FORMAT_VERSION.into() { " (newer than this program reads)" } else { "" };
        let _ = writeln!(text, "  format      version {version}{newer}");
    }
    if let Some([a, b]) = field("domains").and_then(Value::as_array).map(Vec::as_slice) {
        let name = |value: &Value| value.as_str().unwrap_or("?").to_owned();
        let _ = writeln!(text, "  domains     {} and {}", name(a), name(b));
    }
    for (heading, name) in [("step", "step"), ("seed", "seed")] {
        if let Some(number) = field(name).and_then(Value::as_u64) {
            let _ = writeln!(text, "  {heading}        {number}");
        }
    }
    if let Some(Value::Object(settings)) = field("generator") {
        let settings = settings.iter().map(|(name, value)| format!("{name} {}", plain(value)));
        let _ = writeln!(text, "  generator   {}", settings.collect::<Vec<_>>().join(", "));
    }
    for (name, group) in &found.tensors {
        let _ = writeln!(
            text,
            "  {name}: {} values in {}",
            grouped(group.values),
            count(group.tensors, "tensor")
        );
    }
    text
}

/// A value without JSON's quotes.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
