//! `cvt`: from any type to any other.

use super::Unary;
use super::format::{self, Rounding};
use super::kind::Kind;
use super::slot::{Bf16, F16, Real, Slot, flush};

/// A conversion between scalar types.
#[derive(Debug, Clone, Copy)]
pub(super) struct Conversion {
    pub(super) from: Kind,
    pub(super) to: Kind,
    pub(super) rounding: Rounding,
    /// `.rni` and its like: a float is rounded to a whole number
    pub(super) to_whole: bool,
    pub(super) saturate: bool,
    pub(super) ftz: bool,
    pub(super) relu: bool,
}

enum Number {
    Integer(i128),
    Float(f64),
}

impl Conversion {
    pub(super) fn apply(&self, slot: u64) -> u64 {
        match self.read(slot) {
            Number::Integer(value) if self.to.is_float() => self.write_float(self.float_of(value)),
            Number::Integer(value) => self.write_integer(value),
            Number::Float(value) => {
                let value = if self.to_whole { whole(value, self.rounding) } else { value };
                if self.to.is_float() { self.write_float(value) } else { self.integer_of(value) }
            }
        }
    }

    fn read(&self, slot: u64) -> Number {
        Number::Integer(match self.from {
            Kind::U8 | Kind::B8 => u8::read(slot).into(),
            Kind::U16 | Kind::B16 => u16::read(slot).into(),
            Kind::U32 | Kind::B32 => u32::read(slot).into(),
            Kind::S8 => i8::read(slot).into(),
            Kind::S16 => i16::read(slot).into(),
            Kind::S32 => i32::read(slot).into(),
            Kind::S64 => i64::read(slot).into(),
            Kind::F16 => return Number::Float(F16::read(slot).value()),
            Kind::Bf16 => return Number::Float(Bf16::read(slot).value()),
            Kind::F32 if self.ftz => return Number::Float(flush(f32::read(slot)).into()),
            Kind::F32 => return Number::Float(f32::read(slot).into()),
            Kind::F64 => return Number::Float(f64::read(slot)),
            _ => slot.into(),
        })
    }

    /// An integer as f64: rounded if that is the result, to odd if it will be rounded again.
    fn float_of(&self, value: i128) -> f64 {
        let nearest = value as f64;
        let error = (value - nearest as i128) as f64;
        match self.to {
            Kind::F64 => format::direct(nearest, error, self.rounding),
            _ => format::odd(nearest, error),
        }
    }

    fn write_float(&self, value: f64) -> u64 {
        let value = match (self.saturate, self.relu) {
            (true, _) if value.is_nan() => 0.0,
            (true, _) => value.clamp(0.0, 1.0) + 0.0,
            (false, true) if value <= 0.0 => 0.0,
            _ => value,
        };
        match self.to {
            Kind::F16 => F16::round(value, self.rounding).bits(),
            Kind::Bf16 => Bf16::round(value, self.rounding).bits(),
            Kind::F32 => {
                let rounded = <f32 as Real>::round(value, self.rounding);
                if self.ftz { flush(rounded).bits() } else { rounded.bits() }
            }
            _ => value.bits(),
        }
    }

    fn range(&self) -> (i128, i128) {
        let bits = self.to.bits();
        if self.to.is_signed() { (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) } else { (0, (1 << bits) - 1) }
    }

    fn write_integer(&self, value: i128) -> u64 {
        let (lowest, highest) = self.range();
        let value = if self.saturate { value.clamp(lowest, highest) } else { value };
        value as u64 & (u64::MAX >> (64 - self.to.bits()))
    }

    /// Floats beyond the integer's range become its ends, and NaN zero.
    fn integer_of(&self, value: f64) -> u64 {
        let (lowest, highest) = self.range();
        (value as i128).clamp(lowest, highest) as u64 & (u64::MAX >> (64 - self.to.bits()))
    }
}

fn whole(value: f64, rounding: Rounding) -> f64 {
    match rounding {
        Rounding::Nearest => value.round_ties_even(),
        Rounding::Zero => value.trunc(),
        Rounding::Down => value.floor(),
        Rounding::Up => value.ceil(),
    }
}

