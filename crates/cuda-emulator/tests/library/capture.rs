use crate::device::{Device, PER_THREAD_STREAM, call, device};

const GLOBAL: i32 = 0;
const THREAD_LOCAL: i32 = 1;
const RELAXED: i32 = 2;
const UNSUPPORTED: i32 = 900;
const INVALIDATED: i32 = 901;
const UNJOINED: i32 = 904;
const ISOLATION: i32 = 905;
const IMPLICIT: i32 = 906;
const INVALID_VALUE: i32 = 1;
const AUTO_FREE_ON_LAUNCH: u64 = 1;

fn stream() -> usize {
    const NON_BLOCKING: u32 = 1;
    let mut stream = 0;
    assert_eq!(call!(cuStreamCreate(&mut stream, NON_BLOCKING)), 0);
    stream
}

fn begin(stream: usize, mode: i32) {
    assert_eq!(call!(cuStreamBeginCapture_v2(stream, mode)), 0);
}

/// Ends a capture and makes it executable.
fn finish(stream: usize, flags: u64) -> usize {
    let (mut graph, mut executable) = (0, 0);
    assert_eq!(call!(cuStreamEndCapture(stream, &mut graph)), 0);
    assert_eq!(call!(cuGraphInstantiateWithFlags(&mut executable, graph, flags)), 0);
    assert_eq!(call!(cuGraphDestroy(graph)), 0);
    executable
}

fn status(stream: usize) -> i32 {
    let mut status = -1;
    assert_eq!(call!(cuStreamIsCapturing(stream, &mut status)), 0);
    status
}

fn fill(device: &Device, address: u64, value: u32) {
    let _ = device;
    assert_eq!(call!(cuMemsetD32Async(address, value, 1, 0)), 0);
}

fn word(device: &Device, address: u64) -> u32 {
    (device.download::<f32>(address, 1)[0] as f32).to_bits()
}

#[test]
fn captured_work_is_done_at_each_launch_and_not_before() {
    let device = device();
    let (a, b) = (device.allocate(4), device.allocate(4));
    fill(&device, a, 1);
    fill(&device, b, 0);
    begin(PER_THREAD_STREAM, THREAD_LOCAL);
    assert_eq!(status(PER_THREAD_STREAM), 1);
    assert_eq!(call!(cuMemcpyDtoDAsync_v2(b, a, 4, PER_THREAD_STREAM)), 0);
    let graph = finish(PER_THREAD_STREAM, 0);
    assert_eq!((status(PER_THREAD_STREAM), word(&device, b)), (0, 0));
    for value in [5, 6] {
        fill(&device, a, value);
        assert_eq!(call!(cuGraphLaunch(graph, PER_THREAD_STREAM)), 0);
        assert_eq!(word(&device, b), value);
    }
    assert_eq!(call!(cuGraphExecDestroy(graph)), 0);
}

#[test]
fn a_copy_from_the_host_reads_it_again() {
    let device = device();
    let (address, stream) = (device.allocate(4), stream());
    let mut host = Box::new(7u32);
    begin(stream, THREAD_LOCAL);
    assert_eq!(call!(cuMemcpyHtoDAsync_v2(address, (&raw const *host).cast(), 4, stream)), 0);
    let graph = finish(stream, 0);
    *host = 8;
    assert_eq!(call!(cuGraphLaunch(graph, stream)), 0);
    assert_eq!(word(&device, address), 8);
}

