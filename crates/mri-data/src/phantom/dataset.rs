//! A folder of phantom slices for unpaired training, with exact pairs to validate and test on.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use ndarray::Array2;
use rayon::prelude::*;

use super::{DatasetOptions, Lesions, PhantomSlice, SliceGrid, Subject, description::Description};
use crate::DataError;
use crate::atomic_file::Existing;
use crate::image::{BitDepth, Format, Image, encode_image};

const DESCRIPTION_FILE: &str = "phantom.json";

/// Writes a data set at `dir`, whole or not at all.
///
/// ```text
/// phantom.json                        options, sequences, tissues and their label values
/// train/t1/  train/t2/                unpaired: slices of different subjects
/// train/pairs.csv  train_partners/    the other contrast of each, for baselines that may see pairs
/// validation/  test/                  {t1,t2,labels[,lesions]}/ and pairs.csv, of subjects that are in no other part
/// ```
///
/// Lesions, and masks of them, are in the test part alone: what no training and no choice of a checkpoint has seen.
///
/// Images are 8-bit PNG, named `subject-003_slice-041.png` by subject and level in mm. Grey values mean the same signal
/// in all of them. `labels/` holds [`Tissue::label`](super::Tissue::label) values, `lesions/` 0 or 255.
///
/// # Errors
/// [`DataError::Setting`] for options that give no slices, [`DataError::Exists`] if `dir` is not empty and may not be
/// replaced (with [`Existing::Replace`] that is a folder that is no phantom data set), [`DataError::Io`] if a file
/// cannot be written.
pub fn write_dataset(dir: &Path, options: &DatasetOptions, existing: Existing) -> Result<(), DataError> {
    options.check()?;
    let occupied = is_occupied(dir)?;
    if occupied && (existing == Existing::Refuse || !dir.join(DESCRIPTION_FILE).is_file()) {
        return Err(DataError::Exists { path: dir.to_owned() });
    }
    let parent = match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent).map_err(|error| DataError::io(parent, "create", error))?;
    let beside = |prefix: &str| {
        let made = tempfile::Builder::new().prefix(prefix).tempdir_in(parent);
        made.map_err(|error| DataError::io(dir, "write", error))
    };
    let staging = beside(".phantom-partial-")?;
    let whole = staging.path().join("whole");
    write_parts(&whole, options)?;

    let replaced = beside(".phantom-replaced-")?;
    let aside = replaced.path().join("old");
    if dir.symlink_metadata().is_ok() {
        fs::rename(dir, &aside).map_err(|error| DataError::io(dir, "replace", error))?;
    }
    fs::rename(&whole, dir).map_err(|error| {
        // Put back what was there.
        let _ = fs::rename(&aside, dir);
        DataError::io(dir, "write", error)
    })
}

/// Whether `dir` holds exactly the data set that these options give with this version of the phantom.
pub fn holds_dataset(dir: &Path, options: &DatasetOptions) -> bool {
    let found = fs::read_to_string(dir.join(DESCRIPTION_FILE)).ok();
    found.is_some() && found == Description::new(options).to_json().ok()
}

/// Whether `dir` holds what an older version of the phantom gave for these options, apart from lesions: a data set that can
/// be made again, and better.
pub fn holds_older_dataset(dir: &Path, options: &DatasetOptions) -> bool {
    let found = fs::read_to_string(dir.join(DESCRIPTION_FILE)).unwrap_or_default();
    Description::new(options).replaces(&found)
}

