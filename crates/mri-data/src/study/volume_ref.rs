//! A volume that can be read, whatever its format.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::DataError;
use crate::dicom::{DicomSeries, SeriesRef, read_series};
use crate::manifest::hexadecimal;
use crate::nifti::{NiftiHeader, files_of, read_nifti, read_nifti_header};
use crate::volume::Volume;

/// A volume that can be read: a NIfTI file or pair of files, or a DICOM series. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct VolumeRef {
    root: PathBuf,
    relative: PathBuf,
    files: Files,
}

#[derive(Debug, Clone)]
enum Files {
    Nifti,
    Dicom(Arc<SeriesRef>),
}

/// What a file said beyond voxels and grid, by its format.
#[derive(Debug, Clone)]
pub enum Header {
    /// Of a NIfTI file or pair of files.
    Nifti(Box<NiftiHeader>),
    /// Of a DICOM series.
    Dicom(Box<DicomSeries>),
}

impl VolumeRef {
    pub(crate) fn nifti(root: &Path, relative: &Path) -> Self {
        Self { root: root.to_owned(), relative: relative.to_owned(), files: Files::Nifti }
    }

    pub(super) fn nifti_file(path: &Path) -> Self {
        let root = path.parent().unwrap_or(Path::new(""));
        Self::nifti(root, path.file_name().map(Path::new).unwrap_or(Path::new("")))
    }

    /// Each series by its folder, or by its folder's own name where that is `root`, with a number behind where it is not
    /// alone there.
    pub(super) fn dicom_series(root: &Path, series: Vec<SeriesRef>) -> Vec<Self> {
        let mut in_folder: HashMap<PathBuf, usize> = HashMap::new();
        for one in &series {
            *in_folder.entry(one.relative().to_owned()).or_default() += 1;
        }
        let mut seen: HashMap<PathBuf, usize> = HashMap::new();
        let named = |one: SeriesRef| {
            let folder = one.relative().to_owned();
            let number = seen.entry(folder.clone()).or_default();
            *number += 1;
            let alone = in_folder.get(&folder) == Some(&1);
            let mut relative = folder;
            if relative.as_os_str().is_empty() {
                let canonical = root.canonicalize().unwrap_or_else(|_| root.to_owned());
                relative = canonical.file_name().map_or_else(|| "series".into(), PathBuf::from);
            }
            if !alone {
                relative.push(format!("series-{number}"));
            }
            Self { root: root.to_owned(), relative, files: Files::Dicom(Arc::new(one)) }
        };
        series.into_iter().map(named).collect()
    }

    /// The path inside the place that was listed (for a single file its name; for a series its folder): relative, without
    /// `..`.
    pub fn relative(&self) -> &Path {
        &self.relative
    }

    /// The full name for messages.
    pub fn display(&self) -> String {
        match &self.files {
            Files::Nifti => self.root.join(&self.relative).display().to_string(),
            Files::Dicom(series) => series.display(),
        }
    }

    /// The name of the folder that holds the volume.
    pub fn folder_name(&self) -> String {
        let inside = self.relative.parent().and_then(Path::file_name);
        inside.or_else(|| self.root.file_stem()).unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The DICOM series; none for a NIfTI file.
    pub fn series(&self) -> Option<&SeriesRef> {
        match &self.files {
            Files::Nifti => None,
            Files::Dicom(series) => Some(series),
        }
    }

    /// Reads the voxels, in real units, and the header.
    ///
    /// # Errors
    /// Those of [`read_nifti`] and [`read_series`], with the name of the file.
    pub fn read(&self) -> Result<Volume<Header>, DataError> {
        match &self.files {
            Files::Nifti => {
                let Volume { voxels, affine, header } = read_nifti(&self.root.join(&self.relative))?;
                Ok(Volume { voxels, affine, header: Header::Nifti(Box::new(header)) })
            }
            Files::Dicom(series) => {
                let Volume { voxels, affine, header } = read_series(series)?;
                Ok(Volume { voxels, affine, header: Header::Dicom(Box::new(header)) })
            }
        }
    }

    /// SHA-256 of the bytes of its files one behind the other, in hexadecimal: of a pair the header first, of a series in
    /// the order of the slices.
    ///
    /// # Errors
    /// [`DataError::NotFound`] or [`DataError::Io`].
    pub fn sha256(&self) -> Result<String, DataError> {
        let mut digest = Sha256::new();
        for path in self.paths() {
            let failed = |error| DataError::io(&path, "read", error);
            let mut file = File::open(&path).map_err(failed)?;
            let mut part = vec![0; 1 << 16];
            loop {
                match file.read(&mut part).map_err(failed)? {
                    0 => break,
                    length => digest.update(&part[..length]),
                }
            }
        }
        Ok(hexadecimal(&digest.finalize()))
    }

    /// The header of a NIfTI file, without its voxels; none for a DICOM series, whose headers were read when it was listed.
    ///
    /// # Errors
    /// Those of [`read_nifti_header`].
    pub fn nifti_header(&self) -> Result<Option<NiftiHeader>, DataError> {
        match &self.files {
            Files::Nifti => read_nifti_header(&self.root.join(&self.relative)).map(Some),
            Files::Dicom(_) => Ok(None),
        }
    }

    /// The files that it is made of.
    pub fn paths(&self) -> Vec<PathBuf> {
        match &self.files {
            Files::Nifti => files_of(&self.root.join(&self.relative)),
            Files::Dicom(series) => series.files().to_vec(),
        }
    }
}
