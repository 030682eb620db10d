//! The run folder: where everything of a training lies.

use crate::{config::Config, whole_file};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

/// A run folder with its well-known places.
#[derive(Debug, Clone)]
pub struct RunFolder {
    pub path: PathBuf,
}

impl RunFolder {
    /// Makes its folders where they are missing, and writes the configuration.
    pub fn make(&self, config: &Config) -> Result<()> {
        for folder in [self.checkpoints(), self.samples()] {
            fs::create_dir_all(&folder)
                .with_context(|| format!("cannot make the run folder {}", folder.display()))?;
        }
        whole_file::write_text(&self.config(), &config.to_toml()?)
    }

    /// Refuses a path where something is.
    pub fn check_vacant(path: &Path) -> Result<()> {
        if path.exists() {
            let mut entries = fs::read_dir(path).with_context(|| path.display().to_string())?;
            if entries.next().is_some() {
                let path = path.display();
                bail!("{path}: not empty; go on with it by --resume {path}, or give another --out");
            }
        }
        Ok(())
    }

    /// Opens one that a training left, with its configuration.
    pub fn open(path: &Path) -> Result<(Self, Config)> {
        let run = Self { path: path.to_path_buf() };
        let file = run.config();
        let text = fs::read_to_string(&file).with_context(|| {
            format!("{}: not a run folder: cannot read {}", path.display(), file.display())
        })?;
        let config = Config::parse(&text, &[]).with_context(|| file.display().to_string())?;
        Ok((run, config))
    }

    /// The first of `runs/NAME-001`, `runs/NAME-002`... that does not exist.
    pub fn next_free(name: &str) -> PathBuf {
        let numbered = |n: u32| PathBuf::from(format!("runs/{name}-{n:03}"));
        (1..).map(numbered).find(|path| !path.exists()).unwrap_or_else(|| numbered(1))
    }

    pub fn config(&self) -> PathBuf {
        self.path.join("config.toml")
    }

    pub fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    pub fn samples(&self) -> PathBuf {
        self.path.join("samples")
    }

    pub fn metrics(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    pub fn manifest(&self) -> PathBuf {
        self.path.join("manifest.json")
    }

    pub fn evaluation(&self) -> PathBuf {
        self.path.join("evaluation.json")
    }

    pub fn model(&self) -> PathBuf {
        self.path.join("model.safetensors")
    }
}

/// Appends to `metrics.jsonl`.
pub struct MetricsLog {
    path: PathBuf,
    file: File,
}

impl MetricsLog {
    /// Opens it to go on after `step` and `epoch`: later records, of steps that will be done again, are dropped.
    pub fn open(run: &RunFolder, step: u64, epoch: usize) -> Result<Self> {
        let path = run.metrics();
        if path.exists() {
            let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            let is_past = |line: &&str| {
                let record: Value = serde_json::from_str(line).unwrap_or_default();
                match record.get("step").and_then(Value::as_u64) {
                    Some(recorded) => recorded <= step,
                    None => record.get("epoch").and_then(Value::as_u64).is_some_and(|e| e <= epoch as u64),
                }
            };
            let past: String = text.lines().filter(is_past).flat_map(|line| [line, "\n"]).collect();
            whole_file::write_text(&path, &past)?;
        }
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { path, file })
    }

    /// Adds one record as one line.
    pub fn add(&mut self, record: &impl serde::Serialize) -> Result<()> {
        let line = serde_json::to_string(record)? + "\n";
        self.file.write_all(line.as_bytes()).with_context(|| format!("cannot write {}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_occupied_folder_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.txt"), "x").unwrap();
        let message = RunFolder::check_vacant(folder.path()).unwrap_err().to_string();
        assert!(message.contains("not empty"), "{message}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn going_on_drops_the_records_of_steps_to_come() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder { path: folder.path().join("run") };
        run.make(&Config::default()).unwrap();
        let mut log = MetricsLog::open(&run, 0, 0).unwrap();
        for step in 1..=4 {
            log.add(&serde_json::json!({"step": step, "epoch": 1})).unwrap();
        }
        log.add(&serde_json::json!({"epoch": 1, "validation": {}})).unwrap();
        drop(log);
        MetricsLog::open(&run, 2, 0).unwrap().add(&serde_json::json!({"step": 3, "epoch": 1})).unwrap();
        let text = fs::read_to_string(run.metrics()).unwrap();
        assert_eq!(text, "{\"epoch\":1,\"step\":1}\n{\"epoch\":1,\"step\":2}\n{\"epoch\":1,\"step\":3}\n");
    }

    #[test]
    fn a_checkpoint_epochs_ago_drops_the_records_of_all_epochs_since() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder { path: folder.path().join("run") };
        run.make(&Config::default()).unwrap();
        let record = |epoch: u64| {
            format!(
                "{{\"epoch\":{epoch},\"step\":{}}}\n{{\"epoch\":{epoch},\"validation\":{{}}}}\n",
                epoch * 4
            )
        };
        // The process was killed while it wrote the last line.
        let killed = (1..=5).map(record).collect::<String>() + "{\"epoch\":6,\"st";
        fs::write(run.metrics(), killed).unwrap();
        drop(MetricsLog::open(&run, 8, 2).unwrap());
        assert_eq!(fs::read_to_string(run.metrics()).unwrap(), record(1) + &record(2));
    }
}
