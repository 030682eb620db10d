//! Integer arithmetic on slots.

use super::kind::Kind;
use super::slot::Slot;
use super::{Binary, Ternary, Unary};

trait Integer: Slot + Ord {
    const BITS: u32;
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn mul_high(self, other: Self) -> Self;
    /// the whole product, as a slot of twice the width
    fn mul_wide(self, other: Self) -> u64;
    fn add_saturating(self, other: Self) -> Self;
    fn sub_saturating(self, other: Self) -> Self;
    fn div(self, other: Self) -> Self;
    fn rem(self, other: Self) -> Self;
    fn neg(self) -> Self;
    fn abs(self) -> Self;
    fn shr(self, count: u32) -> Self;
    fn wide(self) -> i128;
}

macro_rules! integer {
    ($($t:ty, $twice:ty, $abs:expr);*) => {$(
        impl Integer for $t {
            const BITS: u32 = <$t>::BITS;
            #[inline(always)]
            fn add(self, other: Self) -> Self { self.wrapping_add(other) }
            #[inline(always)]
            fn sub(self, other: Self) -> Self { self.wrapping_sub(other) }
            #[inline(always)]
            fn mul(self, other: Self) -> Self { self.wrapping_mul(other) }
            #[inline(always)]
            fn mul_high(self, other: Self) -> Self {
                ((self as $twice).wrapping_mul(other as $twice) >> <$t>::BITS) as $t
            }
            #[inline(always)]
            fn mul_wide(self, other: Self) -> u64 {
                let bits = (self as $twice).wrapping_mul(other as $twice) as u64;
                if <$t>::BITS < 32 { bits & ((1 << (2 * <$t>::BITS)) - 1) } else { bits }
            }
            fn add_saturating(self, other: Self) -> Self { self.saturating_add(other) }
            fn sub_saturating(self, other: Self) -> Self { self.saturating_sub(other) }
            // a division by zero gives all ones, as the hardware does
            #[inline(always)]
            fn div(self, other: Self) -> Self {
                if other == 0 { <$t>::read(u64::MAX) } else { self.wrapping_div(other) }
            }
            #[inline(always)]
            fn rem(self, other: Self) -> Self { if other == 0 { self } else { self.wrapping_rem(other) } }
            fn neg(self) -> Self { self.wrapping_neg() }
            fn abs(self) -> Self { $abs(self) }
            #[inline(always)]
            fn shr(self, count: u32) -> Self {
                if count >= <$t>::BITS { (self >> (<$t>::BITS - 1)) >> 1 } else { self >> count }
            }
            #[inline(always)]
            fn wide(self) -> i128 { self as i128 }
        }
    )*};
}
integer!(
    u16, u32, |x| x; u32, u64, |x| x; u64, u128, |x| x;
    i16, i32, i16::wrapping_abs; i32, i64, i32::wrapping_abs; i64, i128, i64::wrapping_abs
);

fn add<T: Integer>(a: u64, b: u64) -> u64 {
    T::read(a).add(T::read(b)).bits()
}
fn sub<T: Integer>(a: u64, b: u64) -> u64 {
    T::read(a).sub(T::read(b)).bits()
}
fn add_saturating<T: Integer>(a: u64, b: u64) -> u64 {
    T::read(a).add_saturating(T::read(b)).bits()
}
fn sub_saturating<T: Integer>(a: u64, b: u64) -> u64 {
    T::read(a).sub_saturating(T::read(b)).bits()
}
fn mul_low<T: Integer>(a: u64, b: u64) -> u64 {
    T::read(a).mul(T::read(b)).bits()
}
fn mul_high<T: Integer>(a: u64, b: u64) -> u64 {
    T::read(a).mul_high(T::read(b)).bits()
}
fn mul_wide<T: Integer>(a: u64, b: u64) -> u64 {
    T::read(a).mul_wide(T::read(b))
}
fn mad_low<T: Integer>(a: u64, b: u64, c: u64) -> u64 {
    T::read(a).mul(T::read(b)).add(T::read(c)).bits()
}
fn mad_high<T: Integer>(a: u64, b: u64, c: u64) -> u64 {
    T::read(a).mul_high(T::read(b)).add(T::read(c)).bits()
}
fn mad_wide<T: Integer>(a: u64, b: u64, c: u64) -> u64 {
    let sum = T::read(a).mul_wide(T::read(b)).wrapping_add(c);
    if T::BITS < 32 { sum & 0xffff_ffff } else { sum }
}
fn div<T: Integer>(a: u64, b: u64) -> u64 {
    T::read(a).div(T::read(b)).bits()
}
fn rem<T: Integer>(a: u64, b: u64) -> u64 {
    T::read(a).rem(T::read(b)).bits()
}
fn min<T: Integer>(a: u64, b: u64) -> u64 {
    T::read(a).min(T::read(b)).bits()
}
fn max<T: Integer>(a: u64, b: u64) -> u64 {
    T::read(a).max(T::read(b)).bits()
}
fn neg<T: Integer>(a: u64) -> u64 {
    T::read(a).neg().bits()
}
fn abs<T: Integer>(a: u64) -> u64 {
    T::read(a).abs().bits()
}
fn relu<T: Integer>(a: u64) -> u64 {
    T::read(a).max(T::read(0)).bits()
}
fn shr<T: Integer>(a: u64, b: u64) -> u64 {
    T::read(a).shr(b as u32).bits()
}
fn sad<T: Integer>(a: u64, b: u64, c: u64) -> u64 {
    let (x, y) = (T::read(a), T::read(b));
    x.max(y).sub(x.min(y)).add(T::read(c)).bits()
}
/// the low or high 32 bits of the 48-bit product of 24-bit numbers
fn product24<T: Integer>(a: u64, b: u64) -> i128 {
    let narrow = |slot: u64| T::read(slot << 8).shr(8).wide();
    narrow(a) * narrow(b)
}
fn mul24_low<T: Integer>(a: u64, b: u64) -> u64 {
    product24::<T>(a, b) as u32 as u64
}
fn mul24_high<T: Integer>(a: u64, b: u64) -> u64 {
    (product24::<T>(a, b) >> 16) as u32 as u64
}
fn mad24_low<T: Integer>(a: u64, b: u64, c: u64) -> u64 {
    (product24::<T>(a, b) as u32).wrapping_add(c as u32) as u64
}
fn mad24_high<T: Integer>(a: u64, b: u64, c: u64) -> u64 {
    ((product24::<T>(a, b) >> 16) as u32).wrapping_add(c as u32) as u64
}
/// The position of the highest bit that differs from the sign, or all ones.
fn find_highest<T: Integer>(a: u64) -> u64 {
    let value = T::read(a).wide();
    let magnitude = if value < 0 { !value } else { value };
    if magnitude == 0 { u64::from(u32::MAX) } else { u64::from(127 - magnitude.leading_zeros()) }
}
fn find_highest_shift<T: Integer>(a: u64) -> u64 {
    let position = find_highest::<T>(a);
    if position == u64::from(u32::MAX) { position } else { u64::from(T::BITS - 1) - position }
}
fn extract_bits<T: Integer>(a: u64, position: u64, length: u64) -> u64 {
    let (position, length) = ((position & 0xff) as u32, (length & 0xff) as u32);
    let value = T::read(a).wide();
    if length == 0 {
        return 0;
    }
    // a signed field is extended with its highest bit that lies in the number
    let top = (position + length - 1).min(T::BITS - 1);
    let shifted = if position < 127 { value >> position } else { value >> 127 };
    let negative = T::read(u64::MAX).wide() < 0 && (value >> top) & 1 == 1;
    let kept = if length >= T::BITS { u128::MAX } else { (1u128 << length) - 1 };
    let inside = if position < T::BITS { (1u128 << (T::BITS - position)) - 1 } else { 0 };
    let field = shifted as u128 & kept & inside;
    let sign = if negative { !(kept & inside) } else { 0 };
    T::read((field | sign) as u64).bits()
}

