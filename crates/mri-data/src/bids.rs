//! The Brain Imaging Data Structure (BIDS): which anatomical images a data set has, and the names of what is derived from
//! them.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use serde_json::{Value, json};

use crate::DataError;
use crate::source::{files_in, natural_order, read_file};
use crate::study::VolumeRef;

/// The name of the file that every data set has in its root.
pub const DESCRIPTION_FILE: &str = "dataset_description.json";
/// The version of the standard that derivatives are written by.
const BIDS_VERSION: &str = "1.10.0";
/// What the source data set is called in a derivative's BIDS URIs.
const SOURCE_NAME: &str = "source";

/// Keys of entities in the order of the standard.
const ENTITY_ORDER: [&str; 35] = [
    "sub",
    "tpl",
    "ses",
    "cohort",
    "sample",
    "task",
    "tracksys",
    "acq",
    "nuc",
    "voi",
    "ce",
    "trc",
    "stain",
    "rec",
    "dir",
    "run",
    "mod",
    "echo",
    "flip",
    "inv",
    "mt",
    "part",
    "proc",
    "hemi",
    "space",
    "split",
    "recording",
    "chunk",
    "atlas",
    "seg",
    "scale",
    "res",
    "den",
    "label",
    "desc",
];

/// What a file name says: `sub-01_ses-02_run-1_T1w.nii.gz`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BidsName {
    /// Keys and labels, such as `("sub", "01")`.
    entities: Vec<(String, String)>,
    suffix: String,
    /// With its dot: `.nii` or `.nii.gz`.
    extension: String,
}

impl BidsName {
    /// Reads the name of a NIfTI file; none where it does not follow the standard.
    pub fn parse(name: &str) -> Option<Self> {
        let (stem, extension) =
            [".nii.gz", ".nii"].into_iter().find_map(|end| Some((name.strip_suffix(end)?, end)))?;
        let mut parts: Vec<&str> = stem.split('_').collect();
        let suffix = parts.pop().filter(|suffix| is_label(suffix))?;
        let entity = |part: &str| {
            let (key, label) = part.split_once('-')?;
            (is_label(key) && is_label(label)).then(|| (key.to_owned(), label.to_owned()))
        };
        let entities = parts.into_iter().map(entity).collect::<Option<Vec<_>>>()?;
        entities.first().filter(|(key, _)| key == "sub")?;
        Some(Self { entities, suffix: suffix.to_owned(), extension: extension.to_owned() })
    }

    /// The contrast, such as `T1w`.
    pub fn suffix(&self) -> &str {
        &self.suffix
    }

    /// The name of a synthetic image of another contrast: all entities of this one in the standard's order, and
    /// `desc-synthetic`. A source that has a description already keeps it in front: `desc-preprocSynthetic`.
    pub fn synthetic(&self, suffix: &str) -> Self {
        let description = match self.entities.iter().find(|(key, _)| key == "desc") {
            Some((_, label)) => format!("{label}Synthetic"),
            None => "synthetic".into(),
        };
        let mut entities: Vec<_> = self.entities.iter().filter(|(key, _)| key != "desc").cloned().collect();
        entities.push(("desc".into(), description));
        // Entities that the standard does not know stay in their order, before the description.
        let place =
            |key: &str| ENTITY_ORDER.iter().position(|known| *known == key).unwrap_or(ENTITY_ORDER.len() - 2);
        entities.sort_by_key(|(key, _)| place(key));
        Self { entities, suffix: suffix.to_owned(), extension: self.extension.clone() }
    }

    /// The name of the map of a synthetic image's uncertainty: its own, and `Uncertainty` after its description.
    pub fn uncertainty(&self) -> Self {
        let mut map = self.clone();
        for (_, label) in map.entities.iter_mut().filter(|(key, _)| key == "desc") {
            label.push_str("Uncertainty");
        }
        map
    }

    /// The name of the JSON file beside it.
    pub fn sidecar(&self) -> String {
        format!("{}.json", self.stem())
    }

    fn stem(&self) -> String {
        let entities = self.entities.iter().map(|(key, label)| format!("{key}-{label}_"));
        entities.chain([self.suffix.clone()]).collect()
    }
}

