//! A volume through a network and back, on the same grid.

use anyhow::Result;
use mri_data::normalize::IntensityMap;
use mri_data::volume::{SliceAxis, Volume};
use ndarray::{Array3, Array4};

use crate::slice_passes::{AIR, Passes};

/// From the values of a volume to network units, and from network units to the values of what is made of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Maps {
    pub source: IntensityMap,
    pub target: IntensityMap,
}

/// Replaces the voxels of `volume` by what `network` makes of its slices along `axis`, and returns how many of them were not
/// finite: those are air to the network.
pub fn replace_voxels<H>(
    volume: &mut Volume<H>,
    axis: SliceAxis,
    maps: &Maps,
    passes: &Passes,
    network: impl Fn(Array4<f32>) -> Result<Array3<f32>>,
    done: impl FnMut(usize),
) -> Result<usize> {
    let not_finite = volume.voxels.iter().filter(|value| !value.is_finite()).count();
    let to_unit = |value: f32| match value.is_finite() {
        true => maps.source.to_unit(value).clamp(-1., 1.),
        false => AIR,
    };
    passes.replace(volume.slices_mut(axis), to_unit, |unit| maps.target.from_unit(unit), network, done)?;
    Ok(not_finite)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mri_data::atomic_file::Existing;
    use mri_data::dicom::{Derivation, DicomSeries, list_series, read_series, write_series};
    use mri_data::geometry::{Canvas, Fit};
    use mri_data::nifti::{DataType, NiftiHeader, read_nifti, write_nifti};
    use mri_data::normalize::Normalization;
    use mri_data::volume::{Affine, Orientation};
    use ndarray::Axis;

    const SHAPE_RAS: [usize; 3] = [7, 9, 5];
    const VOXEL_MM: [f64; 3] = [0.75, 1.25, 3.];

    /// A volume whose storage axes are those of RAS in another order and direction, a little oblique; values from -200
    /// to 1500.
    fn stored(order: [usize; 3], reversed: [bool; 3]) -> (Array3<f32>, Affine) {
        let (sin, cos) = 0.2_f64.sin_cos();
        let turned = [[cos, -sin, 0.], [sin, cos, 0.], [0., 0., 1.]];
        let mut rows = [[0.; 4]; 3];
        for (storage, &toward) in order.iter().enumerate() {
            let sign = if reversed[storage] { -1. } else { 1. };
            for (row, direction) in rows.iter_mut().zip(turned) {
                row[storage] = sign * VOXEL_MM[toward] * direction[toward];
            }
        }
        for (row, origin) in rows.iter_mut().zip([-31.5, 12.25, 7.]) {
            row[3] = origin;
        }
        let shape = order.map(|toward| SHAPE_RAS[toward]);
        let value = |(i, j, k): (usize, usize, usize)| {
            let noise = (i * 7919 + j * 104_729 + k * 1_299_709) % 1701;
            noise as f32 - 200.
        };
        (Array3::from_shape_fn(shape, value), Affine::from_rows(rows))
    }

    fn all_48() -> Vec<(Array3<f32>, Affine)> {
        let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
        let flips = |order| (0..8).map(move |bits| stored(order, [bits & 1 > 0, bits & 2 > 0, bits & 4 > 0]));
        orders.into_iter().flat_map(flips).collect()
    }

    /// As a model does whose networks return what they are given.
    fn through_identity<H>(volume: &mut Volume<H>, axis: SliceAxis, neighbours: usize, batch: usize) {
        let fitted = Normalization::Range { min: None, max: None };
        let normalizer = fitted.fit_volumes([Ok(volume.voxels.clone())]).unwrap();
        let map = normalizer.map_for_volume(volume.voxels.view()).unwrap();
        let maps = Maps { source: map.clone(), target: normalizer.typical().clone() };
        let canvas = Canvas { height_px: 8, width_px: 6, fit: Fit::Pad };
        let passes = Passes { canvas, neighbours, batch };
        let middle = |input: Array4<f32>| Ok(input.index_axis(Axis(1), neighbours).to_owned());
        assert_eq!(replace_voxels(volume, axis, &maps, &passes, middle, |_| ()).unwrap(), 0);
    }

    fn furthest(a: &Array3<f32>, b: &Array3<f32>) -> f32 {
        assert_eq!(a.dim(), b.dim());
        a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0., f32::max)
    }

    #[test]
    fn the_identity_gives_back_a_nifti_volume_of_every_orientation_and_type() {
        let folder = tempfile::tempdir().unwrap();
        let axes = [SliceAxis::Axial, SliceAxis::Coronal, SliceAxis::Sagittal];
        for (number, (voxels, affine)) in all_48().into_iter().enumerate() {
            let (i, j, k) = voxels.dim();
            let header = NiftiHeader::for_grid(&affine, [i, j, k]);
            let original = Volume { voxels, affine, header };
            for (datatype, tolerance) in [
                (DataType::F32, 2e-4), // 24 bits of a range of 1700
                (DataType::F64, 2e-4),
                (DataType::I16, 1500. / 32767. / 2. + 1e-3),
                (DataType::U8, 1700. / 255. / 2. + 1e-3),
            ] {
                let path = folder.path().join(format!("{number}-{datatype}.nii.gz"));
                write_nifti(&path, &original, DataType::F32, Existing::Refuse).unwrap();
                let mut volume = read_nifti(&path).unwrap();
                through_identity(&mut volume, axes[number % 3], number % 2, 1 + number % 4);
                write_nifti(&path, &volume, datatype, Existing::Replace).unwrap();
                let back = read_nifti(&path).unwrap();
                let difference = furthest(&back.voxels, &original.voxels);
                assert!(difference <= tolerance, "{number} {datatype}: {difference}");
                let rows = |affine: &Affine| affine.rows().concat();
                let apart = rows(&back.affine).into_iter().zip(rows(&affine)).map(|(a, b)| (a - b).abs());
                assert!(apart.fold(0., f64::max) < 1e-5, "{number}");
            }
        }
    }

    #[test]
    fn the_identity_gives_back_a_dicom_series_of_every_orientation() {
        let folder = tempfile::tempdir().unwrap();
        for (number, (voxels, affine)) in all_48().into_iter().enumerate() {
            let series = |volume: &Volume<DicomSeries>, name: &str| {
                let place = folder.path().join(format!("{number}-{name}"));
                write_series(&place, volume, &Derivation::default(), Existing::Refuse).unwrap();
                read_series(list_series(&place).unwrap().first().unwrap()).unwrap()
            };
            let header = DicomSeries::for_grid(&number.to_string());
            let original = Volume { voxels, affine, header };
            let mut volume = series(&original, "source");
            through_identity(&mut volume, SliceAxis::Axial, 0, 3);
            let back = series(&volume, "synthetic");
            // A DICOM series has its own order of axes, so places are compared and not indices.
            let axial = |volume: &Volume<DicomSeries>| volume.slices(SliceAxis::Axial).to_owned();
            let difference = furthest(&axial(&back), &axial(&original));
            assert!(difference < 0.03, "{number}: {difference}"); // half of 1500 / 32767
            assert_eq!(Orientation::code(&back.affine).len(), 3);
        }
    }

    #[test]
    fn what_is_not_finite_is_air_and_counted() {
        let (mut voxels, affine) = stored([0, 1, 2], [false; 3]);
        voxels[[1, 2, 3]] = f32::NAN;
        voxels[[2, 2, 3]] = f32::NEG_INFINITY;
        let map = IntensityMap::new(vec![(-200., -1.), (1500., 1.)]).unwrap();
        let maps = Maps { source: map.clone(), target: map };
        let passes =
            Passes { canvas: Canvas { height_px: 8, width_px: 8, fit: Fit::Pad }, neighbours: 0, batch: 2 };
        let mut volume = Volume { voxels: voxels.clone(), affine, header: () };
        let middle = |input: Array4<f32>| Ok(input.index_axis(Axis(1), 0).to_owned());
        let count = replace_voxels(&mut volume, SliceAxis::Sagittal, &maps, &passes, middle, |_| ()).unwrap();
        assert_eq!(count, 2);
        voxels[[1, 2, 3]] = -200.;
        voxels[[2, 2, 3]] = -200.;
        assert!(furthest(&volume.voxels, &voxels) < 2e-4);
    }

    /// The real series, signed 16 bits, where it is at hand.
    #[test]
    fn the_identity_gives_back_a_real_series() {
        let Some(data) = std::env::var_os("MRI_TEST_DATA") else {
            println!("skipped: MRI_TEST_DATA is not set");
            return;
        };
        let place = std::path::Path::new(&data).join("dicom/t1w_series");
        let original = read_series(list_series(&place).unwrap().first().unwrap()).unwrap();
        let mut volume = original.clone();
        through_identity(&mut volume, SliceAxis::Axial, 0, 4);
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("synthetic");
        write_series(&place, &volume, &Derivation::default(), Existing::Refuse).unwrap();
        let back = read_series(list_series(&place).unwrap().first().unwrap()).unwrap();
        let largest = original.voxels.fold(0_f32, |most, value| most.max(value.abs()));
        let difference = furthest(&back.voxels, &original.voxels);
        assert!(difference <= largest / 32767., "{difference} of {largest}");
    }
}
