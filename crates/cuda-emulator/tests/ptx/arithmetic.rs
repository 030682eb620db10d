//! Instructions from registers to registers.

use crate::{compute, numbers};

/// Random words with the interesting ones among them.
fn words() -> Vec<[u64; 3]> {
    let edges = [
        0,
        1,
        2,
        31,
        32,
        0x7f,
        0x80,
        0x7fff,
        0x8000,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_ffff,
        u64::MAX,
        1 << 63,
    ];
    let mut rows: Vec<[u64; 3]> = Vec::new();
    for &a in &edges {
        for &b in &edges {
            rows.push([a, b, a ^ (b << 1)]);
        }
    }
    rows.extend(numbers(600).chunks_exact(3).map(|row| [row[0], row[1], row[2]]));
    rows
}

macro_rules! check {
    ($instruction:expr, $result:expr, $sources:expr, |$a:ident, $b:ident, $c:ident| $expected:expr) => {
        let rows = words();
        let found = compute($instruction, $result, $sources, &rows);
        for (&[$a, $b, $c], found) in rows.iter().zip(found) {
            let expected: u64 = $expected;
            assert_eq!(found, expected, "{} of {:#x} {:#x} {:#x}", $instruction, $a, $b, $c);
        }
    };
}

#[test]
fn integers_wrap_widen_and_divide() {
    check!("add.s32 d, a, b;", 32, [32; 3], |a, b, _c| (a as u32).wrapping_add(b as u32).into());
    check!("sub.u64 d, a, b;", 64, [64; 3], |a, b, _c| a.wrapping_sub(b));
    check!("add.sat.s32 d, a, b;", 32, [32; 3], |a, b, _c| (a as i32).saturating_add(b as i32) as u32 as u64);
    check!("mul.lo.s16 d, a, b;", 16, [16; 3], |a, b, _c| (a as i16).wrapping_mul(b as i16) as u16 as u64);
    check!("mul.hi.u32 d, a, b;", 32, [32; 3], |a, b, _c| ((a & 0xffff_ffff) * (b & 0xffff_ffff)) >> 32);
    check!("mul.hi.s64 d, a, b;", 64, [64; 3], |a, b, _c| ((a as i64 as i128 * b as i64 as i128) >> 64)
        as u64);
    check!("mul.wide.s32 d, a, b;", 64, [32; 3], |a, b, _c| (a as i32 as i64 * b as i32 as i64) as u64);
    check!("mul.wide.u16 d, a, b;", 32, [16; 3], |a, b, _c| (a & 0xffff) * (b & 0xffff));
    check!("mad.wide.s32 d, a, b, c;", 64, [32, 32, 64], |a, b, c| {
        (a as i32 as i64 * b as i32 as i64).wrapping_add(c as i64) as u64
    });
    check!("mad.lo.u32 d, a, b, c;", 32, [32; 3], |a, b, c| {
        (a as u32).wrapping_mul(b as u32).wrapping_add(c as u32).into()
    });
    check!("div.s32 d, a, b;", 32, [32; 3], |a, b, _c| match b as i32 {
        0 => 0xffff_ffff,
        b => (a as i32).wrapping_div(b) as u32 as u64,
    });
    check!("rem.u64 d, a, b;", 64, [64; 3], |a, b, _c| if b == 0 { a } else { a % b });
    check!("min.s32 d, a, b;", 32, [32; 3], |a, b, _c| (a as i32).min(b as i32) as u32 as u64);
    check!("max.u16 d, a, b;", 16, [16; 3], |a, b, _c| (a as u16).max(b as u16).into());
    check!("abs.s64 d, a;", 64, [64; 3], |a, _b, _c| (a as i64).wrapping_abs() as u64);
    check!("sad.s32 d, a, b, c;", 32, [32; 3], |a, b, c| {
        (a as i32).abs_diff(b as i32).wrapping_add(c as u32).into()
    });
    check!("mul24.lo.s32 d, a, b;", 32, [32; 3], |a, b, _c| {
        let narrow = |x: u64| i64::from(((x as u32) << 8) as i32 >> 8);
        (narrow(a) * narrow(b)) as u32 as u64
    });
}

#[test]
fn carries_join_words() {
    let text = "{ .reg .b32 a0, a1, b0, b1, d0, d1; mov.b64 {a0, a1}, a; mov.b64 {b0, b1}, b; ";
    let sum = format!("{text} add.cc.u32 d0, a0, b0; addc.u32 d1, a1, b1; mov.b64 d, {{d0, d1}}; }}");
    check!(&sum, 64, [64; 3], |a, b, _c| a.wrapping_add(b));
    let difference = format!("{text} sub.cc.u32 d0, a0, b0; subc.u32 d1, a1, b1; mov.b64 d, {{d0, d1}}; }}");
    check!(&difference, 64, [64; 3], |a, b, _c| a.wrapping_sub(b));
    // the low half of a product of two-word numbers
    let product = format!(
        "{text} mul.lo.u32 d0, a0, b0; mul.hi.u32 d1, a0, b0; mad.lo.cc.u32 d1, a1, b0, d1; \
         madc.lo.u32 d1, a0, b1, d1; mov.b64 d, {{d0, d1}}; }}"
    );
    check!(&product, 64, [64; 3], |a, b, _c| {
        let (high, carry) = ((a >> 32) as u32)
            .wrapping_mul(b as u32)
            .overflowing_add((((a & 0xffff_ffff) * (b & 0xffff_ffff)) >> 32) as u32);
        let high = (a as u32).wrapping_mul((b >> 32) as u32).wrapping_add(high).wrapping_add(carry.into());
        u64::from((a as u32).wrapping_mul(b as u32)) | (u64::from(high) << 32)
    });
}