#[test]
fn what_a_graph_cannot_hold_spoils_the_capture() {
    let device = device();
    let address = device.allocate(4);
    let calls: [&dyn Fn(usize) -> i32; 4] = [
        &|stream| call!(cuStreamSynchronize(stream)),
        &|_| call!(cuCtxSynchronize()),
        &|_| call!(cuMemAlloc_v2(&mut 0, 4)),
        &|stream| call!(cuMemcpyDtoHAsync_v2((&raw mut *Box::new(0u32)).cast(), address, 4, stream)),
    ];
    for (index, call) in calls.iter().enumerate() {
        let stream = stream();
        let mut graph = 1;
        begin(stream, THREAD_LOCAL);
        assert_eq!(call(stream), UNSUPPORTED, "call {index}");
        assert_eq!(status(stream), 2);
        assert_eq!(call!(cuMemsetD8Async(address, 0, 4, stream)), INVALIDATED);
        assert_eq!((call!(cuStreamEndCapture(stream, &mut graph)), graph), (INVALIDATED, 0));
        assert_eq!(call!(cuStreamSynchronize(stream)), 0, "the stream is of use again");
    }
}

#[test]
fn a_result_can_be_captured_into_pinned_memory() {
    let device = device();
    let (address, stream) = (device.allocate(4), stream());
    let mut pinned = 0;
    assert_eq!(call!(cuMemHostAlloc(&mut pinned, 4, 0)), 0);
    begin(stream, GLOBAL);
    assert_eq!(call!(cuMemcpyDtoHAsync_v2(pinned as *mut _, address, 4, stream)), 0);
    let graph = finish(stream, 0);
    fill(&device, address, 9);
    assert_eq!(call!(cuGraphLaunch(graph, stream)), 0);
    // SAFETY: four bytes of pinned memory were allocated there.
    assert_eq!(unsafe { *(pinned as *const u32) }, 9);
    assert_eq!(call!(cuMemFreeHost(pinned)), 0);
}

#[test]
fn a_relaxed_capture_lets_others_allocate() {
    let device = device();
    let stream = stream();
    begin(stream, RELAXED);
    let address = device.allocate(4);
    assert_eq!(call!(cuMemFree_v2(address)), 0);
    finish(stream, 0);
}

#[test]
fn the_legacy_stream_does_not_go_with_a_blocking_capture() {
    let device = device();
    let address = device.allocate(4);
    let mut graph = 0;
    begin(PER_THREAD_STREAM, RELAXED);
    assert_eq!(call!(cuMemsetD8Async(address, 0, 4, 0)), IMPLICIT);
    assert_eq!(call!(cuStreamEndCapture(PER_THREAD_STREAM, &mut graph)), INVALIDATED);
    let stream = stream();
    begin(stream, RELAXED);
    assert_eq!(call!(cuMemsetD8Async(address, 0, 4, 0)), 0, "a non-blocking stream does not mind");
    finish(stream, 0);
}

#[test]
fn memory_of_a_graph_keeps_its_address() {
    let device = device();
    let (result, stream) = (device.allocate(4), stream());
    let (before, _) = device.free_and_total();
    let (mut first, mut second) = (0, 0);
    begin(stream, THREAD_LOCAL);
    assert_eq!(call!(cuMemAllocAsync(&mut first, 4, stream)), 0);
    assert_eq!(call!(cuMemsetD32Async(first, 3, 1, stream)), 0);
    assert_eq!(call!(cuMemcpyDtoDAsync_v2(result, first, 4, stream)), 0);
    assert_eq!(call!(cuMemFreeAsync(first, stream)), 0);
    assert_eq!(call!(cuMemFreeAsync(first, stream)), INVALID_VALUE, "freed twice");
    assert_eq!(call!(cuMemFreeAsync(result, stream)), INVALID_VALUE, "not a graph's");
    assert_eq!(call!(cuMemAllocAsync(&mut second, 4, stream)), 0);
    assert_eq!(first, second, "what was freed serves again");
    assert_eq!(call!(cuMemFreeAsync(second, stream)), 0);
    let graph = finish(stream, 0);
    assert_eq!(
        call!(cuMemsetD32Async(first, 0, 1, stream)),
        INVALID_VALUE,
        "outside of a launch it is nobody's"
    );
    for _ in 0..2 {
        fill(&device, result, 0);
        assert_eq!(call!(cuGraphLaunch(graph, stream)), 0);
        assert_eq!(word(&device, result), 3);
    }
    assert!(device.free_and_total().0 < before);
    assert_eq!(call!(cuGraphExecDestroy(graph)), 0);
    assert_eq!(device.free_and_total().0, before);
}

