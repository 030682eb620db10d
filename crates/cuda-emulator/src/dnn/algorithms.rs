//! The algorithms that cuDNN offers for a convolution. Here they differ in name, workspace and promise alone.

use super::handle::require;
use super::problem::Problem;
use super::{NOT_SUPPORTED, dnn};
use crate::boundary::Out;
use crate::failure::{Failure, Outcome};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    Forward,
    BackwardData,
    BackwardFilter,
}

/// `cudnnConvolutionFwdAlgoPerf_t` and its two sisters.
#[repr(C)]
pub(super) struct Performance {
    algorithm: i32,
    status: i32,
    milliseconds: f32,
    workspace_bytes: usize,
    is_deterministic: i32,
    math: i32,
    reserved: [i32; 3],
}

impl Pass {
    /// Those that are offered, in the order in which cuDNN's heuristics put them here: the first is not always one whose
    /// results repeat.
    fn order(self) -> &'static [i32] {
        match self {
            Self::Forward => &[1, 0, 2, 6, 7, 3, 4, 5],
            Self::BackwardData => &[0, 1, 4, 5, 2, 3],
            Self::BackwardFilter => &[0, 1, 3, 5, 2, 4, 6],
        }
    }

    fn is_deterministic(self, algorithm: i32) -> bool {
        match self {
            Self::Forward => true,
            Self::BackwardData => algorithm != 0,
            Self::BackwardFilter => !matches!(algorithm, 0 | 3),
        }
    }

    /// Workspace, for an algorithm that can solve the problem.
    pub(super) fn workspace_bytes(self, algorithm: i32, problem: &Problem) -> Result<usize, Failure> {
        const NONE: usize = 0;
        let columns = problem.taps() * problem.output_pixels() * size_of::<f32>();
        let indices = (problem.taps() + problem.output_pixels()) * size_of::<u64>();
        let filters = problem.w.bytes().max(problem.taps() * size_of::<f32>());
        let bytes = match (self, algorithm) {
            (Self::Forward, 0) | (Self::BackwardData | Self::BackwardFilter, 0) => NONE,
            (Self::Forward | Self::BackwardData, 1) => indices,
            (Self::Forward, 2) => columns,
            (Self::BackwardFilter, 1) => filters,
            (Self::BackwardFilter, 3) => filters + indices,
            (Self::Forward, 6) | (Self::BackwardData, 4) if problem.suits_winograd(&[3]) => NONE,
            (Self::Forward, 7) | (Self::BackwardData | Self::BackwardFilter, 5)
                if problem.suits_winograd(&[3, 5]) =>
            {
                4 * (problem.x.bytes() + problem.y.bytes()) + 16 * filters
            }
            _ => return Err(Failure::NOT_SUPPORTED),
        };
        Ok(bytes.next_multiple_of(256))
    }

    fn list(self, problem: &Problem, wanted: i32, returned: Out<i32>, results: Out<Performance>) -> Outcome {
        let wanted =
            usize::try_from(wanted).ok().filter(|wanted| *wanted > 0).ok_or(Failure::INVALID_VALUE)?;
        let (able, unable): (Vec<_>, Vec<_>) =
            self.order().iter().partition(|&&algorithm| self.workspace_bytes(algorithm, problem).is_ok());
        let listed = able.into_iter().chain(unable).take(wanted);
        let mut count = 0;
        for (index, &algorithm) in listed.enumerate() {
            let workspace_bytes = self.workspace_bytes(algorithm, problem);
            let performance = Performance {
                algorithm,
                status: if workspace_bytes.is_ok() { 0 } else { NOT_SUPPORTED },
                milliseconds: -1.0,
                workspace_bytes: workspace_bytes.unwrap_or(0),
                is_deterministic: i32::from(self.is_deterministic(algorithm)),
                math: problem.convolution.math,
                reserved: [0; 3],
            };
            results.set_at(index, performance)?;
            count += 1;
        }
        returned.set(count)
    }
}

impl Problem {
    fn suits_winograd(&self, sides: &[usize]) -> bool {
        let [.., r, s] = self.w.dimensions;
        let convolution = &self.convolution;
        r == s && sides.contains(&r) && convolution.stride == [1, 1] && convolution.dilation == [1, 1]
    }
}