impl fmt::Display for BidsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.stem(), self.extension)
    }
}

fn is_label(text: &str) -> bool {
    // `+` is allowed in labels since version 1.10.
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '+')
}

/// The suffix of images of a domain: `T1w` for `t1`. None for a domain whose name tells no contrast of the standard.
pub fn suffix_of_domain(domain: &str) -> Option<&'static str> {
    let lower = domain.to_ascii_lowercase();
    Some(match lower.as_str() {
        "t1" | "t1w" => "T1w",
        "t2" | "t2w" => "T2w",
        "pd" | "pdw" => "PDw",
        "flair" => "FLAIR",
        "t2star" | "t2starw" => "T2starw",
        _ => return None,
    })
}

/// An anatomical image of a data set.
#[derive(Debug, Clone)]
pub struct BidsImage {
    /// The file.
    pub volume: VolumeRef,
    /// What its name says.
    pub name: BidsName,
    /// Whether all but the brain was set to zero, by the JSON file beside it. Raw data that say nothing have the whole
    /// head.
    pub skull_stripped: Option<bool>,
}

impl BidsImage {
    /// The image as a BIDS URI, for the sidecars of a data set whose description was made by
    /// [`derivative_description`].
    pub fn uri(&self) -> String {
        let parts: Vec<_> = self.volume.relative().iter().map(|part| part.to_string_lossy()).collect();
        format!("bids:{SOURCE_NAME}:{}", parts.join("/"))
    }
}

/// Whether a folder is the root of a data set: its description names a version of the standard.
///
/// # Errors
/// [`DataError::Bids`] for a description that is no JSON.
pub fn is_dataset(root: &Path) -> Result<bool, DataError> {
    let path = root.join(DESCRIPTION_FILE);
    if !path.is_file() {
        return Ok(false);
    }
    Ok(read_description(&path)?.get("BIDSVersion").is_some())
}

fn read_description(path: &Path) -> Result<Value, DataError> {
    let refused = |reason: String| DataError::Bids { path: path.to_owned(), reason };
    let bytes = read_file(path)?;
    serde_json::from_slice(&bytes).map_err(|error| refused(format!("not JSON: {error}")))
}

/// The images of one contrast in `sub-*/[ses-*/]anat`, in natural order. Derivatives and source data in folders of the
/// data set are not looked at.
///
/// # Errors
/// [`DataError::Bids`] where there are none, [`DataError::Io`] for a folder that cannot be read.
pub fn list_anatomical(root: &Path, suffix: &str) -> Result<Vec<BidsImage>, DataError> {
    let failed = |error| DataError::io(root, "read", error);
    let is_derivative = read_description(&root.join(DESCRIPTION_FILE))?["DatasetType"] == "derivative";
    let mut images = Vec::new();
    for entry in root.read_dir().map_err(failed)? {
        let folder = PathBuf::from(entry.map_err(failed)?.file_name());
        if !folder.to_string_lossy().starts_with("sub-") || !root.join(&folder).is_dir() {
            continue;
        }
        for inside in files_in(&root.join(&folder))? {
            let relative = folder.join(inside);
            let name = relative.file_name().and_then(|name| BidsName::parse(&name.to_string_lossy()));
            let Some(name) = name.filter(|name| name.suffix == suffix && is_anatomical(&relative)) else {
                continue;
            };
            let sidecar = read_description(&root.join(&relative).with_file_name(name.sidecar())).ok();
            let said = sidecar.and_then(|sidecar| sidecar.get("SkullStripped")?.as_bool());
            let skull_stripped = said.or((!is_derivative).then_some(false));
            images.push(BidsImage { volume: VolumeRef::nifti(root, &relative), name, skull_stripped });
        }
    }
    if images.is_empty() {
        let reason = format!("a BIDS data set without an image sub-*/anat/*_{suffix}.nii or .nii.gz");
        return Err(DataError::Bids { path: root.to_owned(), reason });
    }
    let path = |image: &BidsImage| image.volume.relative().to_string_lossy().into_owned();
    images.sort_by(|a, b| natural_order(&path(a), &path(b)));
    Ok(images)
}