#[test]
fn memory_that_outlives_a_launch_is_freed_by_hand_or_by_the_next() {
    for (flags, again) in [(0, INVALID_VALUE), (AUTO_FREE_ON_LAUNCH, 0)] {
        let device = device();
        let stream = stream();
        let mut address = 0;
        begin(stream, THREAD_LOCAL);
        assert_eq!(call!(cuMemAllocAsync(&mut address, 4, stream)), 0);
        assert_eq!(call!(cuMemsetD32Async(address, 3, 1, stream)), 0);
        let graph = finish(stream, flags);
        assert_eq!(call!(cuGraphLaunch(graph, stream)), 0);
        assert_eq!(word(&device, address), 3);
        assert_eq!(call!(cuGraphLaunch(graph, stream)), again);
        assert_eq!(call!(cuMemFreeAsync(address, stream)), 0);
        assert_eq!(call!(cuGraphLaunch(graph, stream)), 0);
    }
}

#[test]
fn other_streams_join_by_events() {
    let device = device();
    let (a, b) = (device.allocate(4), device.allocate(4));
    let (origin, branch) = (stream(), stream());
    let (mut fork, mut join, mut outside) = (0, 0, 0);
    for event in [&mut fork, &mut join, &mut outside] {
        assert_eq!(call!(cuEventCreate(event, 2)), 0);
    }
    let branch_off = || {
        begin(origin, THREAD_LOCAL);
        assert_eq!(call!(cuMemsetD32Async(a, 4, 1, origin)), 0);
        assert_eq!(call!(cuEventRecord(fork, origin)), 0);
        assert_eq!(call!(cuStreamWaitEvent(branch, fork, 0)), 0);
        assert_eq!(status(branch), 1);
        assert_eq!(call!(cuMemcpyDtoDAsync_v2(b, a, 4, branch)), 0);
        assert_eq!(call!(cuEventRecord(join, branch)), 0);
    };
    branch_off();
    assert_eq!(call!(cuEventSynchronize(join)), 907, "an event of a capture");
    assert_eq!(call!(cuStreamWaitEvent(origin, join, 0)), 0);
    let graph = finish(origin, 0);
    assert_eq!(status(branch), 0);
    assert_eq!(call!(cuGraphLaunch(graph, origin)), 0);
    assert_eq!(word(&device, b), 4);

    branch_off();
    assert_eq!(call!(cuStreamEndCapture(origin, &mut 0)), UNJOINED);

    assert_eq!(call!(cuEventRecord(outside, branch)), 0);
    begin(origin, THREAD_LOCAL);
    assert_eq!(call!(cuStreamWaitEvent(origin, outside, 0)), ISOLATION);
    assert_eq!(call!(cuStreamEndCapture(origin, &mut 0)), INVALIDATED);
}

#[test]
fn nodes_are_counted_and_a_launch_can_be_captured() {
    let device = device();
    let (address, stream) = (device.allocate(8), stream());
    let (mut graph, mut count) = (0, 0);
    begin(stream, THREAD_LOCAL);
    assert_eq!(call!(cuMemsetD32Async(address, 1, 1, stream)), 0);
    let inner = finish(stream, 0);
    begin(stream, THREAD_LOCAL);
    assert_eq!(call!(cuGraphLaunch(inner, stream)), 0);
    assert_eq!(call!(cuMemsetD32Async(address + 4, 2, 1, stream)), 0);
    assert_eq!(call!(cuStreamEndCapture(stream, &mut graph)), 0);
    assert_eq!(call!(cuGraphGetNodes(graph, std::ptr::null_mut(), &mut count)), 0);
    assert_eq!(count, 2);
    assert!(device.download::<f32>(address, 2).iter().all(|value| value.is_nan()));
    assert_eq!(call!(cuStreamDestroy_v2(stream)), 0);
}
