//! Adam and moving averages: one launch for all tensors, which finds them in a table on the device.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use candle_core::cuda_backend::cudarc::driver::CudaSlice;
use candle_core::cuda_backend::{CudaDevice, DeviceId};
use candle_core::{Result, Tensor, Var, bail};

use super::launch::{Argument, Grid, Kernel, launch};
use super::operand::{address, count, tensor_pointer};
use crate::{Adam, AdamSlot};

/// Elements that one block updates; the kernels have the same number.
const CHUNK: usize = 16384;
const THREADS: u32 = 512;

pub(crate) fn adam_update(slots: &[AdamSlot], adam: &Adam, loss: &Tensor) -> Result<()> {
    let Some(first) = slots.first() else { return Ok(()) };
    let device = first.parameter.device().as_cuda_device()?;
    let gradients = slots.iter().map(|slot| slot.gradient.contiguous()).collect::<Result<Vec<_>>>()?;
    let mut words = Vec::with_capacity(6 * slots.len());
    for (slot, gradient) in slots.iter().zip(&gradients) {
        for tensor in [slot.parameter.as_tensor(), gradient, slot.first_moment, slot.second_moment] {
            words.push(word(&tensor_pointer(tensor)?)?);
        }
        words.extend([gradient.elem_count() as u64, u64::from((slot.rate_factor as f32).to_bits())]);
    }
    let lengths = slots.iter().map(|slot| slot.parameter.elem_count());
    let table = Table::of(device, words, lengths)?;
    let step = adam.step as f64;
    let first_correction = 1. - adam.beta1.powf(step);
    let second_correction = 1. - adam.beta2.powf(step);
    let mut arguments = table.arguments().to_vec();
    arguments.push(tensor_pointer(loss)?);
    let numbers = [
        adam.learning_rate / first_correction,
        adam.beta1,
        adam.beta2,
        1. - adam.beta1,
        1. - adam.beta2,
        1. / second_correction.sqrt(),
        adam.eps,
    ];
    arguments.extend(numbers.map(|v| Argument::F32(v as f32)));
    let grid = Grid { blocks: table.chunks, threads: THREADS };
    // SAFETY: the table holds the tensors as the kernel reads them; all f32 and contiguous, checked by the caller.
    unsafe { launch(device, Kernel::Named("adam"), grid, &arguments) }
}

pub(crate) fn move_toward(pairs: &[(&Var, &Var)], share: f64) -> Result<()> {
    let Some((first, _)) = pairs.first() else { return Ok(()) };
    let device = first.device().as_cuda_device()?;
    let mut words = Vec::with_capacity(3 * pairs.len());
    for (average, target) in pairs {
        words.extend([
            word(&tensor_pointer(average)?)?,
            word(&tensor_pointer(target)?)?,
            average.elem_count() as u64,
        ]);
    }
    let table = Table::of(device, words, pairs.iter().map(|(average, _)| average.elem_count()))?;
    let mut arguments = table.arguments().to_vec();
    arguments.push(Argument::F32(share as f32));
    let grid = Grid { blocks: table.chunks, threads: THREADS };
    // SAFETY: as in `adam_update`.
    unsafe { launch(device, Kernel::Named("move_toward"), grid, &arguments) }
}

fn word(argument: &Argument) -> Result<u64> {
    match argument {
        Argument::Pointer(address) => Ok(*address),
        _ => bail!("mri-kernels: expected an address"),
    }
}

/// The tensors of a launch, and which of them and which part of it each block is to update.
struct Table {
    words: CudaSlice<u64>,
    tensor_words: usize,
    chunks: u32,
}

thread_local! {
    /// Tables of former launches, by content: the tensors of a training stay where they are, so each is uploaded once.
    static TABLES: RefCell<HashMap<DeviceId, HashMap<Vec<u64>, Rc<Table>>>> = RefCell::default();
}

/// A training has three tables; gradients that move from step to step must not fill the memory with theirs.
const KEPT: usize = 8;

impl Table {
    fn of(
        device: &CudaDevice,
        mut words: Vec<u64>,
        lengths: impl Iterator<Item = usize>,
    ) -> Result<Rc<Self>> {
        let tensor_words = words.len();
        for (tensor, length) in lengths.enumerate() {
            // Two u32: the tensor, then the number of the chunk.
            words.extend((0..length.div_ceil(CHUNK)).map(|chunk| tensor as u64 | (chunk as u64) << 32));
        }
        let kept = |tables: &mut HashMap<DeviceId, HashMap<_, Rc<Self>>>| {
            tables.entry(device.id()).or_default().get(&words).cloned()
        };
        if let Some(table) = TABLES.with_borrow_mut(kept) {
            return Ok(table);
        }
        let chunks = count(words.len() - tensor_words)?;
        let table = Rc::new(Self { words: device.clone_htod(&words)?, tensor_words, chunks });
        TABLES.with_borrow_mut(|tables| {
            let tables = tables.entry(device.id()).or_default();
            if tables.len() >= KEPT {
                tables.clear();
            }
            tables.insert(words, table.clone());
        });
        Ok(table)
    }

    fn arguments(&self) -> [Argument; 2] {
        let base = address(&self.words);
        [Argument::Pointer(base), Argument::Pointer(base + (self.tensor_words * size_of::<u64>()) as u64)]
    }
}
