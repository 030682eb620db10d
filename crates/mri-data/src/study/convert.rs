//! Volumes from one format to the other.

use super::Header;
use crate::dicom::DicomSeries;
use crate::nifti::NiftiHeader;
use crate::volume::Volume;

impl Volume<Header> {
    /// For a NIfTI file: with its own header, or for a DICOM series with a new one on the same grid.
    pub fn into_nifti(self) -> Volume<NiftiHeader> {
        let Self { voxels, affine, header } = self;
        let header = match header {
            Header::Nifti(header) => *header,
            Header::Dicom(_) => {
                let (i, j, k) = voxels.dim();
                NiftiHeader::for_grid(&affine, [i, j, k])
            }
        };
        Volume { voxels, affine, header }
    }

    /// For a DICOM series: with its own header, or for a NIfTI file with a new study, for which `identity` stands (see
    /// [`DicomSeries::for_grid`]).
    pub fn into_dicom(self, identity: &str) -> Volume<DicomSeries> {
        let Self { voxels, affine, header } = self;
        let header = match header {
            Header::Dicom(series) => *series,
            Header::Nifti(_) => DicomSeries::for_grid(identity),
        };
        Volume { voxels, affine, header }
    }
}
