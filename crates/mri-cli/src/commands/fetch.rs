//! `mri-cli fetch`: the public slices from the Hugging Face hub, checked, unpacked and with their true pairs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use mri_data::image::Image;
use mri_data::source::{ImageRef, resolve_domains};

use crate::hub::{DataSet, HubFile};
use crate::public_set::{FIRST_TEST_LEVEL_MM, ON_THE_HUB, Pair, pairs};
use crate::stdout::outln;

/// Download the public T1 and T2 slices from the Hugging Face hub
///
/// Both contrasts show one simulated head (BrainWeb), so most slices have an exact partner in the other contrast. The
/// pairs are written beside the images: train_pairs.csv, and test_pairs.csv for the held-out block of levels. The
/// environment variable HF_ENDPOINT names another hub.
#[derive(clap::Args)]
pub struct Args {
    /// Folder to make
    #[arg(long, value_name = "DIR", default_value = "data/public-slices")]
    out: PathBuf,
    /// Replace the folder if it exists
    #[arg(long)]
    overwrite: bool,
    /// Seconds to wait for the hub's answer
    #[arg(long, value_name = "S", default_value_t = 20)]
    patience_s: u64,
}

/// No data set of slices is larger; what claims to be is not the public set.
const MOST_BYTES: u64 = 500 << 20;

pub fn run(args: Args) -> anyhow::Result<()> {
    let out = &args.out;
    if out.exists() && !args.overwrite {
        bail!("{} exists already; --overwrite replaces it", out.display());
    }
    let (owner, name) = ON_THE_HUB;
    let hub = DataSet::new(owner, name, Duration::from_secs(args.patience_s))?;
    let zip = only_zip(hub.files()?)?;

    let beside = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let making = || format!("cannot make {}", out.display());
    std::fs::create_dir_all(beside).with_context(making)?;
    let partial = tempfile::Builder::new().prefix(".partial-").tempdir_in(beside).with_context(making)?;
    let archive = hub.download(&zip, &partial.path().join("download"))?;
    let slices = partial.path().join("slices");
    let found = unpack(&archive, &slices).with_context(|| format!("{} is not the public set", zip.path))?;
    move_into_place(&slices, out, partial.path()).with_context(making)?;
    found.report(out)
}

fn only_zip(files: Vec<HubFile>) -> anyhow::Result<HubFile> {
    let (zips, others): (Vec<_>, Vec<_>) =
        files.into_iter().partition(|file| file.path.to_ascii_lowercase().ends_with(".zip"));
    let [zip] = zips.as_slice() else {
        bail!(
            "the data set should hold one zip archive: it holds {} and {} other files",
            zips.len(),
            others.len()
        );
    };
    ensure!(zip.bytes <= MOST_BYTES, "{} has {} bytes: too many for this set of slices", zip.path, zip.bytes);
    Ok(zip.clone())
}

/// What was unpacked.
struct Found {
    images: [usize; 2],
    /// (rows, columns) and bits of the first image.
    size: (usize, usize),
    bits: u32,
    training_pairs: usize,
    test_pairs: usize,
}

/// Reads every image of the archive, so that a damaged one is found now, and writes both domains and their pairs.
fn unpack(archive: &Path, into: &Path) -> anyhow::Result<Found> {
    let (t1, t2) = resolve_domains(archive, archive)?;
    let (t1_paths, first) = unpack_domain(&t1, "Tr1", into)?;
    let (t2_paths, _) = unpack_domain(&t2, "Tr2", into)?;
    let pairs = pairs(t1_paths.iter().map(PathBuf::as_path), t2_paths.iter().map(PathBuf::as_path));
    let (test, training): (Vec<_>, Vec<_>) =
        pairs.into_iter().partition(|pair| pair.level_mm >= FIRST_TEST_LEVEL_MM);
    for (name, pairs) in [("train_pairs.csv", &training), ("test_pairs.csv", &test)] {
        write_pairs(&into.join(name), pairs)?;
    }
    Ok(Found {
        images: [t1.len(), t2.len()],
        size: first.pixels.dim(),
        bits: first.depth.bits(),
        training_pairs: training.len(),
        test_pairs: test.len(),
    })
}

/// Writes the images below the folder `top` (wherever it lies in the archive) and returns their new places, with the
/// first image. The archive's reader has refused names that lead outside.
fn unpack_domain(images: &[ImageRef], top: &str, into: &Path) -> anyhow::Result<(Vec<PathBuf>, Image)> {
    let mut first = None;
    let mut paths = Vec::new();
    for source in images {
        let image = source.read()?;
        first.get_or_insert(image);
        let relative: PathBuf = source.relative().iter().skip_while(|part| *part != top).collect();
        let path = into.join(&relative);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&path, source.read_bytes()?)
            .with_context(|| format!("cannot write {}", path.display()))?;
        paths.push(relative);
    }
    Ok((paths, first.context("no images")?))
}

/// Columns t1, t2 and the level; paths relative to the file.
fn write_pairs(path: &Path, pairs: &[Pair]) -> anyhow::Result<()> {
    let mut table = csv::Writer::from_path(path)?;
    table.write_record(["t1", "t2", "level_mm"])?;
    for pair in pairs {
        let slashed =
            |path: &Path| path.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/");
        table.write_record([slashed(&pair.t1), slashed(&pair.t2), pair.level_mm.to_string()])?;
    }
    Ok(table.flush()?)
}

/// Renames `made` to `out`; what was there is moved into `aside` first, and back if the renaming fails.
fn move_into_place(made: &Path, out: &Path, aside: &Path) -> anyhow::Result<()> {
    let old = aside.join("replaced");
    let replaces = out.exists();
    if replaces {
        std::fs::rename(out, &old)?;
    }
    if let Err(error) = std::fs::rename(made, out) {
        if replaces {
            std::fs::rename(&old, out)?;
        }
        return Err(error.into());
    }
    Ok(())
}

impl Found {
    fn report(&self, out: &Path) -> anyhow::Result<()> {
        let ([t1, t2], (height, width), out) = (self.images, self.size, out.display());
        outln!("{t1} T1 and {t2} T2 slices, {width} x {height} px, {} bit, in {out}", self.bits)?;
        outln!("{} pairs for testing: {out}/test_pairs.csv", self.test_pairs)?;
        outln!("{} pairs of the other levels: {out}/train_pairs.csv", self.training_pairs)?;
        outln!("They come from the BrainWeb simulator (McGill): cite Cocosco 1997, Kwan 1999, Collins 1998.")
    }
}
