//! Files of a Hugging Face data set: listed and downloaded with hf-hub, with an end to waiting.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use hf_hub::repository::{RepoTreeEntry, RepoTypeDataset};
use hf_hub::{HFClient, HFClientSync, HFError, HFRepositorySync, HFResult};
use sha2::{Digest, Sha256};

/// A data set on the hub that `HF_ENDPOINT` names, or on huggingface.co.
pub struct DataSet {
    repository: HFRepositorySync<RepoTypeDataset>,
    name: String,
    endpoint: String,
    /// How long the hub may take to answer a question (not to send a file).
    patience: Duration,
}

/// A file as the hub lists it.
#[derive(Debug, Clone)]
pub struct HubFile {
    pub path: String,
    pub bytes: u64,
    pub sha256: Option<String>,
}

/// A download that takes longer than this has stalled.
const LONGEST_DOWNLOAD: Duration = Duration::from_secs(1800);

impl DataSet {
    pub fn new(owner: &str, name: &str, patience: Duration) -> anyhow::Result<Self> {
        let client = HFClient::builder().retry_max_attempts(2).build().context("HF_ENDPOINT names no hub")?;
        Ok(Self {
            endpoint: client.endpoint().to_owned(),
            repository: HFClientSync::from_inner(client)?.dataset(owner, name),
            name: format!("{owner}/{name}"),
            patience,
        })
    }

    /// All files of the data set.
    pub fn files(&self) -> anyhow::Result<Vec<HubFile>> {
        let repository = self.repository.clone();
        let entries = within(self.patience, move || repository.list_tree().recursive(true).send())
            .with_context(|| format!("cannot list the data set {} on {}", self.name, self.endpoint))?;
        let file = |entry| match entry {
            RepoTreeEntry::File { path, size, lfs, .. } => {
                Some(HubFile { path, bytes: size, sha256: lfs.and_then(|lfs| lfs.sha256) })
            }
            RepoTreeEntry::Directory { .. } => None,
        };
        Ok(entries.into_iter().filter_map(file).collect())
    }

    /// Downloads `file` into `folder` and compares its size, and its SHA-256 where the hub tells it.
    pub fn download(&self, file: &HubFile, folder: &Path) -> anyhow::Result<PathBuf> {
        let (repository, name, into) = (self.repository.clone(), file.path.clone(), folder.to_path_buf());
        let path = within(LONGEST_DOWNLOAD, move || {
            repository.download_file().filename(name).local_dir(into).send()
        })
        .with_context(|| format!("cannot download {} from {}", file.path, self.endpoint))?;
        check(&path, file).with_context(|| format!("the download of {} is damaged", file.path))?;
        Ok(path)
    }
}

fn check(path: &Path, expected: &HubFile) -> anyhow::Result<()> {
    let bytes = std::fs::metadata(path)?.len();
    ensure!(bytes == expected.bytes, "{bytes} bytes came, the hub lists {}", expected.bytes);
    if let Some(sha256) = &expected.sha256 {
        let mut hasher = Sha256::new();
        std::io::copy(&mut std::fs::File::open(path)?, &mut HashWriter(&mut hasher))?;
        let found: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        ensure!(found == sha256.to_lowercase(), "its SHA-256 is {found}, the hub lists {sha256}");
    }
    Ok(())
}

struct HashWriter<'a>(&'a mut Sha256);

impl std::io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Runs `work` and gives it up after `limit`: hf-hub itself waits for ever. The thread is left behind; the program is
/// about to end.
fn within<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> HFResult<T> + Send + 'static,
) -> anyhow::Result<T> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(work()));
    match receiver.recv_timeout(limit) {
        Ok(Ok(done)) => Ok(done),
        // Its own words name the address three times; the cause alone says what is wrong.
        Ok(Err(HFError::Request { source, .. })) => {
            let source = anyhow::Error::new(source);
            Err(anyhow!("no connection: {}", source.root_cause()))
        }
        Ok(Err(error)) => Err(error.into()),
        Err(_) => bail!("no answer within {} s", limit.as_secs()),
    }
}
