//! Unpaired samples in a fixed order, made ahead of time on threads.

use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use candle_core::{Device, Tensor};
use rand::RngExt;
use rand::seq::SliceRandom;

use crate::augment::{self, AugmentConfig};
use crate::random::stream;
use crate::slices::Slices;

/// Samples that each thread may have ready before the consumer takes them.
const READY_PER_THREAD: usize = 4;

/// Draws training samples from two domains that have nothing to do with each other.
///
/// An epoch visits each image of domain a once, in an order of its own, and draws the image of domain b at random.
/// Sample `i` of epoch `e` depends on the seed, `e` and `i` alone: not on the number of threads, nor on earlier epochs.
#[derive(Debug, Clone)]
pub struct UnpairedLoader {
    a: Slices,
    b: Slices,
    augment: AugmentConfig,
    seed: u64,
    threads: usize,
}

impl UnpairedLoader {
    /// A loader on one thread beside the consumer's.
    pub fn new(a: Slices, b: Slices, augment: AugmentConfig, seed: u64) -> Self {
        Self { a, b, augment, seed, threads: 1 }
    }

    /// How many threads prepare samples; 0 prepares them on the consumer's own.
    pub fn threads(self, threads: usize) -> Self {
        Self { threads, ..self }
    }

    /// The images of domains a and b as they are before augmentation.
    pub fn domains(&self) -> [&Slices; 2] {
        [&self.a, &self.b]
    }

    /// Samples in an epoch: the number of images of domain a.
    pub fn len(&self) -> usize {
        self.a.len()
    }

    /// Whether an epoch has no samples.
    pub fn is_empty(&self) -> bool {
        self.a.is_empty()
    }

    /// The samples of epoch `epoch`, counted from 0.
    ///
    /// # Shapes
    /// Each item is a pair of CPU tensors (channels, rows, columns) of domains a and b, `f32` in `[-1, 1]`: one channel, or
    /// the slice in the middle of its neighbours. Dropping the iterator early stops its threads.
    pub fn epoch(&self, epoch: usize) -> Samples {
        let mut order: Vec<usize> = (0..self.a.len()).collect();
        order.shuffle(&mut stream(self.seed, "order", epoch as u64));
        let plan = Arc::new(Plan { loader: self.clone(), order, epoch: epoch as u64 });
        let workers = self.threads.min(self.len());
        Samples {
            remaining: 0..self.len(),
            queues: (0..workers).map(|first| queue(&plan, first, workers)).collect(),
            plan,
        }
    }
}

struct Plan {
    loader: UnpairedLoader,
    order: Vec<usize>,
    epoch: u64,
}

impl Plan {
    fn sample(&self, item: usize) -> candle_core::Result<(Tensor, Tensor)> {
        let UnpairedLoader { a, b, seed, .. } = &self.loader;
        // An epoch has far fewer than 2^32 samples.
        let index = (self.epoch << 32) | item as u64;
        let drawn = stream(*seed, "draw", index).random_range(0..b.len());
        let of_a = self.augmented(a, self.order[item], "augment a", index)?;
        let of_b = self.augmented(b, drawn, "augment b", index)?;
        Ok((of_a, of_b))
    }

    /// The neighbours are deformed as the slice is, but have noise of their own.
    fn augmented(&self, of: &Slices, at: usize, purpose: &str, index: u64) -> candle_core::Result<Tensor> {
        let drawn = augment::sample(&self.loader.augment, &mut stream(self.loader.seed, purpose, index));
        let channels = of.channels(at).map_err(candle_core::Error::wrap)?;
        let size = channels.dim();
        let middle = size.0 / 2;
        let mut values = Vec::with_capacity(channels.len());
        for (channel, image) in channels.outer_iter().enumerate() {
            let mut parameters = drawn.clone();
            if let Some(noise) = &mut parameters.noise {
                noise.seed = noise.seed.wrapping_add((channel as u64).wrapping_sub(middle as u64));
            }
            values.extend(augment::apply(&image.to_owned(), &parameters));
        }
        Tensor::from_vec(values, size, &Device::Cpu)
    }
}

/// A thread that prepares samples `first`, `first + step`, ... in order, a few ahead of the consumer. It ends when the
/// receiver is dropped.
fn queue(plan: &Arc<Plan>, first: usize, step: usize) -> Receiver<candle_core::Result<(Tensor, Tensor)>> {
    let (sender, receiver) = sync_channel(READY_PER_THREAD);
    let plan = Arc::clone(plan);
    thread::spawn(move || {
        for item in (first..plan.order.len()).step_by(step) {
            if sender.send(plan.sample(item)).is_err() {
                return;
            }
        }
    });
    receiver
}

/// The samples of one epoch, in order.
pub struct Samples {
    plan: Arc<Plan>,
    queues: Vec<Receiver<candle_core::Result<(Tensor, Tensor)>>>,
    remaining: Range<usize>,
}

impl Iterator for Samples {
    type Item = candle_core::Result<(Tensor, Tensor)>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.remaining.next()?;
        if self.queues.is_empty() {
            return Some(self.plan.sample(item));
        }
        let taken = self.queues[item % self.queues.len()].recv();
        Some(taken.unwrap_or_else(|_| {
            Err(candle_core::Error::Msg(format!("the thread preparing sample {item} died")))
        }))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.remaining.size_hint()
    }
}

impl ExactSizeIterator for Samples {}