macro_rules! by_integer {
    ($kind:expr, |$t:ident| $function:expr) => {
        match $kind {
            Kind::U16 | Kind::B16 => {
                type $t = u16;
                $function
            }
            Kind::U32 | Kind::B32 => {
                type $t = u32;
                $function
            }
            Kind::U64 | Kind::B64 => {
                type $t = u64;
                $function
            }
            Kind::S16 => {
                type $t = i16;
                $function
            }
            Kind::S32 => {
                type $t = i32;
                $function
            }
            Kind::S64 => {
                type $t = i64;
                $function
            }
            _ => return None,
        }
    };
}

pub(super) fn unary(name: &str, kind: Kind, modifiers: &[&str]) -> Option<Unary> {
    Some(match name {
        "neg" => by_integer!(kind, |T| neg::<T>),
        "abs" => by_integer!(kind, |T| abs::<T>),
        "relu" => by_integer!(kind, |T| relu::<T>),
        "bfind" if modifiers.contains(&"shiftamt") => by_integer!(kind, |T| find_highest_shift::<T>),
        "bfind" => by_integer!(kind, |T| find_highest::<T>),
        _ => return None,
    })
}

pub(super) fn binary(name: &str, kind: Kind, modifiers: &[&str]) -> Option<Binary> {
    let has = |modifier| modifiers.contains(&modifier);
    Some(match name {
        "add" if has("sat") => by_integer!(kind, |T| add_saturating::<T>),
        "sub" if has("sat") => by_integer!(kind, |T| sub_saturating::<T>),
        "add" => by_integer!(kind, |T| add::<T>),
        "sub" => by_integer!(kind, |T| sub::<T>),
        "mul" if has("wide") && kind.bits() < 64 => by_integer!(kind, |T| mul_wide::<T>),
        "mul" if has("hi") => by_integer!(kind, |T| mul_high::<T>),
        "mul" if has("lo") => by_integer!(kind, |T| mul_low::<T>),
        "mul24" if has("hi") => by_integer!(kind, |T| mul24_high::<T>),
        "mul24" => by_integer!(kind, |T| mul24_low::<T>),
        "div" => by_integer!(kind, |T| div::<T>),
        "rem" => by_integer!(kind, |T| rem::<T>),
        "min" => by_integer!(kind, |T| min::<T>),
        "max" => by_integer!(kind, |T| max::<T>),
        "shr" => by_integer!(kind, |T| shr::<T>),
        _ => return None,
    })
}

pub(super) fn ternary(name: &str, kind: Kind, modifiers: &[&str]) -> Option<Ternary> {
    let has = |modifier| modifiers.contains(&modifier);
    if has("sat") {
        return None;
    }
    Some(match name {
        "mad" if has("wide") && kind.bits() < 64 => by_integer!(kind, |T| mad_wide::<T>),
        "mad" if has("hi") => by_integer!(kind, |T| mad_high::<T>),
        "mad" if has("lo") => by_integer!(kind, |T| mad_low::<T>),
        "mad24" if has("hi") => by_integer!(kind, |T| mad24_high::<T>),
        "mad24" => by_integer!(kind, |T| mad24_low::<T>),
        "sad" => by_integer!(kind, |T| sad::<T>),
        "bfe" => by_integer!(kind, |T| extract_bits::<T>),
        _ => return None,
    })
}
