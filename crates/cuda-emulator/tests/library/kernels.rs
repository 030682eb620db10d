use std::ffi::{CStr, c_void};
use std::ptr::from_mut;

use crate::device::{PER_THREAD_STREAM, call, device};

const INVALID_VALUE: i32 = 1;
const ILLEGAL_ADDRESS: i32 = 700;

/// `out[i] = in[i] + step` for `i < count`, and a variable that counts nothing but can be written.
const ADD: &CStr = c"
.version 9.0
.target sm_90
.address_size 64

.global .align 4 .u32 tally = 7;

.visible .entry add(
    .param .u64 add_out,
    .param .u64 add_in,
    .param .u32 add_count,
    .param .f32 add_step
)
{
    .reg .pred %p<2>;
    .reg .f32 %f<4>;
    .reg .b32 %r<6>;
    .reg .b64 %rd<8>;

    ld.param.u64 %rd1, [add_out];
    ld.param.u64 %rd2, [add_in];
    ld.param.u32 %r1, [add_count];
    ld.param.f32 %f1, [add_step];
    mov.u32 %r2, %ctaid.x;
    mov.u32 %r3, %ntid.x;
    mov.u32 %r4, %tid.x;
    mad.lo.s32 %r5, %r2, %r3, %r4;
    setp.ge.u32 %p1, %r5, %r1;
    @%p1 bra $done;
    cvta.to.global.u64 %rd3, %rd2;
    mul.wide.u32 %rd4, %r5, 4;
    add.s64 %rd5, %rd3, %rd4;
    ld.global.f32 %f2, [%rd5];
    add.f32 %f3, %f2, %f1;
    cvta.to.global.u64 %rd6, %rd1;
    add.s64 %rd7, %rd6, %rd4;
    st.global.f32 [%rd7], %f3;
$done:
    ret;
}
";

/// Launches `add` over `count` elements in blocks of four threads.
fn add(function: usize, stream: usize, out: u64, from: u64, count: u32, step: f32) -> i32 {
    let (mut out, mut from, mut count, mut step) = (out, from, count, step);
    let mut parameters: [*mut c_void; 4] = [
        from_mut(&mut out).cast(),
        from_mut(&mut from).cast(),
        from_mut(&mut count).cast(),
        from_mut(&mut step).cast(),
    ];
    let blocks = count.div_ceil(4);
    call!(cuLaunchKernel(
        function,
        blocks,
        1,
        1,
        4,
        1,
        1,
        0,
        stream,
        parameters.as_mut_ptr(),
        std::ptr::null_mut()
    ))
}

#[test]
fn a_kernel_gets_its_parameters() {
    let device = device();
    let function = device.function(ADD, c"add");
    let (from, out) = (device.upload::<f32>(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), device.allocate(24));
    assert_eq!(add(function, 0, out, from, 6, 0.5), 0);
    assert_eq!(device.download::<f32>(out, 6), [1.5, 2.5, 3.5, 4.5, 5.5, 6.5]);
    assert_eq!(device.report()["kernels"]["add"], 1);
}

#[test]
fn parameters_can_come_packed() {
    let device = device();
    let function = device.function(ADD, c"add");
    let (from, out) = (device.upload::<f32>(&[1.0]), device.allocate(4));
    let mut packed = [from.to_ne_bytes(); 3];
    packed[0] = out.to_ne_bytes();
    packed[2][..4].copy_from_slice(&1u32.to_ne_bytes());
    packed[2][4..].copy_from_slice(&0.25f32.to_ne_bytes());
    let mut bytes = 24usize;
    let [buffer, size] = [1, 2].map(std::ptr::without_provenance_mut);
    let mut extra: [*mut c_void; 5] =
        [buffer, packed.as_mut_ptr().cast(), size, from_mut(&mut bytes).cast(), std::ptr::null_mut()];
    let nothing = std::ptr::null_mut();
    assert_eq!(call!(cuLaunchKernel(function, 1, 1, 1, 4, 1, 1, 0, 0, nothing, extra.as_mut_ptr())), 0);
    assert_eq!(device.download::<f32>(out, 1), [1.25]);
}

#[test]
fn a_captured_launch_keeps_its_parameters() {
    let device = device();
    let function = device.function(ADD, c"add");
    let place = device.upload::<f32>(&[1.0]);
    let (mut graph, mut executable) = (0, 0);
    assert_eq!(call!(cuStreamBeginCapture_v2(PER_THREAD_STREAM, 1)), 0);
    assert_eq!(add(function, PER_THREAD_STREAM, place, place, 1, 2.0), 0);
    assert_eq!(call!(cuStreamEndCapture(PER_THREAD_STREAM, &mut graph)), 0);
    assert_eq!(call!(cuGraphInstantiateWithFlags(&mut executable, graph, 0)), 0);
    assert_eq!(device.report()["kernels"], serde_json::json!({}));
    for _ in 0..3 {
        assert_eq!(call!(cuGraphLaunch(executable, PER_THREAD_STREAM)), 0);
    }
    assert_eq!(device.download::<f32>(place, 1), [7.0]);
    assert_eq!(device.report()["kernels"]["add"], 3);
}

