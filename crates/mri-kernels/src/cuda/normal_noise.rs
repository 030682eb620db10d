//! Normal noise, drawn on the device.

use candle_core::cuda_backend::CudaStorage;
use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Tensor, bail};

use super::launch::{Argument, Grid, Kernel, launch};
use super::operand::{address, count, pointer, uninitialized};
use crate::recording::{apply1, contiguous};

/// Threads of a block, and the candidates for a pair of deviates that they make at once; the kernels have the same numbers.
const THREADS: u32 = 256;
const TILE: f64 = 4. * THREADS as f64;
const MOST_BLOCKS: u32 = 1024;
/// The share of candidates that is accepted: a circle's of its square.
const ACCEPTED: f64 = std::f64::consts::FRAC_PI_4;

pub(crate) fn normal_noise(x: &Tensor, deviation: f32, key: [u8; 32]) -> Result<Tensor> {
    apply1(&contiguous(x)?, NormalNoise { deviation, key })
}

struct NormalNoise {
    deviation: f32,
    key: [u8; 32],
}

impl NormalNoise {
    fn key_arguments(&self) -> impl Iterator<Item = Argument> {
        let (words, _) = self.key.as_chunks();
        words.iter().map(|&word| Argument::U64(u64::from_le_bytes(word)))
    }
}

impl CustomOp1 for NormalNoise {
    fn name(&self) -> &'static str {
        "normal-noise"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        bail!("mri-kernels: a CUDA operation on the CPU")
    }

    fn cuda_fwd(&self, x: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let (device, shape) = (&x.device, layout.shape());
        let y = uninitialized(device, DType::F32, shape)?;
        let count = count(shape.elem_count())?;
        let tiles = (f64::from(count.div_ceil(2)) / ACCEPTED / TILE).ceil() as u32;
        let tiles_per_block = tiles.div_ceil(MOST_BLOCKS).max(1);
        let grid = Grid { blocks: tiles.div_ceil(tiles_per_block).max(1), threads: THREADS };
        // SAFETY: the first launch writes what the second reads.
        let counts = unsafe { device.alloc::<u32>(grid.blocks as usize)? };
        let of_blocks = [Argument::Pointer(address(&counts)), Argument::U32(tiles_per_block)];

        let arguments: Vec<_> = self.key_arguments().chain(of_blocks).collect();
        // SAFETY: one count a block.
        unsafe { launch(device, Kernel::Named("count_normals"), grid, &arguments)? };

        let mut arguments = vec![pointer(x, layout)?, pointer(&y, &Layout::contiguous(shape))?];
        arguments.push(Argument::F32(self.deviation));
        arguments.extend(self.key_arguments().chain(of_blocks));
        arguments.push(Argument::U32(count));
        // SAFETY: x and y have as many elements as the shape, and the last block writes whatever the others do not.
        unsafe { launch(device, Kernel::Named("normal_noise"), grid, &arguments)? };
        Ok((y, shape.clone()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(dy.clone()))
    }
}
