//! Comparisons: two slots give a predicate.

use super::kind::Kind;
use super::slot::{Bf16, F16, Flushed, Real, Slot};
use super::{Binary, Unary};
use std::cmp::Ordering;

macro_rules! integers {
    ($t:ty, $name:expr) => {
        match $name {
            "eq" => |a, b| u64::from(<$t>::read(a) == <$t>::read(b)),
            "ne" => |a, b| u64::from(<$t>::read(a) != <$t>::read(b)),
            "lt" | "lo" => |a, b| u64::from(<$t>::read(a) < <$t>::read(b)),
            "le" | "ls" => |a, b| u64::from(<$t>::read(a) <= <$t>::read(b)),
            "gt" | "hi" => |a, b| u64::from(<$t>::read(a) > <$t>::read(b)),
            "ge" | "hs" => |a, b| u64::from(<$t>::read(a) >= <$t>::read(b)),
            _ => return None,
        }
    };
}

#[inline(always)]
fn order<T: Real>(a: u64, b: u64) -> Option<Ordering> {
    T::read(a).value().partial_cmp(&T::read(b).value())
}

macro_rules! floats {
    ($t:ty, $name:expr) => {
        match $name {
            "eq" => |a, b| u64::from(order::<$t>(a, b) == Some(Ordering::Equal)),
            "ne" => |a, b| u64::from(order::<$t>(a, b).is_some_and(Ordering::is_ne)),
            "lt" => |a, b| u64::from(order::<$t>(a, b).is_some_and(Ordering::is_lt)),
            "le" => |a, b| u64::from(order::<$t>(a, b).is_some_and(Ordering::is_le)),
            "gt" => |a, b| u64::from(order::<$t>(a, b).is_some_and(Ordering::is_gt)),
            "ge" => |a, b| u64::from(order::<$t>(a, b).is_some_and(Ordering::is_ge)),
            "equ" => |a, b| u64::from(order::<$t>(a, b).is_none_or(Ordering::is_eq)),
            "neu" => |a, b| u64::from(order::<$t>(a, b).is_none_or(Ordering::is_ne)),
            "ltu" => |a, b| u64::from(order::<$t>(a, b).is_none_or(Ordering::is_lt)),
            "leu" => |a, b| u64::from(order::<$t>(a, b).is_none_or(Ordering::is_le)),
            "gtu" => |a, b| u64::from(order::<$t>(a, b).is_none_or(Ordering::is_gt)),
            "geu" => |a, b| u64::from(order::<$t>(a, b).is_none_or(Ordering::is_ge)),
            "num" => |a, b| u64::from(order::<$t>(a, b).is_some()),
            "nan" => |a, b| u64::from(order::<$t>(a, b).is_none()),
            _ => return None,
        }
    };
}

/// The comparison `name` of two numbers of one scalar type.
pub(super) fn comparison(name: &str, kind: Kind, ftz: bool) -> Option<Binary> {
    Some(match kind {
        Kind::B16 | Kind::U16 => integers!(u16, name),
        Kind::B32 | Kind::U32 => integers!(u32, name),
        Kind::B64 | Kind::U64 => integers!(u64, name),
        Kind::S16 => integers!(i16, name),
        Kind::S32 => integers!(i32, name),
        Kind::S64 => integers!(i64, name),
        Kind::F16 => floats!(F16, name),
        Kind::Bf16 => floats!(Bf16, name),
        Kind::F32 if ftz => floats!(Flushed, name),
        Kind::F32 => floats!(f32, name),
        Kind::F64 => floats!(f64, name),
        _ => return None,
    })
}

/// The type of one half of packed numbers.
pub(super) fn half_of(kind: Kind) -> Option<Kind> {
    match kind {
        Kind::F16x2 => Some(Kind::F16),
        Kind::Bf16x2 => Some(Kind::Bf16),
        _ => None,
    }
}

/// How `set` writes a predicate into a number: all ones, or 1.0.
pub(super) fn truth(kind: Kind) -> Option<Unary> {
    Some(match kind {
        Kind::U32 | Kind::S32 => |a| if a == 1 { 0xffff_ffff } else { 0 },
        Kind::U16 | Kind::S16 => |a| if a == 1 { 0xffff } else { 0 },
        Kind::F32 => |a| if a == 1 { f32::ONE } else { 0 },
        Kind::F16 => |a| if a == 1 { F16::ONE } else { 0 },
        Kind::Bf16 => |a| if a == 1 { Bf16::ONE } else { 0 },
        _ => return None,
    })
}

/// The same for the comparisons of two halves.
pub(super) fn truths(kind: Kind) -> Option<Binary> {
    Some(match kind {
        Kind::U32 | Kind::S32 => |a, b| (a * 0xffff) | ((b * 0xffff) << 16),
        Kind::F16x2 => |a, b| (a * F16::ONE) | ((b * F16::ONE) << 16),
        Kind::Bf16x2 => |a, b| (a * Bf16::ONE) | ((b * Bf16::ONE) << 16),
        _ => return None,
    })
}