#[test]
fn a_kernel_that_uses_freed_memory_ends_the_context() {
    let device = device();
    let function = device.function(ADD, c"add");
    let (from, out) = (device.upload::<f32>(&[1.0; 8]), device.allocate(32));
    assert_eq!(call!(cuMemFree_v2(from)), 0);
    assert_eq!(add(function, 0, out, from, 8, 0.5), ILLEGAL_ADDRESS);
    assert_eq!(call!(cuCtxSynchronize()), ILLEGAL_ADDRESS, "and every call after it");
    assert_eq!(call!(cuMemAlloc_v2(&mut 0, 4)), ILLEGAL_ADDRESS);
    let mut name = std::ptr::null();
    assert_eq!(call!(cuGetErrorName(ILLEGAL_ADDRESS, &mut name)), 0);
    // SAFETY: the name is a text.
    assert_eq!(unsafe { CStr::from_ptr(name) }, c"CUDA_ERROR_ILLEGAL_ADDRESS");
    assert_eq!(call!(cuDevicePrimaryCtxReset_v2(0)), 0);
    assert_eq!(call!(cuMemAlloc_v2(&mut 0, 4)), 0);
}

#[test]
fn a_kernel_that_overruns_an_allocation_is_caught() {
    let device = device();
    let function = device.function(ADD, c"add");
    let (from, out) = (device.upload::<f32>(&[1.0; 8]), device.allocate(28));
    assert_eq!(add(function, 0, out, from, 7, 0.5), 0);
    assert_eq!(add(function, 0, out, from, 8, 0.5), ILLEGAL_ADDRESS);
}

#[test]
fn launches_that_no_gpu_takes_are_refused() {
    let device = device();
    let function = device.function(ADD, c"add");
    let launch = |grid: [u32; 3], block: [u32; 3], shared_bytes| {
        let (mut place, mut number) = (0u64, 0u32);
        let (place, number): (*mut c_void, *mut c_void) =
            (from_mut(&mut place).cast(), from_mut(&mut number).cast());
        let mut parameters = [place, place, number, number];
        let [[x, y, z], [i, j, k]] = [grid, block];
        let (parameters, extra) = (parameters.as_mut_ptr(), std::ptr::null_mut());
        call!(cuLaunchKernel(function, x, y, z, i, j, k, shared_bytes, 0, parameters, extra))
    };
    assert_eq!(launch([1, 1, 1], [1024, 1, 1], 0), 0);
    for (grid, block) in [
        ([0, 1, 1], [1, 1, 1]),
        ([1, 65_536, 1], [1, 1, 1]),
        ([1, 1, 1], [1025, 1, 1]),
        ([1, 1, 1], [32, 33, 1]),
        ([1, 1, 1], [1, 1, 65]),
        ([1, 1, 1], [0, 1, 1]),
    ] {
        assert_eq!(launch(grid, block, 0), INVALID_VALUE, "{grid:?} {block:?}");
    }
    const MAX_DYNAMIC_SHARED_BYTES: i32 = 8;
    assert_eq!(launch([1, 1, 1], [1, 1, 1], 49_153), INVALID_VALUE, "more than 48 KiB only if asked for");
    assert_eq!(call!(cuFuncSetAttribute(function, MAX_DYNAMIC_SHARED_BYTES, 65_536)), 0);
    assert_eq!(launch([1, 1, 1], [1, 1, 1], 49_153), 0);
    assert_eq!(call!(cuFuncSetAttribute(function, MAX_DYNAMIC_SHARED_BYTES, 232_449)), INVALID_VALUE);
}

#[test]
fn variables_of_a_module_have_addresses() {
    let device = device();
    let (mut module, mut address, mut bytes) = (0, 0, 0);
    assert_eq!(call!(cuModuleLoadData(&mut module, ADD.as_ptr())), 0);
    assert_eq!(call!(cuModuleGetGlobal_v2(&mut address, &mut bytes, module, c"tally".as_ptr())), 0);
    assert_eq!(bytes, 4);
    assert_eq!((device.download::<f32>(address, 1)[0] as f32).to_bits(), 7);
    assert_eq!(call!(cuModuleGetGlobal_v2(&mut address, &mut bytes, module, c"none".as_ptr())), 500);
}

#[test]
fn machine_code_and_nonsense_are_refused() {
    let _device = device();
    let mut module = 0;
    assert_eq!(call!(cuModuleLoadData(&mut module, c"\x7FELF".as_ptr())), 209);
    assert_eq!(call!(cuModuleLoadData(&mut module, c".version 9.0\nnonsense {".as_ptr())), 218);
}