fn is_occupied(dir: &Path) -> Result<bool, DataError> {
    match fs::read_dir(dir) {
        Ok(mut entries) => Ok(entries.next().is_some()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(DataError::io(dir, "read", error)),
    }
}

/// Where the images of a part go, relative to the data set.
struct Part {
    first: usize,
    subjects: usize,
    csv: &'static str,
    t1: &'static str,
    t2: &'static str,
    truth: Option<&'static str>,
    has_lesions: bool,
}

fn write_parts(root: &Path, options: &DatasetOptions) -> Result<(), DataError> {
    let DatasetOptions { train_subjects, validation_subjects, test_subjects, .. } = *options;
    let mut next = 1;
    let mut part = |subjects, csv, t1, t2, truth| {
        let first = next;
        next += subjects;
        Part { first, subjects, csv, t1, t2, truth, has_lesions: false }
    };
    let mut parts = [
        part(train_subjects, "train/pairs.csv", "train/t1", "train_partners/t2", None),
        part(train_subjects, "train/pairs.csv", "train_partners/t1", "train/t2", None),
        part(
            validation_subjects,
            "validation/pairs.csv",
            "validation/t1",
            "validation/t2",
            Some("validation"),
        ),
        part(test_subjects, "test/pairs.csv", "test/t1", "test/t2", Some("test")),
    ];
    if let (Lesions::Test, [.., test]) = (options.lesions, &mut parts) {
        test.has_lesions = true;
    }
    let jobs: Vec<(&Part, usize)> = parts
        .iter()
        .flat_map(|part| (part.first..part.first + part.subjects).map(move |n| (part, n)))
        .collect();
    for (part, _) in &jobs {
        for folder in part.folders() {
            let folder = root.join(folder);
            fs::create_dir_all(&folder).map_err(|error| DataError::io(&folder, "create", error))?;
        }
    }
    let rows: Vec<Vec<String>> = jobs
        .par_iter()
        .map(|&(part, number)| part.write_subject(root, options, number))
        .collect::<Result<_, DataError>>()?;

    for csv in ["train/pairs.csv", "validation/pairs.csv", "test/pairs.csv"] {
        let lines: Vec<&str> = jobs
            .iter()
            .zip(&rows)
            .filter(|((part, _), _)| part.csv == csv)
            .flat_map(|(_, rows)| rows.iter().map(String::as_str))
            .collect();
        if let Some(part) = parts.iter().find(|part| part.csv == csv && !lines.is_empty()) {
            let columns = [&["t1", "t2", "subject"], part.truth_columns()].concat().join(",");
            write_synced(&root.join(csv), format!("{columns}\n{}", lines.concat()).as_bytes())?;
        }
    }
    let description =
        Description::new(options).to_json().map_err(|error| DataError::io(root, "describe", error.into()))?;
    write_synced(&root.join(DESCRIPTION_FILE), description.as_bytes())
}

impl Part {
    /// Folders of the truth beside the images, and columns of the table of pairs.
    fn truth_columns(&self) -> &'static [&'static str] {
        match (self.truth, self.has_lesions) {
            (None, _) => &[],
            (Some(_), false) => &["labels"],
            (Some(_), true) => &["labels", "lesions"],
        }
    }

    fn folders(&self) -> Vec<PathBuf> {
        let truth = self.truth.map(Path::new);
        let of_truth = self.truth_columns().iter().filter_map(|column| Some(truth?.join(column)));
        [self.t1.into(), self.t2.into()].into_iter().chain(of_truth).collect()
    }

    /// Writes all slices of one subject and gives its lines of the table of pairs.
    fn write_subject(
        &self,
        root: &Path,
        options: &DatasetOptions,
        number: usize,
    ) -> Result<Vec<String>, DataError> {
        let seed = options.subject_seed(number);
        let subject = if self.has_lesions { Subject::with_lesions(seed) } else { Subject::new(seed) };
        let grid = SliceGrid::square(options.size_px);
        let name = format!("subject-{number:03}");
        let line = |level| {
            let file = format!("{name}_slice-{level:03}.png");
            let slice = subject.scan(level as f32, &grid, &options.acquisition);
            self.write_slice(root, &file, &slice)?;
            let from_csv = |folder: &str| match folder.split_once('/') {
                Some((part, rest)) if self.csv.starts_with(&format!("{part}/")) => format!("{rest}/{file}"),
                _ => format!("../{folder}/{file}"),
            };
            let truth = self.truth_columns().iter().map(|column| format!(",{column}/{file}"));
            let truth: String = truth.collect();
            Ok(format!("{},{},{name}{truth}\n", from_csv(self.t1), from_csv(self.t2)))
        };
        options.levels_mm(number).map(line).collect()
    }

    fn write_slice(&self, root: &Path, file: &str, slice: &PhantomSlice) -> Result<(), DataError> {
        let write = |folder: &Path, pixels: Array2<f32>| {
            let path = root.join(folder).join(file);
            let bytes = encode_image(&Image { pixels, depth: BitDepth::Eight }, Format::Png)
                .map_err(|problem| DataError::image(path.display().to_string(), problem))?;
            write_synced(&path, &bytes)
        };
        write(Path::new(self.t1), &slice.t1 * 255.0)?;
        write(Path::new(self.t2), &slice.t2 * 255.0)?;
        if let Some(part) = self.truth {
            write(&Path::new(part).join("labels"), slice.labels.mapv(f32::from))?;
            if self.has_lesions {
                write(&Path::new(part).join("lesions"), slice.lesions.mapv(|l| 255.0 * f32::from(l)))?;
            }
        }
        Ok(())
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), DataError> {
    let written =
        File::create(path).and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.map_err(|error| DataError::io(path, "write", error))
}
