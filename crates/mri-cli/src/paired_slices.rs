//! One line of a CSV of pairs as it was read: a slice in both domains, or the slices of two volumes on one grid.

use anyhow::{Context, Result, bail};
use mri_data::image::{BitDepth, Image};
use mri_data::slices::with_neighbours;
use mri_data::source::ImageRef;
use mri_data::study::VolumeRef;
use mri_data::volume::Affine;
use ndarray::{Array3, ArrayView2, Axis};

use crate::translator::{AIR, DataSettings};

/// Slices in both domains.
pub enum PairedSlices {
    /// One slice, as the network sees it: with its neighbours as channels.
    Image { images: [Image; 2], units: [Array3<f32>; 2] },
    /// Of all slices of the two volumes, in network units, those with something on them.
    Volumes { units: [Array3<f32>; 2], used: Vec<usize>, neighbours: usize },
}

/// One slice in both domains.
pub struct PairedSlice {
    /// Its place in its volume.
    pub position: Option<usize>,
    /// In file units; of volumes 0 to 1.
    pub images: [Image; 2],
    /// With its neighbours, (channels, rows, columns) in network units.
    pub units: [Array3<f32>; 2],
}

/// Coordinates of two grids may differ by so many millimetres.
const GRID_TOLERANCE_MM: f64 = 1e-3;

/// A pixel of a slice with something on it is above this in network units, and one pixel in a hundred is.
const ABOVE_AIR: f32 = -0.8;

impl PairedSlices {
    /// Number `at` of a stack of image pairs. A neighbour that is of another size or cannot be read counts as none.
    pub fn of_images(stack: &[[ImageRef; 2]], at: usize, settings: &DataSettings) -> Result<Self> {
        let read = |index: usize| -> Result<[Image; 2]> {
            let [a, b] = stack.get(index).context("there is no such line")?;
            Ok([a.read()?, b.read()?])
        };
        let images = read(at)?;
        let [(rows_a, columns_a), (rows_b, columns_b)] = images.each_ref().map(|image| image.pixels.dim());
        if (rows_a, columns_a) != (rows_b, columns_b) {
            let [a, b] = stack[at].each_ref().map(|image| image.relative().display());
            bail!("the sizes differ: {a} is {columns_a}x{rows_a} px, {b} is {columns_b}x{rows_b} px");
        }
        let is_alike = |other: &[Image; 2]| other[0].pixels.dim() == images[0].pixels.dim();
        let channels: Vec<[Image; 2]> = with_neighbours(at, stack.len(), settings.neighbours)
            .map(|index| if index == at { None } else { read(index).ok().filter(is_alike) })
            .map(|other| other.unwrap_or_else(|| images.clone()))
            .collect();
        let unit = |domain: usize| -> Result<Array3<f32>> {
            let mut units = Array3::from_elem((channels.len(), rows_a, columns_a), AIR);
            for (mut unit, images) in units.outer_iter_mut().zip(&channels) {
                let image = &images[domain];
                let map = settings.normalizers[domain]
                    .map_for(image)
                    .with_context(|| stack[at][domain].display())?;
                unit.assign(&map.unit_image(&image.pixels));
            }
            Ok(units)
        };
        Ok(Self::Image { units: [unit(0)?, unit(1)?], images })
    }

    /// Two volumes, which must lie on one grid; each is normalized as a whole.
    pub fn of_volumes(volumes: &[VolumeRef; 2], settings: &DataSettings) -> Result<Self> {
        let (a, grid_a) = unit_slices(volumes, 0, settings)?;
        let (b, grid_b) = unit_slices(volumes, 1, settings)?;
        check_grids(volumes, &grid_a, &grid_b)?;
        let has_content = |slice: ArrayView2<'_, f32>| {
            let above = slice.iter().filter(|value| **value > ABOVE_AIR).count();
            above > 0 && above * 100 >= slice.len()
        };
        let slices = a.outer_iter().zip(b.outer_iter()).enumerate();
        let used: Vec<usize> =
            slices.filter(|(_, (a, b))| has_content(*a) && has_content(*b)).map(|(at, _)| at).collect();
        if used.is_empty() {
            bail!("{} and its partner have no slice with something on it", volumes[0].display());
        }
        Ok(Self::Volumes { units: [a, b], used, neighbours: settings.neighbours })
    }

    /// How many slices.
    pub fn len(&self) -> usize {
        match self {
            Self::Image { .. } => 1,
            Self::Volumes { used, .. } => used.len(),
        }
    }

    /// Of both domains.
    pub fn depths(&self) -> [BitDepth; 2] {
        match self {
            Self::Image { images, .. } => images.each_ref().map(|image| image.depth),
            Self::Volumes { .. } => [BitDepth::Float; 2],
        }
    }

    /// The slice at `index`, which is below [`Self::len`].
    pub fn slice(&self, index: usize) -> Result<PairedSlice> {
        match self {
            Self::Image { images, units } => {
                Ok(PairedSlice { position: None, images: images.clone(), units: units.clone() })
            }
            Self::Volumes { units, used, neighbours } => {
                let position = *used.get(index).context("there is no such slice")?;
                let channels: Vec<usize> = with_neighbours(position, units[0].dim().0, *neighbours).collect();
                let units = units.each_ref().map(|of| of.select(Axis(0), &channels));
                let images = units.each_ref().map(|of| Image {
                    pixels: of.index_axis(Axis(0), *neighbours).mapv(|value| 0.5 * (value + 1.)),
                    depth: BitDepth::Float,
                });
                Ok(PairedSlice { position: Some(position), images, units })
            }
        }
    }
}

struct Grid {
    shape: (usize, usize, usize),
    affine: Affine,
}

/// All slices of a volume, (slices, rows, columns) in network units.
fn unit_slices(
    volumes: &[VolumeRef; 2],
    domain: usize,
    settings: &DataSettings,
) -> Result<(Array3<f32>, Grid)> {
    let volume = volumes[domain].read()?;
    let map = settings.normalizers[domain]
        .map_for_volume(volume.voxels.view())
        .with_context(|| volumes[domain].display())?;
    let unit = |value: f32| if value.is_finite() { map.to_unit(value).clamp(-1., 1.) } else { AIR };
    let units = volume.slices(settings.slice_axis).mapv(unit);
    Ok((units, Grid { shape: volume.voxels.dim(), affine: volume.affine }))
}

fn check_grids(volumes: &[VolumeRef; 2], a: &Grid, b: &Grid) -> Result<()> {
    let [name_a, name_b] = volumes.each_ref().map(VolumeRef::display);
    if a.shape != b.shape {
        let sizes = [a, b].map(|Grid { shape: (i, j, k), .. }| format!("{i}x{j}x{k}"));
        bail!("the grids differ: {name_a} has {} voxels, {name_b} {}", sizes[0], sizes[1]);
    }
    let numbers = |grid: &Grid| grid.affine.rows().into_iter().flatten().collect::<Vec<_>>();
    let apart = numbers(a).iter().zip(numbers(b)).map(|(a, b)| (a - b).abs()).fold(0., f64::max);
    if apart > GRID_TOLERANCE_MM || apart.is_nan() {
        bail!(
            "the grids differ: the affines of {name_a} and {name_b} are {apart:.3} mm apart; resample one to the other"
        );
    }
    Ok(())
}