#[test]
fn bits() {
    check!("shl.b32 d, a, b;", 32, [32; 3], |a, b, _c| (a as u32).checked_shl(b as u32).unwrap_or(0).into());
    check!("shr.s32 d, a, b;", 32, [32; 3], |a, b, _c| ((a as i32) >> (b as u32).min(31)) as u32 as u64);
    check!("shr.u64 d, a, b;", 64, [64, 32, 32], |a, b, _c| a.checked_shr(b as u32).unwrap_or(0));
    check!("shf.l.wrap.b32 d, a, b, c;", 32, [32; 3], |a, b, c| {
        let joined = (b << 32) | (a & 0xffff_ffff);
        (joined << (c & 31)) >> 32
    });
    check!("shf.r.clamp.b32 d, a, b, c;", 32, [32; 3], |a, b, c| {
        let joined = (b << 32) | (a & 0xffff_ffff);
        (joined >> (c as u32).min(32)) & 0xffff_ffff
    });
    check!("popc.b64 d, a;", 32, [64; 3], |a, _b, _c| a.count_ones().into());
    check!("clz.b32 d, a;", 32, [32; 3], |a, _b, _c| (a as u32).leading_zeros().into());
    check!("brev.b64 d, a;", 64, [64; 3], |a, _b, _c| a.reverse_bits());
    check!("bfind.u32 d, a;", 32, [32; 3], |a, _b, _c| (a as u32).checked_ilog2().unwrap_or(u32::MAX).into());
    check!("bfind.shiftamt.s32 d, a;", 32, [32; 3], |a, _b, _c| {
        let a = if (a as i32) < 0 { !(a as u32) } else { a as u32 };
        if a == 0 { 0xffff_ffff } else { a.leading_zeros().into() }
    });
    check!("lop3.b32 d, a, b, c, 0xca;", 32, [32; 3], |a, b, c| ((a & b) | (!a & c)) & 0xffff_ffff);
    check!("prmt.b32 d, a, b, 0x5410;", 32, [32; 3], |a, b, _c| (a & 0xffff) | ((b & 0xffff) << 16));
    check!("bfe.u32 d, a, 5, 9;", 32, [32; 3], |a, _b, _c| (a >> 5) & 0x1ff);
    check!("bfe.s32 d, a, 5, 9;", 32, [32; 3], |a, _b, _c| ((a as i32) << 18 >> 23) as u32 as u64);
    check!("bfi.b64 d, a, b, 40, 8;", 64, [64; 3], |a, b, _c| (b & !(0xff << 40)) | ((a & 0xff) << 40));
    check!("cnot.b32 d, a;", 32, [32; 3], |a, _b, _c| u64::from(a as u32 == 0));
    check!("dp4a.s32.s32 d, a, b, c;", 32, [32; 3], |a, b, c| {
        let dot =
            (0..4).map(|i| i32::from((a >> (8 * i)) as i8) * i32::from((b >> (8 * i)) as i8)).sum::<i32>();
        (c as i32).wrapping_add(dot) as u32 as u64
    });
}

#[test]
fn predicates() {
    check!("setp.lt.s32 d, a, b;", 1, [32; 3], |a, b, _c| u64::from((a as i32) < b as i32));
    check!("setp.hs.u32 d, a, b;", 1, [32; 3], |a, b, _c| u64::from(a as u32 >= b as u32));
    check!("setp.gtu.f32 d, a, b;", 1, [32; 3], |a, b, _c| {
        let (a, b) = (f32::from_bits(a as u32), f32::from_bits(b as u32));
        u64::from(a > b || a.is_nan() || b.is_nan())
    });
    let both = "{ .reg .pred p, q, r; setp.ne.u32 r, c, 0; setp.lt.and.s32 p|q, a, b, r; \
                selp.b32 d, 1, 0, p; @q or.b32 d, d, 2; @!r or.b32 d, d, 4; }";
    check!(both, 32, [32; 3], |a, b, c| {
        let (less, r) = ((a as i32) < b as i32, c as u32 != 0);
        u64::from(less && r) | (u64::from(!less && r) << 1) | (u64::from(!r) << 2)
    });
    check!("set.le.u32.f32 d, a, b;", 32, [32; 3], |a, b, _c| {
        if f32::from_bits(a as u32) <= f32::from_bits(b as u32) { 0xffff_ffff } else { 0 }
    });
    check!("slct.u32.s32 d, a, b, c;", 32, [32; 3], |a, b, c| {
        u64::from(if c as i32 >= 0 { a as u32 } else { b as u32 })
    });
}

