//! What lies in a run folder and how far the training came.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{checkpoint, grouped};
use crate::history::{self, Curves};

#[derive(Serialize)]
pub(super) struct Found {
    kind: &'static str,
    path: PathBuf,
    images_seen: u64,
    epochs_validated: u64,
    last_losses: BTreeMap<String, f64>,
    last_validation: BTreeMap<String, f64>,
    /// Files of the layout that are there, with their bytes.
    files: BTreeMap<String, u64>,
    model: Option<checkpoint::Found>,
}

const FILES: [&str; 10] = [
    "config.toml",
    "manifest.json",
    "metrics.jsonl",
    "checkpoints/last.safetensors",
    "checkpoints/best.safetensors",
    "model.safetensors",
    "evaluation.json",
    "losses.svg",
    "progress.gif",
    "report.html",
];

pub(super) fn look(path: &Path) -> anyhow::Result<Found> {
    let history = history::read(path)?;
    let last = |curves: &Curves| -> BTreeMap<String, f64> {
        curves.iter().filter_map(|(name, points)| Some((name.clone(), points.last()?.1))).collect()
    };
    let furthest = |curves: &Curves| {
        curves.values().filter_map(|points| Some(points.last()?.0)).fold(0.0, f64::max) as u64
    };
    let bytes = |name: &&str| Some((name.to_string(), path.join(name).metadata().ok()?.len()));
    let model = path.join("model.safetensors");
    Ok(Found {
        kind: "run",
        path: path.to_path_buf(),
        images_seen: furthest(&history.losses),
        epochs_validated: furthest(&history.validation),
        last_losses: last(&history.losses),
        last_validation: last(&history.validation),
        files: FILES.iter().filter_map(bytes).collect(),
        model: if model.exists() { Some(checkpoint::look(&model)?) } else { None },
    })
}

pub(super) fn words(found: &Found) -> String {
    let mut text = format!("{}: a training run\n", found.path.display());
    let _ = writeln!(text, "  images seen {}", grouped(found.images_seen));
    if found.epochs_validated > 0 {
        let _ = writeln!(text, "  validated   after epoch {}", found.epochs_validated);
    }
    for (heading, values) in
        [("last losses", &found.last_losses), ("last validation", &found.last_validation)]
    {
        if !values.is_empty() {
            let values = values.iter().map(|(name, value)| format!("{name} {value:.4}"));
            let _ = writeln!(text, "  {heading}: {}", values.collect::<Vec<_>>().join(", "));
        }
    }
    for (name, bytes) in &found.files {
        let _ = writeln!(text, "  {name}  {} bytes", grouped(*bytes));
    }
    if let Some(model) = &found.model {
        text.push('\n');
        text.push_str(&checkpoint::words(model));
    }
    text
}
