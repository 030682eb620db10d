//! `cvt`, and arithmetic of 16-bit floats.

use crate::{compute, numbers};
use half::{bf16, f16};

fn rows(values: impl IntoIterator<Item = u64>) -> Vec<[u64; 3]> {
    values.into_iter().map(|value| [value, 0, 0]).collect()
}

fn converted(instruction: &str, to: u32, from: u32, values: &[u64]) -> Vec<u64> {
    compute(&format!("{instruction} d, a;"), to, [from; 3], &rows(values.iter().copied()))
}

/// f32 of all sizes, and those halfway between neighbours of narrower formats.
fn singles() -> Vec<u64> {
    let mut values: Vec<u64> = numbers(3000).into_iter().map(|n| n >> 32).collect();
    for n in numbers(3000) {
        let half = f16::from_bits(n as u16).to_f32();
        values.push(half.to_bits().into());
        values.push((half.to_bits() + 0x1000).into());
        values.push(((n as u32 & 0xffff_0000) | 0x8000).into());
    }
    for value in
        [0.0f32, -0.0, 1.0, -1.5, 0.5, 2.5, 3.5, -2.5, 65504.0, 65520.0, 1e9, -1e9, 3e9, 1e20, f32::INFINITY]
    {
        values.push(value.to_bits().into());
    }
    values.push(f32::NAN.to_bits().into());
    values
}

#[test]
fn sixteen_bit_floats_widen_and_round() {
    let all: Vec<u64> = (0..=0xffff).collect();
    for (&bits, found) in all.iter().zip(converted("cvt.f32.f16", 32, 16, &all)) {
        let expected = f16::from_bits(bits as u16).to_f32();
        let found = f32::from_bits(found as u32);
        assert!(found.to_bits() == expected.to_bits() || (found.is_nan() && expected.is_nan()), "{bits:#x}");
    }
    let values = singles();
    let to_f16 = converted("cvt.rn.f16.f32", 16, 32, &values);
    let to_bf16 = converted("cvt.rn.bf16.f32", 16, 32, &values);
    for (index, &bits) in values.iter().enumerate() {
        let value = f32::from_bits(bits as u32);
        if value.is_nan() {
            assert_eq!((to_f16[index], to_bf16[index]), (0x7fff, 0x7fff));
            continue;
        }
        assert_eq!(to_f16[index], u64::from(f16::from_f32(value).to_bits()), "{value:e}");
        assert_eq!(to_bf16[index], u64::from(bf16::from_f32(value).to_bits()), "{value:e}");
    }
    let cut = converted("cvt.rz.bf16.f32", 16, 32, &values);
    for (&bits, found) in values.iter().zip(cut) {
        assert!(found == bits >> 16 || f32::from_bits(bits as u32).is_nan(), "{bits:#x}");
    }
}

