use std::time::Duration;

use serde_json::json;

use crate::device::{call, device};

#[test]
fn work_and_calls_are_counted() {
    let device = device();
    let address = device.upload::<f32>(&[1.0, 2.0]);
    assert_eq!(call!(cuMemcpyDtoDAsync_v2(address, address + 4, 4, 0)), 0);
    assert_eq!(device.download::<f32>(address, 2), [2.0, 2.0]);
    assert_eq!(call!(cuMemsetD8Async(address, 0, 8, 0)), 0);
    assert_eq!(call!(cuStreamSynchronize(0)), 0);
    assert_eq!(call!(cuMemFree_v2(address)), 0);
    let report = device.report();
    assert_eq!(
        report["copies"],
        json!({
            "host_to_device": { "count": 1, "bytes": 8 },
            "device_to_host": { "count": 1, "bytes": 8 },
            "device_to_device": { "count": 1, "bytes": 4 },
            "host_to_host": { "count": 0, "bytes": 0 },
        })
    );
    assert_eq!(report["fills"], json!({ "count": 1, "bytes": 8 }));
    assert_eq!((&report["allocations"], &report["frees"]), (&json!(1), &json!(1)));
    assert_eq!(report["synchronizations"], 1);
    assert_eq!(report["blocking_copies"], 2, "to the device by a call that blocks, and back");
    assert_eq!(report["calls"]["cuMemcpyDtoH_v2"], 1);
    call!(cuda_emulator_reset());
    let report = device.report();
    assert_eq!((&report["calls"], &report["allocations"]), (&json!({}), &json!(0)));
}

#[test]
fn a_report_is_cut_to_its_buffer() {
    let _device = device();
    let mut buffer = [0xAAu8; 8];
    let all = call!(cuda_emulator_report(buffer.as_mut_ptr(), 4));
    assert!(all > 100 && buffer[0] == b'{' && buffer[4..] == [0xAA; 4]);
}

#[test]
fn events_measure_the_time_between_them() {
    let _device = device();
    let (mut start, mut end, mut silent, mut milliseconds) = (0, 0, 0, 0.0);
    const DISABLE_TIMING: u32 = 2;
    for (event, flags) in [(&mut start, 0), (&mut end, 0), (&mut silent, DISABLE_TIMING)] {
        assert_eq!(call!(cuEventCreate(event, flags)), 0);
    }
    assert_eq!(call!(cuEventRecord(start, 0)), 0);
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(call!(cuEventElapsedTime_v2(&mut milliseconds, start, end)), 400, "not recorded yet");
    assert_eq!(call!(cuEventRecord(end, 0)), 0);
    assert_eq!(call!(cuEventElapsedTime_v2(&mut milliseconds, start, end)), 0);
    assert!(milliseconds >= 20.0);
    assert_eq!(call!(cuEventRecord(silent, 0)), 0);
    assert_eq!(call!(cuEventElapsedTime_v2(&mut milliseconds, start, silent)), 400);
}

#[test]
fn the_device_says_what_it_is_and_what_it_is_not() {
    let _device = device();
    let mut value = 0;
    let mut attribute = |which| {
        assert_eq!(call!(cuDeviceGetAttribute(&mut value, which, 0)), 0);
        value
    };
    let (major, minor, multiprocessors, managed) = (75, 76, 16, 83);
    assert_eq!([major, minor, multiprocessors, managed].map(&mut attribute), [9, 0, 132, 0]);
    assert_eq!(call!(cuDeviceGetAttribute(&mut 0, major, 1)), 101);
    assert_eq!(call!(cuTexRefCreate(&mut 0)), 801, "textures are not emulated");
}