/// NaN has many bit patterns.
fn same32(found: u64, expected: f32) -> bool {
    let found = f32::from_bits(found as u32);
    found.to_bits() == expected.to_bits() || (found.is_nan() && expected.is_nan())
}

#[test]
fn single_precision_is_ieee() {
    type Expected = fn(f32, f32, f32) -> f32;
    let cases: [(&str, Expected); 13] = [
        ("add.f32 d, a, b;", |a, b, _| a + b),
        ("sub.rn.f32 d, a, b;", |a, b, _| a - b),
        ("mul.f32 d, a, b;", |a, b, _| a * b),
        ("fma.rn.f32 d, a, b, c;", |a, b, c| a.mul_add(b, c)),
        ("div.rn.f32 d, a, b;", |a, b, _| a / b),
        ("sqrt.rn.f32 d, a;", |a, _, _| a.sqrt()),
        ("rcp.rn.f32 d, a;", |a, _, _| 1.0 / a),
        ("neg.f32 d, a;", |a, _, _| -a),
        ("abs.f32 d, a;", |a, _, _| a.abs()),
        (
            "max.f32 d, a, b;",
            |a, b, _| if a == b { f32::from_bits(a.to_bits() & b.to_bits()) } else { a.max(b) },
        ),
        ("min.NaN.f32 d, a, b;", |a, b, _| {
            if a.is_nan() || b.is_nan() {
                f32::NAN
            } else if a == b {
                f32::from_bits(a.to_bits() | b.to_bits())
            } else {
                a.min(b)
            }
        }),
        ("copysign.f32 d, a, b;", |a, b, _| b.copysign(a)),
        (
            "add.sat.f32 d, a, b;",
            |a, b, _| if (a + b).is_nan() { 0.0 } else { (a + b).clamp(0.0, 1.0) + 0.0 },
        ),
    ];
    let rows = words();
    for (instruction, expected) in cases {
        for (&[a, b, c], found) in rows.iter().zip(compute(instruction, 32, [32; 3], &rows)) {
            let [a, b, c] = [a, b, c].map(|bits| f32::from_bits(bits as u32));
            assert!(same32(found, expected(a, b, c)), "{instruction} of {a:e} {b:e} {c:e} is {found:#x}");
        }
    }
}

#[test]
fn directed_rounding_encloses_the_result() {
    let rows = words();
    for operation in ["add", "mul", "div", "fma"] {
        let operands = if operation == "fma" { "a, b, c" } else { "a, b" };
        let rounded =
            |mode: &str| compute(&format!("{operation}.{mode}.f32 d, {operands};"), 32, [32; 3], &rows);
        let [nearest, zero, down, up] = ["rn", "rz", "rm", "rp"].map(rounded);
        for (index, row) in rows.iter().enumerate() {
            let [n, z, d, u] =
                [&nearest, &zero, &down, &up].map(|results| f32::from_bits(results[index] as u32));
            let [a, b, c] = row.map(|bits| f64::from(f32::from_bits(bits as u32)));
            if n.is_nan() {
                continue;
            }
            assert!(
                d <= n && n <= u && (n == d || n == u),
                "{operation} {a:e} {b:e} {c:e}: {d:e} {n:e} {u:e}"
            );
            assert!(z == if n > 0.0 { d } else { u } || n == 0.0, "{operation} {a:e} {b:e} {c:e}: {z:e}");
            // of a product f64 knows all digits
            if operation == "mul" {
                assert!(f64::from(d) <= a * b && a * b <= f64::from(u), "{a:e} * {b:e}: {d:e} {u:e}");
                assert!(d == u || d.next_up() == u, "{a:e} * {b:e}: {d:e} {u:e}");
            }
        }
    }
}

#[test]
fn double_precision_and_approximations() {
    check!("fma.rn.f64 d, a, b, c;", 64, [64; 3], |a, b, c| {
        let result = f64::from_bits(a).mul_add(f64::from_bits(b), f64::from_bits(c));
        if result.is_nan() { continue } else { result.to_bits() }
    });
    check!("ex2.approx.f32 d, a;", 32, [32; 3], |a, _b, _c| {
        let result = f64::from(f32::from_bits(a as u32)).exp2() as f32;
        if result.is_nan() { continue } else { result.to_bits().into() }
    });
    check!("rsqrt.approx.f64 d, a;", 64, [64; 3], |a, _b, _c| {
        let result = 1.0 / f64::from_bits(a).sqrt();
        if result.is_nan() { continue } else { result.to_bits() }
    });
    check!("mul.ftz.f32 d, a, b;", 32, [32; 3], |a, b, _c| {
        let flush = |x: f32| if x.is_subnormal() { 0f32.copysign(x) } else { x };
        let result = flush(flush(f32::from_bits(a as u32)) * flush(f32::from_bits(b as u32)));
        if result.is_nan() { continue } else { result.to_bits().into() }
    });
    check!("testp.subnormal.f32 d, a;", 1, [32; 3], |a, _b, _c| u64::from(
        f32::from_bits(a as u32).is_subnormal()
    ));
}
