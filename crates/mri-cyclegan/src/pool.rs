//! The image pool: a history of generated images for the discriminators (Shrivastava et al. 2017).

use candle_core::{Result, Tensor};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Up to `capacity` generated images of the past. Once full, every incoming image is answered, with equal chance, by
/// itself or by a stored image that it then replaces. A capacity of 0 answers every image by itself.
#[derive(Debug, Clone)]
pub struct ImagePool {
    capacity: usize,
    images: Vec<Tensor>,
}

impl ImagePool {
    /// An empty pool.
    pub fn new(capacity: usize) -> Self {
        Self { capacity, images: Vec::new() }
    }

    /// The stored images, oldest place first, each (1,C,H,W).
    pub fn images(&self) -> &[Tensor] {
        &self.images
    }

    pub(crate) fn restore(&mut self, images: Vec<Tensor>) {
        self.images = images;
    }

    /// Exchanges a batch (N,C,H,W) for one of the same shape, drawn from `rng`. Images of another size than the batch
    /// (a run may mix sizes) are passed over: the incoming image answers for itself and takes the place.
    pub fn exchange(&mut self, batch: &Tensor, rng: &mut ChaCha8Rng) -> Result<Tensor> {
        if self.capacity == 0 {
            return Ok(batch.clone());
        }
        let mut answer = Vec::with_capacity(batch.dim(0)?);
        for image in batch.chunk(batch.dim(0)?, 0)? {
            // A copy of this image alone: `copy` would take what it is a view of along.
            let image = image.force_contiguous()?.detach();
            if self.images.len() < self.capacity {
                self.images.push(image.clone());
                answer.push(image);
            } else if rng.random_bool(0.5) {
                let place = rng.random_range(0..self.capacity);
                let stored = std::mem::replace(&mut self.images[place], image.clone());
                answer.push(if stored.shape() == image.shape() { stored } else { image });
            } else {
                answer.push(image);
            }
        }
        Tensor::cat(&answer, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use rand::SeedableRng;

    fn image(value: f32) -> Result<Tensor> {
        Tensor::full(value, (1, 1, 2, 2), &Device::Cpu)
    }

    fn value(t: &Tensor) -> Result<f32> {
        t.mean_all()?.to_scalar()
    }

    #[test]
    fn fills_then_swaps_half_the_time() -> Result<()> {
        let mut pool = ImagePool::new(4);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for i in 0..4 {
            assert_eq!(value(&pool.exchange(&image(i as f32)?, &mut rng)?)?, i as f32);
        }
        let mut from_history = 0;
        for i in 4..1004 {
            let answer = value(&pool.exchange(&image(i as f32)?, &mut rng)?)?;
            assert!(answer <= i as f32);
            from_history += usize::from(answer < i as f32);
        }
        assert!((420..580).contains(&from_history), "{from_history}");
        assert_eq!(pool.images().len(), 4);
        Ok(())
    }

    #[test]
    fn no_capacity_is_no_history() -> Result<()> {
        let mut pool = ImagePool::new(0);
        let batch = Tensor::cat(&[image(1.)?, image(2.)?], 0)?;
        let answer = pool.exchange(&batch, &mut ChaCha8Rng::seed_from_u64(1))?;
        assert_eq!(answer.flatten_all()?.to_vec1::<f32>()?, batch.flatten_all()?.to_vec1::<f32>()?);
        Ok(())
    }
}
