//! Test tensors with repeatable values, and a comparison relative to the largest value.

use candle_core::{Device, Tensor};

/// Values in [-1, 1] from a hash of (seed, index).
pub(crate) fn noise(seed: u64, shape: &[usize]) -> Tensor {
    let value = |i: u64| {
        let mut z = (seed << 40 ^ i).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z >> 40) as f32 / (1 << 23) as f32 - 1.
    };
    let values: Vec<f32> = (0..shape.iter().product::<usize>() as u64).map(value).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// Asserts that the greatest difference is at most `tolerance` times the greatest value (or 1, if that is more).
pub(crate) fn close(what: &str, found: &Tensor, expected: &Tensor, tolerance: f32) {
    assert_eq!(found.dims(), expected.dims(), "{what}");
    let read = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let (found, expected) = (read(found), read(expected));
    let scale = expected.iter().fold(1f32, |m, v| m.max(v.abs()));
    for (i, (f, e)) in found.iter().zip(&expected).enumerate() {
        assert!(
            (f - e).abs() <= tolerance * scale,
            "{what}: element {i} is {f}, expected {e} (scale {scale})"
        );
    }
}
