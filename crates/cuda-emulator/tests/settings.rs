//! What the environment can ask for. It is read once, so each test is a program of its own: this one, started again.

#![allow(clippy::unwrap_used)] // a test may panic, and so may what it calls

use std::ffi::c_void;
use std::path::Path;
use std::process::{Command, Output};

use cuda_emulator as _;
use serde_json::Value;

unsafe extern "C" {
    fn cuInit(flags: u32) -> i32;
    fn cuDevicePrimaryCtxRetain(context: *mut usize, device: i32) -> i32;
    fn cuCtxSetCurrent(context: usize) -> i32;
    fn cuDeviceTotalMem_v2(bytes: *mut usize, device: i32) -> i32;
    fn cuMemAlloc_v2(address: *mut u64, bytes: usize) -> i32;
    fn cuMemcpyHtoD_v2(to: u64, from: *const c_void, bytes: usize) -> i32;
    fn cuMemcpyDtoH_v2(to: *mut c_void, from: u64, bytes: usize) -> i32;
    fn cublasCreate_v2(handle: *mut usize) -> i32;
    fn cublasSetMathMode(handle: usize, mode: i32) -> i32;
    fn cublasSgemm_v2(
        handle: usize,
        operation_a: i32,
        operation_b: i32,
        m: i32,
        n: i32,
        k: i32,
        alpha: *const f32,
        a: u64,
        a_leading: i32,
        b: u64,
        b_leading: i32,
        beta: *const f32,
        c: u64,
        c_leading: i32,
    ) -> i32;
}

/// More digits than TF32 has.
const FACTOR: f32 = 1.0 + 1.0 / 4096.0;

/// Multiplies FACTOR by 1 twice, without and with leave to round, and prints the products and the memory's size.
#[test]
#[ignore = "is started by the others"]
fn program() {
    let (mut context, mut handle, mut places, mut products, mut total) = (0, 0, [0; 3], [9f32; 2], 0);
    let tf32 = 3;
    // SAFETY: places for all results, and matrices of one element on the device.
    unsafe {
        assert_eq!(cuInit(0), 0);
        assert_eq!(cuDevicePrimaryCtxRetain(&mut context, 0), 0);
        assert_eq!(cuCtxSetCurrent(context), 0);
        assert_eq!(cuDeviceTotalMem_v2(&mut total, 0), 0);
        assert_eq!(cublasCreate_v2(&mut handle), 0);
        for (place, value) in places.iter_mut().zip([FACTOR, 1.0, 5.0]) {
            assert_eq!(cuMemAlloc_v2(place, 4), 0);
            assert_eq!(cuMemcpyHtoD_v2(*place, (&raw const value).cast(), 4), 0);
        }
        let [a, b, c] = places;
        for (mode, product) in [0, tf32].into_iter().zip(&mut products) {
            assert_eq!(cublasSetMathMode(handle, mode), 0);
            assert_eq!(cublasSgemm_v2(handle, 0, 0, 1, 1, 1, &1.0, a, 1, b, 1, &0.0, c, 1), 0);
            assert_eq!(cuMemcpyDtoH_v2((&raw mut *product).cast(), c, 4), 0);
        }
    }
    println!("products {products:?} of {total}");
}

fn run(variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "program", "--ignored", "--nocapture"]);
    for name in ["MEMORY_MIB", "NULL", "REPORT", "TF32", "TRACE"] {
        command.env_remove(format!("CUDA_EMULATOR_{name}"));
    }
    let output = command.envs(variables.iter().copied()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    output
}

#[track_caller]
fn assert_prints(variables: &[(&str, &str)], products: [f32; 2], memory_mib: usize) {
    let output = run(variables);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains(&format!("products {products:?} of {}", memory_mib << 20)), "{text}");
    assert!(output.stderr.is_empty());
}

#[test]
fn nothing_is_rounded_unless_asked_for() {
    assert_prints(&[], [FACTOR, FACTOR], 4096);
    assert_prints(&[("CUDA_EMULATOR_TF32", "1")], [FACTOR, 1.0], 4096);
    assert_prints(&[("CUDA_EMULATOR_MEMORY_MIB", "100")], [FACTOR, FACTOR], 100);
}

#[test]
fn a_null_device_computes_nothing_and_a_report_counts_it() {
    let path = std::env::temp_dir().join(format!("cuda-emulator-{}.json", std::process::id()));
    let name = path.to_str().unwrap();
    // The copies are done: what comes back is the 5 that was there.
    assert_prints(&[("CUDA_EMULATOR_NULL", "1"), ("CUDA_EMULATOR_REPORT", name)], [5.0, 5.0], 4096);
    let report = read(&path);
    std::fs::remove_file(&path).unwrap();
    assert_eq!((&report["library"]["cublasSgemm_v2"], &report["allocations"]), (&2.into(), &3.into()));
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_trace_lists_the_calls() {
    let output = run(&[("CUDA_EMULATOR_TRACE", "1")]);
    let text = String::from_utf8(output.stderr).unwrap();
    let calls: Vec<_> = text.lines().map(|line| line.strip_prefix("cuda-emulator: ").unwrap()).collect();
    assert_eq!(calls[..2], ["cuInit -> 0", "cuDevicePrimaryCtxRetain -> 0"]);
    assert_eq!(calls.iter().filter(|call| call.starts_with("cublasSgemm_v2")).count(), 2);
}
