//! Instructions on bit patterns.

use super::kind::Kind;
use super::{Binary, Quaternary, Ternary, Unary};

fn mask(bits: u32) -> u64 {
    u64::MAX >> (64 - bits)
}

fn shift_left32(a: u64, count: u64) -> u64 {
    if count as u32 >= 32 { 0 } else { u64::from((a as u32) << count as u32) }
}
fn shift_left64(a: u64, count: u64) -> u64 {
    if count as u32 >= 64 { 0 } else { a << count as u32 }
}
fn shift_left16(a: u64, count: u64) -> u64 {
    shift_left32(a, count) & 0xffff
}

/// Functions that look at all bits of a slot, and those that must know the width.
macro_rules! by_width {
    ($kind:expr, $narrow:expr, $word:expr, $long:expr) => {
        match $kind.bits() {
            16 => $narrow,
            32 => $word,
            64 => $long,
            _ => return None,
        }
    };
}

pub(super) fn unary(name: &str, kind: Kind) -> Option<Unary> {
    Some(match (name, kind) {
        ("not", Kind::Pred) => |a| a ^ 1,
        ("not", _) => by_width!(kind, |a| !a & mask(16), |a| !a & mask(32), |a| !a),
        ("cnot", _) => {
            by_width!(kind, |a| u64::from(a as u16 == 0), |a| u64::from(a as u32 == 0), |a| u64::from(a == 0))
        }
        ("popc", _) => {
            by_width!(kind, return None, |a| u64::from((a as u32).count_ones()), |a| a.count_ones().into())
        }
        ("clz", _) => {
            by_width!(kind, return None, |a| (a as u32).leading_zeros().into(), |a| a.leading_zeros().into())
        }
        ("brev", _) => {
            by_width!(kind, return None, |a| (a as u32).reverse_bits().into(), |a| a.reverse_bits())
        }
        _ => return None,
    })
}

pub(super) fn binary(name: &str, kind: Kind) -> Option<Binary> {
    Some(match name {
        "and" => |a, b| a & b,
        "or" => |a, b| a | b,
        "xor" => |a, b| a ^ b,
        "shl" => by_width!(kind, shift_left16, shift_left32, shift_left64),
        _ => return None,
    })
}

fn permute(a: u64, b: u64, selector: u64) -> u64 {
    let bytes = (a & mask(32)) | (b << 32);
    let mut result = 0;
    for position in 0..4 {
        let choice = (selector >> (4 * position)) & 0xf;
        let byte = (bytes >> (8 * (choice & 7))) & 0xff;
        let replicated = if byte & 0x80 != 0 { 0xff } else { 0 };
        result |= if choice & 8 != 0 { replicated } else { byte } << (8 * position);
    }
    result
}

/// The modes of `prmt`, in which the low two bits of c say where to begin.
fn permute_mode(a: u64, b: u64, c: u64, selectors: [u64; 4]) -> u64 {
    permute(a, b, selectors[(c & 3) as usize])
}

fn funnel(a: u64, b: u64) -> u64 {
    (a & mask(32)) | (b << 32)
}

fn dot_bytes(a: u64, b: u64, c: u64, signed_a: bool, signed_b: bool) -> u64 {
    let byte = |slot: u64, position: u32, signed: bool| {
        let byte = (slot >> (8 * position)) as u8;
        if signed { i32::from(byte as i8) } else { i32::from(byte) }
    };
    let mut sum = c as i32;
    for position in 0..4 {
        sum = sum.wrapping_add(byte(a, position, signed_a) * byte(b, position, signed_b));
    }
    u64::from(sum as u32)
}

