//! Kernels that NVRTC compiled; their CUDA C stands in `kernels.ptx`.

use crate::Arguments;
use cuda_emulator::ptx::{Error, Module};

fn module() -> Module {
    Module::parse(include_str!("kernels.ptx")).expect("a module")
}

#[test]
fn a_reduction_uses_shuffles_and_shared_memory() {
    let module = module();
    let input: Vec<f32> = (0..1000).map(|n| n as f32).collect();
    let mut out = [0f32; 3];
    let arguments = Arguments::default().output(&mut out).pointer(&input).word(1000);
    let entry = module.entry("block_sum").expect("the kernel");
    assert_eq!(
        entry.parameters().iter().map(|p| (p.offset, p.size)).collect::<Vec<_>>(),
        [(0, 8), (8, 8), (16, 4)]
    );
    entry.launch([3, 1, 1], [256, 1, 1], 8 * 4, arguments.bytes()).expect("a sum");
    assert_eq!(out, [499_500.0; 3]);
    // with too little shared memory the second warp writes outside
    let error = entry.launch([1, 1, 1], [256, 1, 1], 4, arguments.bytes()).expect_err("too little");
    assert!(error.to_string().contains("shared memory"), "{error}");
}

#[test]
fn arrays_of_a_thread_are_its_own() {
    let mut out = [0i32; 33];
    Arguments::default().output(&mut out).word(9).launch(&module(), "table", 1, 33).expect("tables");
    for (thread, &found) in (0..).zip(&out) {
        let mut a: Vec<i32> = (0..16).map(|i| i * thread).collect();
        for i in 0..9 {
            a[(i * 7) & 15] += a[(i * 5 + 3) & 15];
        }
        assert_eq!(found, a[9], "thread {thread}");
    }
}

#[test]
fn functions_call_themselves_and_others_by_address() {
    let mut out = [0i32; 16];
    Arguments::default().output(&mut out).launch(&module(), "fibonaccis", 1, 16).expect("calls");
    assert_eq!(out, [0, 1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610]);
    let mut out = [0i32; 4];
    Arguments::default().output(&mut out).word(10).launch(&module(), "indirect", 1, 4).expect("calls");
    assert_eq!(out, [10, -9, 12, -7]);
}

#[test]
fn variables_and_structs() {
    let module = module();
    let (scale, size) = module.global("scale").expect("the variable");
    assert_eq!((size, module.global("nothing")), (4, None));
    let run = || {
        let mut out = [0f64; 4];
        let arguments = Arguments::default().output(&mut out).word(2f32.to_bits()).word(1);
        let arguments = arguments.double(1.0).double(100.0).double(3.0);
        arguments.launch(&module, "structs", 1, 4).expect("a result");
        out
    };
    assert_eq!(run(), [202.5, 205.0, 207.5, 210.0]);
    // what the host writes is what kernels read
    unsafe { (scale as *mut f32).write(1.0) };
    assert_eq!(run(), [201.0, 202.0, 203.0, 204.0]);
}

#[test]
fn threads_take_different_branches() {
    let mut out = [0i32; 8];
    Arguments::default().output(&mut out).word(100).launch(&module(), "choose", 1, 8).expect("branches");
    assert_eq!(out, [100, 301, 33, 2, 100 ^ 0x55, -100, 1006, 1007]);
}

#[test]
fn launches_that_no_device_takes() {
    let module = module();
    let mut out = [0i32; 128];
    let arguments = Arguments::default().output(&mut out);
    assert!(arguments.launch(&module, "bounded", 1, 64).is_ok());
    let refused = |result: Result<(), Error>| matches!(result, Err(Error::Launch { .. }));
    assert!(refused(arguments.launch(&module, "bounded", 1, 65)));
    assert!(refused(arguments.launch(&module, "fibonaccis", 1, 1025)));
    assert!(refused(arguments.launch(&module, "fibonaccis", 0, 1)));
    assert!(refused(Arguments::default().launch(&module, "fibonaccis", 1, 1)));
}
