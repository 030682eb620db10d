//! Every CUDA source compiles to PTX, wherever NVRTC is found: no GPU and no CUDA SDK are needed. Where there is none the
//! test says so and passes.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::path::Path;

mod nvrtc;
use nvrtc::{Nvrtc, source};

#[test]
fn every_source_compiles_to_ptx() {
    let Some(nvrtc) = Nvrtc::find() else {
        return eprintln!(
            "skipped: no NVRTC here (PyPI's nvidia-cuda-nvrtc, named by NVRTC_LIBRARY, serves)"
        );
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cuda/source");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".cu"))
        .collect();
    names.sort();
    // All as one program, as they are compiled for a device.
    let kernels: String = names.iter().map(|name| source(name)).collect();
    let ptx = nvrtc.compile(&format!("{}{}{kernels}", source("element.cuh"), source("reduce.cuh"))).unwrap();
    // Each kernel of the sources has its entry.
    let of_both_types = kernels.lines().filter(|line| line.starts_with("FOR_BOTH_TYPES(")).count();
    let named = kernels.lines().filter(|line| line.starts_with("extern \"C\" __global__")).count();
    assert_eq!(ptx.matches(".visible .entry").count(), 2 * of_both_types + named);
    assert!(names.len() > 5 && named > 5);
}

#[test]
fn what_is_wrong_is_found() {
    let Some(nvrtc) = Nvrtc::find() else { return };
    let log = nvrtc.compile("extern \"C\" __global__ void k(float* x) { *x = y; }").unwrap_err();
    assert!(log.contains('y'), "{log}");
}