pub(super) fn ternary(name: &str, modifiers: &[&str]) -> Option<Ternary> {
    let has = |modifier| modifiers.contains(&modifier);
    Some(match name {
        "shf" => match (has("l"), has("wrap")) {
            (true, true) => |a, b, c| (funnel(a, b) << (c & 31)) >> 32,
            (true, false) => |a, b, c| (funnel(a, b) << (c as u32).min(32)) >> 32,
            (false, true) => |a, b, c| (funnel(a, b) >> (c & 31)) & mask(32),
            (false, false) => |a, b, c| (funnel(a, b) >> (c as u32).min(32)) & mask(32),
        },
        "prmt" if has("f4e") => |a, b, c| permute_mode(a, b, c, [0x3210, 0x4321, 0x5432, 0x6543]),
        "prmt" if has("b4e") => |a, b, c| permute_mode(a, b, c, [0x5670, 0x6701, 0x7012, 0x0123]),
        "prmt" if has("rc8") => |a, b, c| permute_mode(a, b, c, [0x0000, 0x1111, 0x2222, 0x3333]),
        "prmt" if has("ecl") => |a, b, c| permute_mode(a, b, c, [0x3210, 0x3211, 0x3222, 0x3333]),
        "prmt" if has("ecr") => |a, b, c| permute_mode(a, b, c, [0x0000, 0x1110, 0x2210, 0x3210]),
        "prmt" if has("rc16") => |a, b, c| permute_mode(a, b, c, [0x1010, 0x3232, 0x1010, 0x3232]),
        "prmt" => permute,
        "dp4a" => match (modifiers.first(), modifiers.get(1)) {
            (Some(&"u32"), Some(&"u32")) => |a, b, c| dot_bytes(a, b, c, false, false),
            (Some(&"u32"), Some(&"s32")) => |a, b, c| dot_bytes(a, b, c, false, true),
            (Some(&"s32"), Some(&"u32")) => |a, b, c| dot_bytes(a, b, c, true, false),
            (Some(&"s32"), Some(&"s32")) => |a, b, c| dot_bytes(a, b, c, true, true),
            _ => return None,
        },
        _ => return None,
    })
}

fn insert_bits(source: u64, target: u64, position: u64, length: u64, bits: u32) -> u64 {
    let (position, length) = ((position & 0xff) as u32, (length & 0xff) as u32);
    if position >= bits || length == 0 {
        return target;
    }
    let field = (mask(length.min(64)) << position) & mask(bits);
    (target & !field) | ((source << position) & field)
}

/// Every bit of the result is the bit of the table that the bits of a, b and c select.
fn lookup(a: u64, b: u64, c: u64, table: u64) -> u64 {
    let mut result = 0;
    for index in 0..8 {
        if (table >> index) & 1 == 1 {
            let choose = |slot: u64, bit: u64| if index & bit != 0 { slot } else { !slot };
            result |= choose(a, 4) & choose(b, 2) & choose(c, 1);
        }
    }
    result & mask(32)
}

pub(super) fn quaternary(name: &str, kind: Kind) -> Option<Quaternary> {
    Some(match (name, kind.bits()) {
        ("bfi", 32) => |a, b, c, d| insert_bits(a, b, c, d, 32),
        ("bfi", 64) => |a, b, c, d| insert_bits(a, b, c, d, 64),
        ("lop3", 32) => lookup,
        _ => return None,
    })
}

/// Joins `parts` numbers of `bits` bits, the first lowest.
pub(super) fn pack(parts: usize, bits: u32) -> Option<Quaternary> {
    Some(match (parts, bits) {
        (2, 8) => |a, b, _, _| (a & 0xff) | ((b & 0xff) << 8),
        (2, 16) => |a, b, _, _| (a & 0xffff) | ((b & 0xffff) << 16),
        (2, 32) => |a, b, _, _| (a & mask(32)) | (b << 32),
        (4, 8) => |a, b, c, d| (a & 0xff) | ((b & 0xff) << 8) | ((c & 0xff) << 16) | ((d & 0xff) << 24),
        (4, 16) => |a, b, c, d| (a & 0xffff) | ((b & 0xffff) << 16) | ((c & 0xffff) << 32) | (d << 48),
        _ => return None,
    })
}

/// The part of `bits` bits at `index`, counted from the lowest.
pub(super) fn part(index: usize, bits: u32) -> Option<Unary> {
    Some(match (index, bits) {
        (0, 8) => |a| a & 0xff,
        (1, 8) => |a| (a >> 8) & 0xff,
        (2, 8) => |a| (a >> 16) & 0xff,
        (3, 8) => |a| (a >> 24) & 0xff,
        (0, 16) => |a| a & 0xffff,
        (1, 16) => |a| (a >> 16) & 0xffff,
        (2, 16) => |a| (a >> 32) & 0xffff,
        (3, 16) => |a| (a >> 48) & 0xffff,
        (0, 32) => |a| a & mask(32),
        (1, 32) => |a| a >> 32,
        _ => return None,
    })
}
