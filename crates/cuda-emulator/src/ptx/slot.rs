//! What a register slot of 64 bits can hold: every PTX type reads itself from a slot and gives its bits back.

use super::format::{self, Rounding, add_to_odd, direct, odd};

/// A PTX type that lives in a register.
pub(super) trait Slot: Copy {
    /// The value in the low bits of `slot`.
    fn read(slot: u64) -> Self;
    /// The value as a slot, high bits zero.
    fn bits(self) -> u64;
}

macro_rules! integer_slot {
    ($($t:ty as $unsigned:ty),*) => {$(
        impl Slot for $t {
            #[inline(always)]
            fn read(slot: u64) -> Self { slot as $t }
            #[inline(always)]
            fn bits(self) -> u64 { self as $unsigned as u64 }
        }
    )*};
}
integer_slot!(u8 as u8, u16 as u16, u32 as u32, u64 as u64, i8 as u8, i16 as u16, i32 as u32, i64 as u64);

impl Slot for f32 {
    #[inline(always)]
    fn read(slot: u64) -> Self {
        f32::from_bits(slot as u32)
    }
    #[inline(always)]
    fn bits(self) -> u64 {
        u64::from(self.to_bits())
    }
}

impl Slot for f64 {
    #[inline(always)]
    fn read(slot: u64) -> Self {
        f64::from_bits(slot)
    }
    #[inline(always)]
    fn bits(self) -> u64 {
        self.to_bits()
    }
}

/// f32 of an instruction with `.ftz`: subnormal inputs and results are zeros.
#[derive(Clone, Copy)]
pub(super) struct Flushed(pub(super) f32);

pub(super) fn flush(value: f32) -> f32 {
    if value.is_subnormal() { 0f32.copysign(value) } else { value }
}

impl Slot for Flushed {
    #[inline(always)]
    fn read(slot: u64) -> Self {
        Flushed(flush(f32::read(slot)))
    }
    #[inline(always)]
    fn bits(self) -> u64 {
        flush(self.0).bits()
    }
}

/// IEEE half precision
#[derive(Clone, Copy)]
pub(super) struct F16(pub(super) u16);

/// the upper half of an f32
#[derive(Clone, Copy)]
pub(super) struct Bf16(pub(super) u16);

impl Slot for F16 {
    #[inline(always)]
    fn read(slot: u64) -> Self {
        F16(slot as u16)
    }
    #[inline(always)]
    fn bits(self) -> u64 {
        u64::from(self.0)
    }
}

impl Slot for Bf16 {
    #[inline(always)]
    fn read(slot: u64) -> Self {
        Bf16(slot as u16)
    }
    #[inline(always)]
    fn bits(self) -> u64 {
        u64::from(self.0)
    }
}

/// A scalar floating-point type. The default arithmetic is that of a type of at most 32 bits: exact, or rounded to odd, in
/// f64, then rounded once.
pub(super) trait Real: Slot {
    /// the quiet NaN that instructions answer
    const NAN: u64;
    const ONE: u64;
    const SIGN: u64;
    fn value(self) -> f64;
    fn round(value: f64, rounding: Rounding) -> Self;

    #[inline(always)]
    fn add(self, other: Self, rounding: Rounding) -> Self {
        Self::round(add_to_odd(self.value(), other.value()), rounding)
    }
    #[inline(always)]
    fn mul(self, other: Self, rounding: Rounding) -> Self {
        Self::round(self.value() * other.value(), rounding)
    }
    #[inline(always)]
    fn fma(self, factor: Self, addend: Self, rounding: Rounding) -> Self {
        Self::round(add_to_odd(self.value() * factor.value(), addend.value()), rounding)
    }
    #[inline(always)]
    fn div(self, other: Self, rounding: Rounding) -> Self {
        let (x, y) = (self.value(), other.value());
        let quotient = x / y;
        Self::round(odd(quotient, (-quotient).mul_add(y, x) * y.signum()), rounding)
    }
    #[inline(always)]
    fn sqrt(self, rounding: Rounding) -> Self {
        let x = self.value();
        let root = x.sqrt();
        Self::round(odd(root, (-root).mul_add(root, x)), rounding)
    }
    #[inline(always)]
    fn neg(self) -> Self {
        Self::read(self.bits() ^ Self::SIGN)
    }
    #[inline(always)]
    fn abs(self) -> Self {
        Self::read(self.bits() & !Self::SIGN)
    }
    fn is_nan(self) -> bool {
        self.value().is_nan()
    }
}

impl Real for F16 {
    const NAN: u64 = 0x7fff;
    const ONE: u64 = 0x3c00;
    const SIGN: u64 = 0x8000;
    fn value(self) -> f64 {
        format::F16.value(u64::from(self.0))
    }
    fn round(value: f64, rounding: Rounding) -> Self {
        F16(format::F16.round(value, rounding) as u16)
    }
}

impl Real for Bf16 {
    const NAN: u64 = 0x7fff;
    const ONE: u64 = 0x3f80;
    const SIGN: u64 = 0x8000;
    #[inline(always)]
    fn value(self) -> f64 {
        f64::from(f32::from_bits(u32::from(self.0) << 16))
    }
    fn round(value: f64, rounding: Rounding) -> Self {
        Bf16(format::BF16.round(value, rounding) as u16)
    }
}