#[test]
fn floats_to_integers_saturate() {
    let values = singles();
    type Case = (&'static str, u32, fn(f32) -> u64);
    let cases: [Case; 8] = [
        ("cvt.rzi.s32.f32", 32, |x| x as i32 as u32 as u64),
        ("cvt.rzi.u32.f32", 32, |x| x as u32 as u64),
        ("cvt.rni.s32.f32", 32, |x| x.round_ties_even() as i32 as u32 as u64),
        ("cvt.rmi.s64.f32", 64, |x| x.floor() as i64 as u64),
        ("cvt.rpi.u64.f32", 64, |x| x.ceil() as u64),
        ("cvt.rzi.u8.f32", 16, |x| x as u8 as u64),
        ("cvt.rzi.s16.f32", 32, |x| x as i16 as i32 as u32 as u64),
        ("cvt.sat.f32.f32", 32, |x| {
            u64::from(if x.is_nan() { 0.0 } else { x.clamp(0.0, 1.0) + 0.0 }.to_bits())
        }),
    ];
    for (instruction, bits, expected) in cases {
        for (&value, found) in values.iter().zip(converted(instruction, bits, 32, &values)) {
            let value = f32::from_bits(value as u32);
            assert_eq!(found, expected(value), "{instruction} of {value:e}");
        }
    }
}

#[test]
fn integers_to_floats_and_integers() {
    let values = numbers(2000).into_iter().enumerate().map(|(i, n)| n >> (i % 64)).collect::<Vec<_>>();
    type Case = (&'static str, u32, u32, fn(u64) -> u64);
    let cases: [Case; 12] = [
        ("cvt.rn.f32.s32", 32, 32, |x| (x as i32 as f32).to_bits().into()),
        ("cvt.rn.f32.u64", 32, 64, |x| (x as f32).to_bits().into()),
        ("cvt.rn.f64.s64", 64, 64, |x| (x as i64 as f64).to_bits()),
        ("cvt.rn.f16.s32", 16, 32, |x| f16::from_f64(f64::from(x as i32)).to_bits().into()),
        ("cvt.rz.f64.u64", 64, 64, |x| {
            let nearest = x as f64;
            if nearest as u128 > u128::from(x) { nearest.next_down().to_bits() } else { nearest.to_bits() }
        }),
        ("cvt.s64.s32", 64, 32, |x| x as i32 as i64 as u64),
        ("cvt.u64.u32", 64, 32, |x| x & 0xffff_ffff),
        ("cvt.u32.s8", 32, 32, |x| x as i8 as i32 as u32 as u64),
        ("cvt.s16.s64", 32, 64, |x| x as i16 as i32 as u32 as u64),
        ("cvt.u16.u64", 32, 64, |x| x & 0xffff),
        ("cvt.sat.u8.s32", 32, 32, |x| (x as i32).clamp(0, 255) as u64),
        ("cvt.sat.s8.s64", 32, 64, |x| (x as i64).clamp(-128, 127) as i32 as u32 as u64),
    ];
    for (instruction, to, from, expected) in cases {
        for (&value, found) in values.iter().zip(converted(instruction, to, from, &values)) {
            assert_eq!(found, expected(value), "{instruction} of {value:#x}");
        }
    }
}

#[test]
fn sixteen_bit_arithmetic_rounds_once() {
    let values: Vec<[u64; 3]> =
        numbers(9000).chunks_exact(3).map(|n| [n[0] >> 48, n[1] >> 48, n[2] >> 48]).collect();
    let sums = compute("add.f16 d, a, b;", 16, [16; 3], &values);
    let products = compute("mul.bf16 d, a, b;", 16, [16; 3], &values);
    let fused = compute("fma.rn.bf16 d, a, b, c;", 16, [16; 3], &values);
    for (index, row) in values.iter().enumerate() {
        let [a, b, _] = row.map(|bits| f16::from_bits(bits as u16).to_f64());
        let expected = f16::from_f64(a + b);
        assert!(sums[index] == u64::from(expected.to_bits()) || expected.is_nan(), "{a:e} + {b:e}");
        let [a, b, c] = row.map(|bits| bf16::from_bits(bits as u16).to_f64());
        let expected = bf16::from_f64(a * b);
        assert!(products[index] == u64::from(expected.to_bits()) || expected.is_nan(), "{a:e} * {b:e}");
        let sum = a.mul_add(b, c);
        // where f64 says halfway, digits that it lost may decide
        if (sum as f32).to_bits() & 0xffff == 0x8000 {
            continue;
        }
        let expected = bf16::from_f64(sum);
        assert!(fused[index] == u64::from(expected.to_bits()) || expected.is_nan(), "{a:e} * {b:e} + {c:e}");
    }
    // 1 + 2^-8 lies halfway, and what comes after it decides
    let one = |tiny: u64| compute("fma.rn.bf16 d, a, b, c;", 16, [16; 3], &[[0x3f80, tiny, 0x3f81]])[0];
    assert_eq!((one(0x3b80), one(0x3b7f)), (0x3f82, 0x3f81));
}

#[test]
fn pairs_keep_to_their_halves() {
    let pair = |low: f32, high: f32| {
        u64::from(f16::from_f32(low).to_bits()) | (u64::from(f16::from_f32(high).to_bits()) << 16)
    };
    let row = [pair(1.5, -2.0), pair(4.0, 0.25), pair(1.0, 100.0)];
    assert_eq!(compute("fma.rn.f16x2 d, a, b, c;", 32, [32; 3], &[row])[0], pair(7.0, 99.5));
    assert_eq!(compute("max.f16x2 d, a, b;", 32, [32; 3], &[row])[0], pair(4.0, 0.25));
    assert_eq!(compute("set.gt.f16x2.f16x2 d, a, b;", 32, [32; 3], &[row])[0], pair(0.0, 0.0));
    assert_eq!(compute("set.lt.f16x2.f16x2 d, b, c;", 32, [32; 3], &[row])[0], pair(0.0, 1.0));
    let halves = "{ .reg .pred p, q; setp.lt.f16x2 p|q, b, c; selp.b32 d, 1, 0, p; @q or.b32 d, d, 2; }";
    assert_eq!(compute(halves, 32, [32; 3], &[row])[0], 2);
    let row = [f32::to_bits(3.0).into(), f32::to_bits(-0.5).into(), 0];
    assert_eq!(compute("cvt.rn.f16x2.f32 d, a, b;", 32, [32; 3], &[row])[0], pair(-0.5, 3.0));
}

#[test]
fn eight_bit_floats() {
    // e4m3: 448 is the largest, 2^-9 the smallest
    let to = |a: f32, b: f32| {
        compute(
            "cvt.rn.satfinite.e4m3x2.f32 d, a, b;",
            16,
            [32; 3],
            &[[a.to_bits().into(), b.to_bits().into(), 0]],
        )[0]
    };
    assert_eq!(to(448.0, 1.0), 0x7e38);
    assert_eq!(to(1e6, -f32::INFINITY), 0x7efe);
    assert_eq!(to(0.001953125, 0.0009), 0x0100);
    let back = |bits: u64| compute("cvt.rn.f16x2.e4m3x2 d, a;", 32, [16; 3], &[[bits, 0, 0]])[0];
    let half = |value: f32| u64::from(f16::from_f32(value).to_bits());
    assert_eq!(back(0x7e38), half(1.0) | (half(448.0) << 16));
    assert_eq!(back(0x0181), half(-0.001953125) | (half(0.001953125) << 16));
}