#[unsafe(no_mangle)]
extern "C" fn cudnnGetConvolutionForwardAlgorithmMaxCount(handle: usize, count: Out<i32>) -> i32 {
    dnn("cudnnGetConvolutionForwardAlgorithmMaxCount", || max_count(handle, Pass::Forward, count))
}

#[unsafe(no_mangle)]
extern "C" fn cudnnGetConvolutionBackwardDataAlgorithmMaxCount(handle: usize, count: Out<i32>) -> i32 {
    dnn("cudnnGetConvolutionBackwardDataAlgorithmMaxCount", || max_count(handle, Pass::BackwardData, count))
}

#[unsafe(no_mangle)]
extern "C" fn cudnnGetConvolutionBackwardFilterAlgorithmMaxCount(handle: usize, count: Out<i32>) -> i32 {
    dnn("cudnnGetConvolutionBackwardFilterAlgorithmMaxCount", || {
        max_count(handle, Pass::BackwardFilter, count)
    })
}

fn max_count(handle: usize, pass: Pass, count: Out<i32>) -> Outcome {
    require(handle)?;
    count.set(pass.order().len() as i32)
}

#[unsafe(no_mangle)]
extern "C" fn cudnnGetConvolutionForwardAlgorithm_v7(
    handle: usize,
    x: usize,
    w: usize,
    convolution: usize,
    y: usize,
    wanted: i32,
    returned: Out<i32>,
    results: Out<Performance>,
) -> i32 {
    dnn("cudnnGetConvolutionForwardAlgorithm_v7", || {
        require(handle)?;
        Pass::Forward.list(&Problem::new(x, w, convolution, y)?, wanted, returned, results)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cudnnGetConvolutionBackwardDataAlgorithm_v7(
    handle: usize,
    w: usize,
    dy: usize,
    convolution: usize,
    dx: usize,
    wanted: i32,
    returned: Out<i32>,
    results: Out<Performance>,
) -> i32 {
    dnn("cudnnGetConvolutionBackwardDataAlgorithm_v7", || {
        require(handle)?;
        Pass::BackwardData.list(&Problem::new(dx, w, convolution, dy)?, wanted, returned, results)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cudnnGetConvolutionBackwardFilterAlgorithm_v7(
    handle: usize,
    x: usize,
    dy: usize,
    convolution: usize,
    dw: usize,
    wanted: i32,
    returned: Out<i32>,
    results: Out<Performance>,
) -> i32 {
    dnn("cudnnGetConvolutionBackwardFilterAlgorithm_v7", || {
        require(handle)?;
        Pass::BackwardFilter.list(&Problem::new(x, dw, convolution, dy)?, wanted, returned, results)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cudnnGetConvolutionForwardWorkspaceSize(
    handle: usize,
    x: usize,
    w: usize,
    convolution: usize,
    y: usize,
    algorithm: i32,
    bytes: Out<usize>,
) -> i32 {
    dnn("cudnnGetConvolutionForwardWorkspaceSize", || {
        require(handle)?;
        bytes.set(Pass::Forward.workspace_bytes(algorithm, &Problem::new(x, w, convolution, y)?)?)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cudnnGetConvolutionBackwardDataWorkspaceSize(
    handle: usize,
    w: usize,
    dy: usize,
    convolution: usize,
    dx: usize,
    algorithm: i32,
    bytes: Out<usize>,
) -> i32 {
    dnn("cudnnGetConvolutionBackwardDataWorkspaceSize", || {
        require(handle)?;
        bytes.set(Pass::BackwardData.workspace_bytes(algorithm, &Problem::new(dx, w, convolution, dy)?)?)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cudnnGetConvolutionBackwardFilterWorkspaceSize(
    handle: usize,
    x: usize,
    dy: usize,
    convolution: usize,
    dw: usize,
    algorithm: i32,
    bytes: Out<usize>,
) -> i32 {
    dnn("cudnnGetConvolutionBackwardFilterWorkspaceSize", || {
        require(handle)?;
        bytes.set(Pass::BackwardFilter.workspace_bytes(algorithm, &Problem::new(x, dw, convolution, dy)?)?)
    })
}
