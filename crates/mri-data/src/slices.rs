//! Slices made ready for a network, and kept on the disk.

use std::path::PathBuf;
use std::sync::Arc;

use ndarray::{Array2, Array3, ArrayView3, Axis};

use crate::DataError;
use crate::geometry::Canvas;
use crate::image::{BitDepth, Image};
use crate::manifest::Slice;
use crate::normalize::{IntensityMap, Normalization, Normalizer};
use crate::one_each::one_each;
use crate::scratch::{Kept, Scratch, default_folder};
use crate::study::Study;
use crate::volume::SliceAxis;

/// Prepared slices: each in network units, clipped to `[-1, 1]`, on one canvas. They lie in a [`Scratch`] of 4 bytes a
/// pixel, and in memory only while they are looked at. Cloning shares the file.
#[derive(Debug, Clone)]
pub struct Slices {
    scratch: Arc<Scratch>,
    images: Arc<[Placed]>,
    neighbours: usize,
}

#[derive(Debug, Clone, Copy)]
struct Placed {
    kept: Kept,
    /// First and last index of its stack.
    stack: (usize, usize),
}

/// How [`Slices::load`] prepares.
#[derive(Debug, Clone)]
pub struct Preparation<'a> {
    /// Of the domain.
    pub normalizer: &'a Normalizer,
    /// What the network sees.
    pub canvas: &'a Canvas,
    /// Slices on each side that go with each one as further channels.
    pub neighbours: usize,
    /// The folder for the temporary file.
    pub scratch: PathBuf,
}

impl<'a> Preparation<'a> {
    /// Single slices, kept in the [default folder](default_folder).
    pub fn new(normalizer: &'a Normalizer, canvas: &'a Canvas) -> Self {
        Self { normalizer, canvas, neighbours: 0, scratch: default_folder() }
    }
}

impl Slices {
    /// Slices that are prepared already, all of one size, without neighbours; kept in the
    /// [default folder](default_folder).
    ///
    /// # Errors
    /// [`DataError::Setting`] for no images or images of different sizes, [`DataError::Io`].
    pub fn new(images: Vec<Array2<f32>>) -> Result<Self, DataError> {
        let scratch = Scratch::in_folder(&default_folder())?;
        let keep = |(index, image): (usize, &Array2<f32>)| {
            Ok(Placed { kept: scratch.keep(image.view())?, stack: (index, index) })
        };
        let images = images.iter().enumerate().map(keep).collect::<Result<Vec<_>, DataError>>()?;
        Self::of(scratch, images, 0)
    }

    /// Reads slices, in parallel, normalizes each image, or each volume as a whole, with its own map and places the slices
    /// on the canvas, -1 around them.
    ///
    /// # Errors
    /// Those of reading, of [`Normalizer::map_for`], with the name of the file, and of a full disk.
    pub fn load(slices: &[Slice], preparation: Preparation<'_>) -> Result<Self, DataError> {
        let Preparation { normalizer, canvas, neighbours, scratch } = preparation;
        let scratch = Scratch::in_folder(&scratch)?;
        let kept = visit(slices, normalizer, |seen| {
            let on_canvas = canvas.place(seen.pixels.dim()).forward(&seen.unit(), -1.0);
            scratch.keep(on_canvas.view())
        })?;
        let mut images = Vec::with_capacity(kept.len());
        for stack in slices.chunk_by(Slice::is_of_stack_of) {
            let (first, last) = (images.len(), images.len() + stack.len() - 1);
            images.extend(kept[first..=last].iter().map(|&kept| Placed { kept, stack: (first, last) }));
        }
        Self::of(scratch, images, neighbours)
    }

    fn of(scratch: Scratch, images: Vec<Placed>, neighbours: usize) -> Result<Self, DataError> {
        let refused = |reason: String| Err(DataError::Setting { setting: "slices", reason });
        let Some(first) = images.first().map(|image| image.kept.size()) else {
            return refused("there are none".into());
        };
        if let Some(other) = images.iter().find(|image| image.kept.size() != first) {
            return refused(format!("sizes differ: {first:?} and {:?}", other.kept.size()));
        }
        Ok(Self { scratch: Arc::new(scratch), images: images.into(), neighbours })
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// Never: there is at least one.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// (rows, columns) of every image.
    pub fn size(&self) -> (usize, usize) {
        self.images.first().map_or((0, 0), |image| image.kept.size())
    }

    /// Slice `index` alone.
    ///
    /// # Shapes
    /// (rows, columns) of the canvas, values in `[-1, 1]`.
    ///
    /// # Errors
    /// [`DataError::Setting`] where there is none, [`DataError::Io`].
    pub fn image(&self, index: usize) -> Result<Array2<f32>, DataError> {
        self.scratch.read(self.placed(index)?.kept)
    }

    /// Slice `index` between its neighbours in its stack (its volume, or the images of its subject), in their order. At the
    /// ends of the stack the last one is repeated.
    ///
    /// # Shapes
    /// (2 * neighbours + 1, rows, columns) of the canvas, values in `[-1, 1]`.
    ///
    /// # Errors
    /// As [`Self::image`].
    pub fn channels(&self, index: usize) -> Result<Array3<f32>, DataError> {
        let (first, last) = self.placed(index)?.stack;
        let (rows, columns) = self.size();
        let mut channels = Array3::zeros((2 * self.neighbours + 1, rows, columns));
        for (offset, mut channel) in channels.outer_iter_mut().enumerate() {
            let at = (index + offset).saturating_sub(self.neighbours).clamp(first, last);
            channel.assign(&self.image(at)?);
        }
        Ok(channels)
    }

    fn placed(&self, index: usize) -> Result<&Placed, DataError> {
        self.images.get(index).ok_or_else(|| {
            let reason = format!("there is no slice {index} of {}", self.len());
            DataError::Setting { setting: "slices", reason }
        })
    }
}

/// A slice between its neighbours in a stack of slices: `2 * neighbours + 1` indices, the ends repeated.
///
/// ```
/// use mri_data::slices::with_neighbours;
/// assert_eq!(with_neighbours(0, 9, 2).collect::<Vec<_>>(), [0, 0, 0, 1, 2]);
/// assert_eq!(with_neighbours(8, 9, 1).collect::<Vec<_>>(), [7, 8, 8]);
/// ```
pub fn with_neighbours(index: usize, count: usize, neighbours: usize) -> impl Iterator<Item = usize> {
    let last = count.saturating_sub(1);
    (0..=2 * neighbours).map(move |offset| (index + offset).saturating_sub(neighbours).min(last))
}

/// A slice as it was read, with its map to network units.
#[derive(Debug)]
pub struct Seen<'a> {
    /// In units of the file; of a volume as it is, with what is not finite.
    pub pixels: Array2<f32>,
    /// Depth of the file.
    pub depth: BitDepth,
    map: &'a IntensityMap,
}

