//! Every CUDA source compiles to PTX, wherever NVRTC is found: no GPU and no CUDA SDK are needed. Where there is none the
//! test says so and passes.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod nvrtc;
use nvrtc::{Nvrtc, source};

#[test]
fn every_source_compiles_to_ptx() {
    let Some(nvrtc) = Nvrtc::find() else {
        return eprintln!(
            "skipped: no NVRTC here (PyPI's nvidia-cuda-nvrtc, named by NVRTC_LIBRARY, serves)"
        );
    };
    let headers = source("element.cuh") + &source("reduce.cuh");
    for name in [
        "bias.cu",
        "columns.cu",
        "curve.cu",
        "doubled_kernel.cu",
        "instance_norm.cu",
        "losses.cu",
        "normal_noise.cu",
        "optimizer.cu",
        "pointwise.cu",
        "reflection_pad2d.cu",
    ] {
        let text = source(name);
        let ptx = nvrtc.compile(&format!("{headers}{text}")).unwrap_or_else(|log| panic!("{name}: {log}"));
        // Each kernel of the source has its entry.
        let of_both_types = text.lines().filter(|line| line.starts_with("FOR_BOTH_TYPES(")).count();
        let named = text.lines().filter(|line| line.starts_with("extern \"C\" __global__")).count();
        assert_eq!(ptx.matches(".visible .entry").count(), 2 * of_both_types + named, "{name}");
    }
}

#[test]
fn what_is_wrong_is_found() {
    let Some(nvrtc) = Nvrtc::find() else { return };
    let log = nvrtc.compile("extern \"C\" __global__ void k(float* x) { *x = y; }").unwrap_err();
    assert!(log.contains('y'), "{log}");
}
