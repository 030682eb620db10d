//! Values of the device beside those of the CPU.

use candle_core::{DType, Device, Result, Tensor, Var};
use mri_kernels::{Backward, by_candle};
use std::process::ExitCode;

/// f32 against f32.
pub(crate) const F32: f64 = 1e-4;
/// bf16 on the device against f32 on the CPU.
pub(crate) const BF16: f64 = 2e-2;

/// The results so far.
pub(crate) struct Report {
    wanted: Vec<String>,
    run: usize,
    failed: Vec<String>,
}

impl Report {
    pub(crate) fn new(wanted: Vec<String>) -> Self {
        Self { wanted, run: 0, failed: Vec::new() }
    }

    /// Runs a check whose name is wanted: `check` gives the distance found.
    pub(crate) fn expect(&mut self, name: &str, allowed: f64, check: impl FnOnce() -> Result<f64>) {
        if !self.wanted.is_empty() && !self.wanted.iter().any(|part| name.contains(part.as_str())) {
            return;
        }
        self.run += 1;
        let (verdict, found) = match check() {
            // A NaN is no distance.
            Ok(distance) if distance <= allowed => ("ok    ", format!("{distance:.1e}")),
            Ok(distance) => ("FAILED", format!("{distance:.1e}")),
            Err(error) => ("FAILED", error.to_string()),
        };
        println!("{verdict} {name}: {found} (allowed {allowed:.0e})");
        if verdict == "FAILED" {
            self.failed.push(name.to_owned());
        }
    }

    pub(crate) fn summary(&self) -> ExitCode {
        println!("{} checks, {} failed", self.run, self.failed.len());
        for name in &self.failed {
            println!("failed: {name}");
        }
        if self.run > 0 && self.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// ‖found - expected‖ / ‖expected‖; NaN where anything found is.
pub(crate) fn distance(found: &Tensor, expected: &Tensor) -> Result<f64> {
    if found.dims() != expected.dims() {
        candle_core::bail!("the shape is {:?} and should be {:?}", found.shape(), expected.shape())
    }
    let on_cpu =
        |t: &Tensor| t.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>();
    let (found, expected) = (on_cpu(found)?, on_cpu(expected)?);
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let size = norm(&mut expected.iter().copied());
    let difference = norm(&mut found.iter().zip(&expected).map(|(f, e)| f - e));
    Ok(if difference == 0. { 0. } else { difference / size.max(1e-12) })
}

/// The greatest distance of any of the tensors.
pub(crate) fn greatest(found: &[Tensor], expected: &[Tensor]) -> Result<f64> {
    let mut greatest = 0f64;
    for (found, expected) in found.iter().zip(expected) {
        let distance = distance(found, expected)?;
        if distance.is_nan() {
            return Ok(f64::NAN);
        }
        greatest = greatest.max(distance);
    }
    Ok(greatest)
}

/// A function's output and its gradients in all `inputs`, for a random gradient of the output, by two runs of one
/// [`Backward`], whose second overwrites the memory of the first.
pub(crate) fn with_gradients(
    device: &Device,
    inputs: &[Tensor],
    f: impl Fn(&[Tensor]) -> Result<Tensor>,
) -> Result<Vec<Tensor>> {
    let variables: Vec<Var> =
        inputs.iter().map(|t| Var::from_tensor(&t.to_device(device)?)).collect::<Result<_>>()?;
    let tensors: Vec<Tensor> = variables.iter().map(|v| v.as_tensor().clone()).collect();
    let mut backward = Backward::default();
    let mut results = Vec::new();
    for _ in 0..2 {
        let (_, y, gradients) = backward.run(|| projected(f(&tensors)?))?;
        results = vec![y];
        for (i, variable) in variables.iter().enumerate() {
            let Some(gradient) = gradients.get(variable) else {
                candle_core::bail!("input {i} received no gradient")
            };
            results.push(gradient.copy()?);
        }
        backward.reuse(gradients);
    }
    Ok(results)
}

/// The sum of `y` times random numbers, which gives every element of `y` a gradient of its own; and `y`.
pub(crate) fn projected(y: Tensor) -> Result<(Tensor, Tensor)> {
    let direction = noise(99, y.dims())?.to_device(y.device())?;
    Ok((by_candle(&[&y], |y| y[0].mul(&direction)?.sum_all())?, y))
}

/// Values in [-1, 1] from a hash of (seed, index), all of them [`representable`].
pub(crate) fn noise(seed: u64, shape: &[usize]) -> Result<Tensor> {
    let value = |i: u64| {
        let mut z = (seed << 40 ^ i).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z >> 40) as f32 / (1 << 23) as f32 - 1.
    };
    let values: Vec<f32> = (0..shape.iter().product::<usize>() as u64).map(value).collect();
    representable(&Tensor::from_vec(values, shape, &Device::Cpu)?)
}

/// The nearest values that bf16 has: then a sign that the CPU sees is the sign that bf16 sees.
pub(crate) fn representable(tensor: &Tensor) -> Result<Tensor> {
    tensor.to_dtype(DType::BF16)?.to_dtype(DType::F32)
}
