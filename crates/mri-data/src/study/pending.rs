//! Stands in for `crate::nifti` and `crate::dicom` until they are there.
#![allow(missing_docs, unreachable_pub)]

use std::path::Path;

use crate::DataError;
use crate::volume::Volume;

fn pending(path: &Path) -> DataError {
    DataError::Setting { setting: "volumes", reason: format!("{}: not read yet", path.display()) }
}

pub mod nifti {
    use super::*;

    #[derive(Debug, Clone)]
    pub struct NiftiHeader;

    pub fn read_nifti(path: &Path) -> Result<Volume<NiftiHeader>, DataError> {
        Err(pending(path))
    }
}

pub mod dicom {
    use super::*;
    use std::path::PathBuf;

    #[derive(Debug, Clone)]
    pub struct DicomSeries;

    #[derive(Debug, Clone)]
    pub struct SeriesRef {
        pub files: Vec<PathBuf>,
    }

    impl SeriesRef {
        pub fn uid(&self) -> &str {
            ""
        }

        pub fn description(&self) -> &str {
            ""
        }

        pub fn relative(&self) -> &Path {
            Path::new("")
        }
    }

    pub fn list_series(_path: &Path) -> Result<Vec<SeriesRef>, DataError> {
        Ok(Vec::new())
    }

    pub fn read_series(series: &SeriesRef) -> Result<Volume<DicomSeries>, DataError> {
        Err(pending(series.relative()))
    }
}