impl Seen<'_> {
    /// What a network sees: values in `[-1, 1]`; what is not finite is air.
    pub fn unit(&self) -> Array2<f32> {
        let unit =
            |value: f32| if value.is_finite() { self.map.to_unit(value).clamp(-1.0, 1.0) } else { -1.0 };
        self.pixels.mapv(unit)
    }

    /// The image to compare with others: of an image file as it is, of a volume 0 (air) to 1 by the normalization of the
    /// volume.
    pub fn into_image(self) -> Image {
        match self.depth {
            BitDepth::Float => {
                Image { pixels: self.unit().mapv(|value| 0.5 * (value + 1.0)), depth: self.depth }
            }
            depth => Image { pixels: self.pixels, depth },
        }
    }
}

/// `look` at every slice, in parallel; the results are in the order of `slices`. A file is read once where its slices
/// follow each other, and at most one for each thread is in memory.
///
/// # Errors
/// Those of reading, of [`Normalizer::map_for`] and [`Normalizer::map_for_volume`], with the name of the file, and of
/// `look`.
pub fn visit<R: Send>(
    slices: &[Slice],
    normalizer: &Normalizer,
    look: impl Fn(Seen<'_>) -> Result<R, DataError> + Sync,
) -> Result<Vec<R>, DataError> {
    let of_file = |slices: &&[Slice]| -> Result<Vec<R>, DataError> {
        let Some(Slice { study, entry, .. }) = slices.first() else { return Ok(Vec::new()) };
        let named = |problem| DataError::image(study.display(), problem);
        match &**study {
            Study::Image(source) => {
                let Image { pixels, depth } = source.read()?;
                let image = Image { pixels, depth };
                let map = normalizer.map_for(&image).map_err(named)?;
                Ok(vec![look(Seen { pixels: image.pixels, depth, map: &map })?])
            }
            Study::Volume(source) => {
                let axis = entry.volume.as_ref().map_or(SliceAxis::default(), |volume| volume.axis);
                let volume = source.read()?;
                let map = normalizer.map_for_volume(volume.voxels.view()).map_err(named)?;
                let stack = volume.slices(axis);
                let seen = |slice: &Slice| {
                    look(Seen { pixels: at(stack, slice)?, depth: BitDepth::Float, map: &map })
                };
                slices.iter().map(seen).collect()
            }
        }
    };
    let files: Vec<&[Slice]> = slices.chunk_by(|a, b| Arc::ptr_eq(&a.study, &b.study)).collect();
    Ok(one_each(&files, of_file)?.into_iter().flatten().collect())
}

fn at(stack: ArrayView3<'_, f32>, slice: &Slice) -> Result<Array2<f32>, DataError> {
    let position = slice.position.unwrap_or_default() as usize;
    if position < stack.dim().0 {
        return Ok(stack.index_axis(Axis(0), position).to_owned());
    }
    let reason = format!("{} has only {} slices: the file has changed", slice.study.display(), stack.dim().0);
    Err(DataError::Setting { setting: "slices", reason })
}

/// Reads `slices`, in parallel, and fits a normalization on them: on each image, or on each volume as a whole. At most one
/// for each thread is in memory.
///
/// # Errors
/// Those of reading and of [`Normalization::fit_landmarks`].
pub fn fit_normalizer(normalization: &Normalization, slices: &[Slice]) -> Result<Normalizer, DataError> {
    let mut files: Vec<&Slice> = slices.iter().collect();
    files.dedup_by(|a, b| Arc::ptr_eq(&a.study, &b.study));
    let landmarks = |slice: &&Slice| {
        let found = match &*slice.study {
            Study::Image(source) => normalization.landmarks_of(&source.read()?),
            Study::Volume(source) => normalization.landmarks_of_volume(source.read()?.voxels.view()),
        };
        found.map_err(|problem| DataError::image(slice.study.display(), problem))
    };
    normalization.fit_landmarks(&one_each(&files, landmarks)?)
}
