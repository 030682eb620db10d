//! Kernels compiled by NVRTC and run by the interpreter of cuda-emulator.

use candle_core::Tensor;
use cuda_emulator::ptx::Module;

use crate::data::close;
use crate::nvrtc::{Nvrtc, source};

/// An argument of a kernel. Memory is a vector; the interpreter reads and writes it by its address.
pub(crate) enum Argument<'a> {
    In(&'a [f32]),
    Out(&'a mut [f32]),
    None,
    U32(u32),
    U64(u64),
    F32(f32),
    /// A struct of numbers.
    Numbers(&'a [u32]),
}
pub(crate) use Argument::{F32, In, None as Null, Numbers, Out, U32, U64};

pub(crate) struct Kernels(Module);

impl Kernels {
    /// `None` where there is no NVRTC.
    pub(crate) fn of(file: &str) -> Option<Self> {
        let Some(nvrtc) = Nvrtc::find() else {
            eprintln!("skipped: no NVRTC here (PyPI's nvidia-cuda-nvrtc, named by NVRTC_LIBRARY, serves)");
            return None;
        };
        let program = [source("element.cuh"), source("reduce.cuh"), source(file)].concat();
        Some(Self(Module::parse(&nvrtc.compile(&program).unwrap()).unwrap()))
    }

    pub(crate) fn launch(&self, name: &str, [blocks, threads]: [u32; 2], arguments: Vec<Argument>) {
        let entry = self.0.entry(name).unwrap();
        assert_eq!(entry.parameters().len(), arguments.len(), "{name}");
        let mut bytes = vec![0; entry.parameter_bytes()];
        for (parameter, argument) in entry.parameters().iter().zip(arguments) {
            let value = match argument {
                In(v) => (v.as_ptr() as u64).to_le_bytes().to_vec(),
                Out(v) => (v.as_mut_ptr() as u64).to_le_bytes().to_vec(),
                Null => vec![0; 8],
                U32(v) => v.to_le_bytes().to_vec(),
                U64(v) => v.to_le_bytes().to_vec(),
                F32(v) => v.to_le_bytes().to_vec(),
                Numbers(v) => v.iter().flat_map(|v| v.to_le_bytes()).collect(),
            };
            assert_eq!(value.len(), parameter.size, "{name}");
            bytes[parameter.offset..][..parameter.size].copy_from_slice(&value);
        }
        entry.launch([blocks, 1, 1], [threads, 1, 1], 0, &bytes).unwrap();
    }
}

/// NaN, so that what no kernel writes is seen.
pub(crate) fn unwritten(count: usize) -> Vec<f32> {
    vec![f32::NAN; count]
}

pub(crate) fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

pub(crate) fn same(what: &str, found: &[f32], expected: &Tensor, tolerance: f32) {
    let found = Tensor::from_slice(found, expected.shape(), expected.device()).unwrap();
    assert!(values(&found).iter().all(|v| v.is_finite()), "{what}: something was not written");
    close(what, &found, expected, tolerance);
}