impl Conversion {
    /// The same as one function, for the conversions that programs use most.
    pub(super) fn fast(&self) -> Option<Unary> {
        if self.saturate || self.ftz || self.relu {
            return None;
        }
        Some(match (self.from, self.to, self.rounding, self.to_whole) {
            (Kind::Bf16, Kind::F32, _, false) => |a| (a & 0xffff) << 16,
            (Kind::F16, Kind::F32, _, false) => |a| (F16::read(a).value() as f32).bits(),
            (Kind::F32, Kind::F64, _, false) => |a| f64::from(f32::read(a)).bits(),
            (Kind::F64, Kind::F32, Rounding::Nearest, false) => |a| (f64::read(a) as f32).bits(),
            (Kind::S32, Kind::F32, Rounding::Nearest, _) => |a| (i32::read(a) as f32).bits(),
            (Kind::U32, Kind::F32, Rounding::Nearest, _) => |a| (u32::read(a) as f32).bits(),
            (Kind::S64, Kind::F32, Rounding::Nearest, _) => |a| (i64::read(a) as f32).bits(),
            (Kind::U64, Kind::F32, Rounding::Nearest, _) => |a| (u64::read(a) as f32).bits(),
            (Kind::F32, Kind::S32, Rounding::Zero, true) => |a| (f32::read(a) as i32).bits(),
            (Kind::F32, Kind::U32, Rounding::Zero, true) => |a| (f32::read(a) as u32).bits(),
            _ => return None,
        })
    }
}

/// Takes the low bits as `kind` says, with its sign, into a register of `bits` bits.
pub(super) fn extend(kind: Kind, bits: u32) -> Option<Unary> {
    macro_rules! extend {
        ($($kind:pat => $t:ty),*) => {
            match (kind, bits) {
                $(
                    ($kind, 16) => |a| <$t>::read(a) as i64 as u16 as u64,
                    ($kind, 32) => |a| <$t>::read(a) as i64 as u32 as u64,
                    ($kind, 64) => |a| <$t>::read(a) as i64 as u64,
                )*
                _ => return None,
            }
        };
    }
    Some(extend!(
        Kind::U8 | Kind::B8 => u8,
        Kind::U16 | Kind::B16 => u16,
        Kind::U32 | Kind::B32 => u32,
        Kind::U64 | Kind::B64 => u64,
        Kind::S8 => i8,
        Kind::S16 => i16,
        Kind::S32 => i32,
        Kind::S64 => i64
    ))
}

/// `cvt.d.f32 d, a, b`: two numbers into one register, a in the upper half.
pub(super) fn pack(to: Kind, modifiers: &[&str]) -> Option<super::Binary> {
    let zero = modifiers.contains(&"rz");
    let relu = modifiers.contains(&"relu");
    let saturate = modifiers.contains(&"satfinite");
    Some(match (to, zero, relu, saturate) {
        (Kind::F16x2, false, false, false) => |a, b| join(format::F16, a, b, Rounding::Nearest),
        (Kind::F16x2, true, false, false) => |a, b| join(format::F16, a, b, Rounding::Zero),
        (Kind::Bf16x2, false, false, false) => |a, b| join(format::BF16, a, b, Rounding::Nearest),
        (Kind::Bf16x2, true, false, false) => |a, b| join(format::BF16, a, b, Rounding::Zero),
        (Kind::E4m3x2, false, false, true) => |a, b| join_bytes(format::E4M3, a, b),
        (Kind::E5m2x2, false, false, true) => |a, b| join_bytes(format::E5M2, a, b),
        _ => return None,
    })
}

fn join(format: format::Format, a: u64, b: u64, rounding: Rounding) -> u64 {
    let half = |slot| format.round(f32::read(slot).into(), rounding);
    (half(a) << 16) | half(b)
}

fn join_bytes(format: format::Format, a: u64, b: u64) -> u64 {
    let byte = |slot| format.round_saturating(f32::read(slot).into());
    (byte(a) << 8) | byte(b)
}

/// `cvt` between packed numbers: the two of one register.
pub(super) fn repack(from: Kind, to: Kind) -> Option<Unary> {
    Some(match (from, to) {
        (Kind::E4m3x2, Kind::F16x2) => |a| widen(format::E4M3, a),
        (Kind::E5m2x2, Kind::F16x2) => |a| widen(format::E5M2, a),
        (Kind::F16x2, Kind::E4m3x2) => |a| narrow(format::E4M3, a),
        (Kind::F16x2, Kind::E5m2x2) => |a| narrow(format::E5M2, a),
        _ => return None,
    })
}

fn widen(format: format::Format, a: u64) -> u64 {
    let half = |byte: u64| format::F16.round(format.value(byte & 0xff), Rounding::Nearest);
    half(a) | (half(a >> 8) << 16)
}

fn narrow(format: format::Format, a: u64) -> u64 {
    let byte = |half: u64| format.round_saturating(format::F16.value(half & 0xffff));
    byte(a) | (byte(a >> 16) << 8)
}
