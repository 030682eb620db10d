//! Several translations of one image: their mean, and how far they lie apart.
//!
//! They come from models that differ in their seed (deep ensembles: Lakshminarayanan, Pritzel and Blundell, NeurIPS 2017) or
//! from one whose dropout is left on (Gal and Ghahramani, ICML 2016).

use std::path::PathBuf;

use anyhow::Result;
use candle_core::Device;
use ndarray::{Array, Dimension, Zip};

use crate::translator::{DROPOUT_SAMPLES, Translator};

/// Which models translate, and whether their uncertainty is asked for.
#[derive(Debug, clap::Args)]
pub struct Models {
    /// Run folder or model file; several (trained with different seeds) translate as an ensemble, by the mean of what they
    /// make
    #[arg(long = "model", value_name = "RUN|FILE", required = true)]
    pub paths: Vec<PathBuf>,
    /// Also say how far the models lie apart: translate writes a map of their standard deviation beside each output,
    /// evaluate holds it against the errors. One model alone must be trained with dropout, and is then the mean of 8 samples
    #[arg(long)]
    pub uncertainty: bool,
}

impl Models {
    /// All of them, as one translator.
    pub fn open(&self, device: &Device) -> Result<Translator> {
        match (self.paths.as_slice(), self.uncertainty) {
            ([one], true) => Translator::load(one, device)?.by_dropout(),
            (several, _) => Translator::ensemble(several, device),
        }
    }
}

/// What the members of an ensemble say of one image: no `sd` where there is one member alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate<D: Dimension> {
    pub mean: Array<f32, D>,
    /// Sample standard deviation over the members (n - 1), in the units of the mean.
    pub sd: Option<Array<f32, D>>,
}

/// Mean and sum of squared deviations of arrays that come one at a time (Welford, Technometrics 4(3), 1962).
pub struct Spread<D: Dimension> {
    count: usize,
    mean: Array<f32, D>,
    squares: Array<f32, D>,
}

impl<D: Dimension> Spread<D> {
    /// Of the first array.
    pub fn of(first: Array<f32, D>) -> Self {
        Self { count: 1, squares: Array::zeros(first.raw_dim()), mean: first }
    }

    /// Another array, of the shape of the first.
    pub fn add(&mut self, next: &Array<f32, D>) {
        self.count += 1;
        let count = self.count as f32;
        Zip::from(&mut self.mean).and(&mut self.squares).and(next).for_each(|mean, squares, &value| {
            let before = value - *mean;
            *mean += before / count;
            *squares += before * (value - *mean);
        });
    }

    pub fn estimate(self) -> Estimate<D> {
        let Self { count, mean, squares } = self;
        let sd = (count > 1).then(|| squares.mapv_into(|squares| (squares / (count - 1) as f32).sqrt()));
        Estimate { mean, sd }
    }
}

const _: () = assert!(DROPOUT_SAMPLES == 8, "the help of --uncertainty names the number");

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, array};

    #[test]
    fn one_alone_is_its_own_mean_to_the_bit_and_has_no_spread() {
        let image = array![0.1_f32, -3e7, 2e-20];
        assert_eq!(Spread::of(image.clone()).estimate(), Estimate { mean: image, sd: None });
    }

    /// `np.mean` and `np.std(ddof=1)` of the same four rows, far from zero.
    #[test]
    fn mean_and_standard_deviation_are_those_of_numpy() {
        let rows = [[1000.25_f32, -2.0], [1000.75, 0.5], [1001.5, 0.5], [999.0, 7.0]];
        let [first, rest @ ..] = rows.map(|row| Array1::from(row.to_vec()));
        let mut spread = Spread::of(first);
        rest.iter().for_each(|row| spread.add(row));
        let Estimate { mean, sd } = spread.estimate();
        for (found, expected) in mean.iter().chain(&sd.unwrap()).zip([1000.375, 1.5, 1.050_793, 3.851_407]) {
            assert!((found - expected).abs() < 1e-4, "{found} {expected}");
        }
    }
}