/// `sub-X/anat/FILE` or `sub-X/ses-Y/anat/FILE`.
fn is_anatomical(relative: &Path) -> bool {
    let parts: Vec<_> = relative.iter().map(|part| part.to_string_lossy()).collect();
    match parts.as_slice() {
        [_, folder, _] => folder == "anat",
        [_, session, folder, _] => session.starts_with("ses-") && folder == "anat",
        _ => false,
    }
}

/// The description of a data set of synthetic images in `root`, made from the data set in `source`. The source is named by
/// the way to it, so that the two can move together.
pub fn derivative_description(software_version: &str, root: &Path, source: &Path) -> Value {
    let way = way_between(root, source);
    json!({
        "Name": "Synthetic images, for research only, not for diagnosis",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [{
            "Name": "mri-cyclegan",
            "Version": software_version,
            "Description": "Images of another contrast, made by a CycleGAN",
        }],
        "SourceDatasets": [{ "URL": way }],
        "DatasetLinks": { SOURCE_NAME: way },
    })
}

/// The text of the file `README` of such a data set.
pub const DERIVATIVE_README: &str = "\
Synthetic images, made by mri-cyclegan from those of another data set (see dataset_description.json). They are for research
only, not for diagnosis: the model can invent anatomy and can hide lesions. The JSON file beside each image tells its source
and how it was made.
";

/// Whether the data set in `root` was made by this program.
///
/// # Errors
/// As [`is_dataset`].
pub fn is_own_derivative(root: &Path) -> Result<bool, DataError> {
    let description = read_description(&root.join(DESCRIPTION_FILE))?;
    let makers = description.get("GeneratedBy").and_then(Value::as_array);
    Ok(makers.is_some_and(|makers| makers.iter().any(|maker| maker["Name"] == "mri-cyclegan")))
}

/// From one folder to another, with forward slashes: `../raw`.
fn way_between(from: &Path, to: &Path) -> String {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let (from, to) = (absolute(from), absolute(to));
    let parts = |path: &Path| -> Vec<String> {
        path.components()
            .filter(|part| !matches!(part, Component::CurDir))
            .map(|part| part.as_os_str().to_string_lossy().into_owned())
            .collect()
    };
    let (from, to) = (parts(&from), parts(&to));
    let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..".to_owned(), from.len() - shared);
    let way: Vec<String> = up.chain(to.into_iter().skip(shared)).collect();
    if way.is_empty() { ".".into() } else { way.join("/") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_derived() {
        for (source, derived) in [
            ("sub-01_T1w.nii.gz", "sub-01_desc-synthetic_T2w.nii.gz"),
            ("sub-01_ses-a_acq-mprage_run-2_T1w.nii", "sub-01_ses-a_acq-mprage_run-2_desc-synthetic_T2w.nii"),
            ("sub-01_desc-preproc_T1w.nii.gz", "sub-01_desc-preprocSynthetic_T2w.nii.gz"),
            ("sub-01_space-MNI_run-1_T1w.nii", "sub-01_run-1_space-MNI_desc-synthetic_T2w.nii"),
            ("sub-01_x-1_T1w.nii", "sub-01_x-1_desc-synthetic_T2w.nii"),
        ] {
            let name = BidsName::parse(source).unwrap();
            assert_eq!((name.to_string().as_str(), name.suffix()), (source, "T1w"));
            let synthetic = name.synthetic("T2w");
            assert_eq!(synthetic.to_string(), derived);
            let map = derived.replace("ynthetic_", "yntheticUncertainty_");
            assert_eq!(synthetic.uncertainty().to_string(), map);
        }
        for other in [
            "T1w.nii.gz",
            "sub-01.nii",
            "sub-01_T1w.json",
            "sub-_T1w.nii",
            "acq-1_sub-01_T1w.nii",
            "sub-01__T1w.nii",
        ] {
            assert_eq!(BidsName::parse(other), None, "{other}");
        }
    }

    #[test]
    fn the_way_between_folders_is_relative() {
        let way = |from: &str, to: &str| way_between(Path::new(from), Path::new(to));
        assert_eq!(way("/data/out", "/data/raw"), "../raw");
        assert_eq!(way("/data/raw/derivatives/x", "/data/raw"), "../..");
        assert_eq!(way("out", "./raw"), "../raw");
    }
}
