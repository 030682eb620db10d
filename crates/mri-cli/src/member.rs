//! A pair of trained networks at work on slices of any size.

use anyhow::Result;
use candle_core::{Device, Tensor};
use mri_cyclegan::Translators;
use mri_data::geometry::Canvas;
use mri_data::volume::Volume;
use ndarray::{Array3, Array4, ArrayView3, Axis, concatenate, stack};

use crate::slice_passes::{AIR, Passes};
use crate::translator::VolumePass;
use crate::volume_passes::{Maps, replace_voxels};

/// Two generators, and the size that they were trained on.
pub struct Member {
    translators: Translators,
    canvas: Canvas,
    neighbours: usize,
    device: Device,
    alone: Alone,
}

/// Whether slices pass one at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alone {
    /// On the CPU, where several at once are not faster and the sums of a convolution depend in their last bits on how many
    /// images it is given; and with dropout, which goes by the place in the batch.
    Always,
    Never,
}

impl Member {
    pub fn new(translators: Translators, canvas: Canvas, neighbours: usize, device: &Device) -> Self {
        let alone = if device.is_cpu() { Alone::Always } else { Alone::Never };
        Self { translators, canvas, neighbours, device: device.clone(), alone }
    }

    /// The same networks with dropout left on, which drops by `index`.
    pub fn dropout_sample(&self, index: u64) -> Self {
        Self {
            translators: self.translators.dropout_sample(index),
            device: self.device.clone(),
            alone: Alone::Always,
            ..*self
        }
    }

    /// Translates a slice with its neighbours, network units, to domain `to`, at the size of the input. The middle channel
    /// is the translation of the slice.
    ///
    /// # Shapes
    /// (2 * neighbours + 1, rows, columns), both.
    pub fn translate_channels(&self, unit: ArrayView3<'_, f32>, to: usize) -> Result<Array3<f32>> {
        let (_, height, width) = unit.dim();
        let placement = self.passes(1).place((height, width));
        let placed: Vec<_> =
            unit.outer_iter().map(|channel| placement.forward(&channel.to_owned(), AIR)).collect();
        let views: Vec<_> = placed.iter().map(|channel| channel.view()).collect();
        let output = self.run_network(stack(Axis(0), &views)?.insert_axis(Axis(0)), to)?;
        let output = output.index_axis_move(Axis(0), 0);
        let mut translated = Array3::from_elem(unit.dim(), AIR);
        for (mut channel, on_canvas) in translated.outer_iter_mut().zip(output.outer_iter()) {
            channel.assign(&placement.inverse(&on_canvas.to_owned(), AIR));
        }
        Ok(translated)
    }

    /// Translates the voxels of `volume` in place: see [`replace_voxels`].
    pub fn replace_voxels<H>(
        &self,
        volume: &mut Volume<H>,
        to: usize,
        settings: VolumePass,
        maps: &Maps,
        done: impl FnMut(usize),
    ) -> Result<usize> {
        let middle = |output: Array4<f32>| output.index_axis_move(Axis(1), self.neighbours);
        let network = |input| Ok(middle(self.run_network(input, to)?));
        let VolumePass { axis, batch } = settings;
        replace_voxels(volume, axis, maps, &self.passes(batch), network, done)
    }

    fn passes(&self, batch: usize) -> Passes {
        Passes { canvas: self.canvas, neighbours: self.neighbours, batch }
    }

    /// Slices through the network, as it sees them.
    ///
    /// # Shapes
    /// (N, C, H, W) to the same.
    fn run_network(&self, input: Array4<f32>, to: usize) -> Result<Array4<f32>> {
        if self.alone == Alone::Never || input.len_of(Axis(0)) == 1 {
            return self.run_batch(input, to);
        }
        let alone = |slice: ArrayView3<'_, f32>| self.run_batch(slice.to_owned().insert_axis(Axis(0)), to);
        let outputs = input.outer_iter().map(alone).collect::<Result<Vec<_>>>()?;
        let views: Vec<_> = outputs.iter().map(|output| output.view()).collect();
        Ok(concatenate(Axis(0), &views)?)
    }

    fn run_batch(&self, input: Array4<f32>, to: usize) -> Result<Array4<f32>> {
        let dims = input.dim();
        let (values, _) = input.into_raw_vec_and_offset();
        let x = Tensor::from_vec(values, dims, &self.device)?;
        let y = if to == 1 { self.translators.a_to_b(&x)? } else { self.translators.b_to_a(&x)? };
        Ok(Array4::from_shape_vec(dims, y.flatten_all()?.to_vec1()?)?)
    }
}
