use std::ptr::from_mut;

use crate::device::{Copy2d, MEMORY_MIB, Plane, call, device};

const OUT_OF_MEMORY: i32 = 2;
const INVALID_VALUE: i32 = 1;

#[test]
fn memory_is_accounted_for() {
    let device = device();
    let total = MEMORY_MIB << 20;
    assert_eq!(device.free_and_total(), (total, total));
    let address = device.allocate(1000);
    assert_eq!(device.free_and_total(), (total - 1024, total), "in steps of 512 bytes");
    assert_eq!(call!(cuMemFree_v2(address)), 0);
    assert_eq!(device.free_and_total(), (total, total));
    assert_eq!(device.report()["memory"]["peak_bytes"], 1024);
}

#[test]
fn what_does_not_fit_is_refused_and_the_rest_goes_on() {
    let device = device();
    let mut address = 0;
    let most = device.allocate((MEMORY_MIB - 1) << 20);
    assert_eq!(call!(cuMemAlloc_v2(&mut address, 2 << 20)), OUT_OF_MEMORY);
    assert_eq!(call!(cuMemAllocAsync(&mut address, 2 << 20, 0)), OUT_OF_MEMORY);
    assert_eq!(call!(cuMemAlloc_v2(&mut address, 1 << 20)), 0);
    assert_eq!(call!(cuMemFree_v2(most)), 0);
    assert_eq!(call!(cuMemAlloc_v2(&mut address, 2 << 20)), 0);
}

#[test]
fn fresh_memory_is_nan() {
    let device = device();
    let address = device.allocate(64);
    assert!(device.download::<f32>(address, 16).iter().all(|value| value.is_nan()));
    assert_eq!(call!(cuMemFree_v2(address)), 0);
}

#[test]
fn use_after_free_and_overruns_are_refused() {
    let device = device();
    let address = device.allocate(64);
    let mut host = [0u8; 65];
    assert_eq!(call!(cuMemcpyDtoH_v2(host.as_mut_ptr().cast(), address, 64)), 0);
    assert_eq!(call!(cuMemcpyDtoH_v2(host.as_mut_ptr().cast(), address, 65)), INVALID_VALUE);
    assert_eq!(call!(cuMemsetD8Async(address + 60, 0, 5, 0)), INVALID_VALUE);
    assert_eq!(call!(cuMemFree_v2(address)), 0);
    assert_eq!(call!(cuMemcpyHtoD_v2(address, host.as_ptr().cast(), 4)), INVALID_VALUE);
    assert_eq!(call!(cuMemFree_v2(address)), INVALID_VALUE, "freed twice");
    assert_eq!(call!(cuMemFree_v2(address + 8)), INVALID_VALUE);
}

#[test]
fn the_pool_keeps_what_its_threshold_allows() {
    const RELEASE_THRESHOLD: i32 = 4;
    const RESERVED: i32 = 5;
    const USED: i32 = 7;
    let device = device();
    let (mut pool, mut address) = (0, 0);
    assert_eq!(call!(cuDeviceGetDefaultMemPool(&mut pool, 0)), 0);
    let attribute = |which| {
        let mut value = 0u64;
        assert_eq!(call!(cuMemPoolGetAttribute(pool, which, from_mut(&mut value).cast())), 0);
        value
    };
    let mut round = |threshold: u64| {
        let mut threshold = threshold;
        assert_eq!(call!(cuMemPoolSetAttribute(pool, RELEASE_THRESHOLD, from_mut(&mut threshold).cast())), 0);
        assert_eq!(attribute(RELEASE_THRESHOLD), threshold);
        assert_eq!(call!(cuMemAllocAsync(&mut address, 1 << 20, 0)), 0);
        assert_eq!(attribute(USED), 1 << 20);
        assert_eq!(call!(cuMemFreeAsync(address, 0)), 0);
        assert_eq!((attribute(USED), attribute(RESERVED)), (0, 1 << 20), "until the next synchronization");
        assert_eq!(call!(cuStreamSynchronize(0)), 0);
        let (free, total) = device.free_and_total();
        assert_eq!(attribute(RESERVED), (total - free) as u64);
        attribute(RESERVED)
    };
    assert_eq!(round(0), 0);
    assert_eq!(round(u64::MAX), 1 << 20);
}

#[test]
fn planes_are_copied_by_rows() {
    let device = device();
    let from: Vec<u8> = (0..24).collect();
    let mut back = [0u8; 12];
    let address = device.allocate(64);
    let plane = |memory_type, host, device, pitch, x_bytes, y| Plane {
        x_bytes,
        y,
        memory_type,
        host,
        device,
        array: 0,
        pitch,
    };
    // Rows 1 to 3, columns 2 to 5 of four rows of six bytes, into rows 16 bytes apart.
    let (host, on_device) = (1, 2);
    let up = Copy2d {
        from: plane(host, from.as_ptr() as u64, 0, 6, 2, 1),
        to: plane(on_device, 0, address, 16, 0, 0),
        width: 4,
        height: 3,
    };
    let down = Copy2d {
        from: plane(on_device, 0, address, 16, 0, 0),
        to: plane(host, back.as_mut_ptr() as u64, 0, 4, 0, 0),
        width: 4,
        height: 3,
    };
    assert_eq!(call!(cuMemcpy2D_v2(&up)), 0);
    assert_eq!(call!(cuMemcpy2D_v2(&down)), 0);
    assert_eq!(back, [8, 9, 10, 11, 14, 15, 16, 17, 20, 21, 22, 23]);
    assert_eq!(call!(cuMemcpy2D_v2(&Copy2d { height: 5, ..down })), INVALID_VALUE, "behind the allocation");
}