impl Real for f32 {
    const NAN: u64 = 0x7fff_ffff;
    const ONE: u64 = 0x3f80_0000;
    const SIGN: u64 = 0x8000_0000;
    #[inline(always)]
    fn value(self) -> f64 {
        f64::from(self)
    }
    #[inline(always)]
    fn round(value: f64, rounding: Rounding) -> Self {
        match rounding {
            Rounding::Nearest => value as f32,
            _ => f32::from_bits(format::F32.round(value, rounding) as u32),
        }
    }
    #[inline(always)]
    fn add(self, other: Self, rounding: Rounding) -> Self {
        match rounding {
            Rounding::Nearest => self + other,
            _ => <f32 as Real>::round(add_to_odd(self.value(), other.value()), rounding),
        }
    }
    #[inline(always)]
    fn mul(self, other: Self, rounding: Rounding) -> Self {
        match rounding {
            Rounding::Nearest => self * other,
            _ => <f32 as Real>::round(self.value() * other.value(), rounding),
        }
    }
    #[inline(always)]
    fn fma(self, factor: Self, addend: Self, rounding: Rounding) -> Self {
        match rounding {
            Rounding::Nearest => self.mul_add(factor, addend),
            _ => {
                let exact = add_to_odd(self.value() * factor.value(), addend.value());
                <f32 as Real>::round(exact, rounding)
            }
        }
    }
}

impl Real for Flushed {
    const NAN: u64 = <f32 as Real>::NAN;
    const ONE: u64 = <f32 as Real>::ONE;
    const SIGN: u64 = <f32 as Real>::SIGN;
    #[inline(always)]
    fn value(self) -> f64 {
        f64::from(self.0)
    }
    #[inline(always)]
    fn round(value: f64, rounding: Rounding) -> Self {
        Flushed(<f32 as Real>::round(value, rounding))
    }
}

impl Real for f64 {
    const NAN: u64 = 0x7fff_ffff_ffff_ffff;
    const ONE: u64 = 0x3ff0_0000_0000_0000;
    const SIGN: u64 = 0x8000_0000_0000_0000;
    #[inline(always)]
    fn value(self) -> f64 {
        self
    }
    #[inline(always)]
    fn round(value: f64, _: Rounding) -> Self {
        value
    }
    #[inline(always)]
    fn add(self, other: Self, rounding: Rounding) -> Self {
        let sum = self + other;
        let from_other = sum - self;
        direct(sum, (self - (sum - from_other)) + (other - from_other), rounding)
    }
    #[inline(always)]
    fn mul(self, other: Self, rounding: Rounding) -> Self {
        let product = self * other;
        direct(product, self.mul_add(other, -product), rounding)
    }
    /// Correct to nearest alone: nothing else is decoded.
    #[inline(always)]
    fn fma(self, factor: Self, addend: Self, _: Rounding) -> Self {
        self.mul_add(factor, addend)
    }
    #[inline(always)]
    fn div(self, other: Self, rounding: Rounding) -> Self {
        let quotient = self / other;
        direct(quotient, (-quotient).mul_add(other, self) * other.signum(), rounding)
    }
    #[inline(always)]
    fn sqrt(self, rounding: Rounding) -> Self {
        let root = f64::sqrt(self);
        direct(root, (-root).mul_add(root, self), rounding)
    }
}

/// One or two lanes of a floating-point type in a slot.
pub(super) trait Lanes {
    type Lane: Real;
    fn map(a: u64, f: impl Fn(Self::Lane) -> Self::Lane) -> u64;
    fn zip(a: u64, b: u64, f: impl Fn(Self::Lane, Self::Lane) -> Self::Lane) -> u64;
    fn zip3(a: u64, b: u64, c: u64, f: impl Fn(Self::Lane, Self::Lane, Self::Lane) -> Self::Lane) -> u64;
}

macro_rules! one_lane {
    ($($t:ty),*) => {$(
        impl Lanes for $t {
            type Lane = $t;
            #[inline(always)]
            fn map(a: u64, f: impl Fn($t) -> $t) -> u64 {
                f(<$t>::read(a)).bits()
            }
            #[inline(always)]
            fn zip(a: u64, b: u64, f: impl Fn($t, $t) -> $t) -> u64 {
                f(<$t>::read(a), <$t>::read(b)).bits()
            }
            #[inline(always)]
            fn zip3(a: u64, b: u64, c: u64, f: impl Fn($t, $t, $t) -> $t) -> u64 {
                f(<$t>::read(a), <$t>::read(b), <$t>::read(c)).bits()
            }
        }
    )*};
}
one_lane!(F16, Bf16, f32, Flushed, f64);

/// Two 16-bit numbers in one 32-bit register, the first in the low half.
pub(super) struct Pair<T>(std::marker::PhantomData<T>);

impl<T: Real> Lanes for Pair<T> {
    type Lane = T;
    fn map(a: u64, f: impl Fn(T) -> T) -> u64 {
        f(T::read(a)).bits() | (f(T::read(a >> 16)).bits() << 16)
    }
    fn zip(a: u64, b: u64, f: impl Fn(T, T) -> T) -> u64 {
        f(T::read(a), T::read(b)).bits() | (f(T::read(a >> 16), T::read(b >> 16)).bits() << 16)
    }
    fn zip3(a: u64, b: u64, c: u64, f: impl Fn(T, T, T) -> T) -> u64 {
        let low = f(T::read(a), T::read(b), T::read(c)).bits();
        low | (f(T::read(a >> 16), T::read(b >> 16), T::read(c >> 16)).bits() << 16)
    }
}
