//! Floating-point arithmetic on slots. Results are correctly rounded, those of the approximate instructions too.

use super::format::Rounding;
use super::kind::Kind;
use super::slot::{Bf16, F16, Flushed, Lanes, Pair, Real, Slot};
use super::{Binary, Ternary, Unary};

/// A rounding as a type: one function is compiled for each.
trait Mode {
    const ROUNDING: Rounding;
}
struct Nearest;
struct Zero;
struct Down;
struct Up;
impl Mode for Nearest {
    const ROUNDING: Rounding = Rounding::Nearest;
}
impl Mode for Zero {
    const ROUNDING: Rounding = Rounding::Zero;
}
impl Mode for Down {
    const ROUNDING: Rounding = Rounding::Down;
}
impl Mode for Up {
    const ROUNDING: Rounding = Rounding::Up;
}

fn add<P: Lanes, M: Mode>(a: u64, b: u64) -> u64 {
    P::zip(a, b, |x, y| x.add(y, M::ROUNDING))
}
fn sub<P: Lanes, M: Mode>(a: u64, b: u64) -> u64 {
    P::zip(a, b, |x, y| x.add(y.neg(), M::ROUNDING))
}
fn mul<P: Lanes, M: Mode>(a: u64, b: u64) -> u64 {
    P::zip(a, b, |x, y| x.mul(y, M::ROUNDING))
}
fn fma<P: Lanes, M: Mode>(a: u64, b: u64, c: u64) -> u64 {
    P::zip3(a, b, c, |x, y, z| x.fma(y, z, M::ROUNDING))
}
fn div<P: Lanes, M: Mode>(a: u64, b: u64) -> u64 {
    P::zip(a, b, |x, y| x.div(y, M::ROUNDING))
}
fn sqrt<P: Lanes, M: Mode>(a: u64) -> u64 {
    P::map(a, |x| x.sqrt(M::ROUNDING))
}
fn rcp<P: Lanes, M: Mode>(a: u64) -> u64 {
    P::map(a, |x| P::Lane::read(P::Lane::ONE).div(x, M::ROUNDING))
}
fn neg<P: Lanes>(a: u64) -> u64 {
    P::map(a, P::Lane::neg)
}
fn abs<P: Lanes>(a: u64) -> u64 {
    P::map(a, P::Lane::abs)
}

fn smaller<T: Real>(a: T, b: T) -> T {
    let (x, y) = (a.value(), b.value());
    if x.is_nan() && y.is_nan() {
        T::read(T::NAN)
    } else if x.is_nan() || y < x || (x == y && y.is_sign_negative()) {
        b
    } else {
        a
    }
}
fn larger<T: Real>(a: T, b: T) -> T {
    let (x, y) = (a.value(), b.value());
    if x.is_nan() && y.is_nan() {
        T::read(T::NAN)
    } else if x.is_nan() || y > x || (x == y && x.is_sign_negative()) {
        b
    } else {
        a
    }
}
fn min<P: Lanes>(a: u64, b: u64) -> u64 {
    P::zip(a, b, smaller)
}
fn max<P: Lanes>(a: u64, b: u64) -> u64 {
    P::zip(a, b, larger)
}
fn either_nan<T: Real>(a: T, b: T, choice: fn(T, T) -> T) -> T {
    if a.is_nan() || b.is_nan() { T::read(T::NAN) } else { choice(a, b) }
}
fn min_nan<P: Lanes>(a: u64, b: u64) -> u64 {
    P::zip(a, b, |x, y| either_nan(x, y, smaller))
}
fn max_nan<P: Lanes>(a: u64, b: u64) -> u64 {
    P::zip(a, b, |x, y| either_nan(x, y, larger))
}
fn relu<P: Lanes>(a: u64) -> u64 {
    P::map(a, |x| either_nan(x, P::Lane::read(0), larger))
}
fn saturate<P: Lanes>(a: u64) -> u64 {
    P::map(a, |x| {
        let (zero, one) = (P::Lane::read(0), P::Lane::read(P::Lane::ONE));
        smaller(larger(x, zero), one)
    })
}
fn map<P: Lanes>(a: u64, f: fn(f64) -> f64) -> u64 {
    P::map(a, |x| P::Lane::round(f(x.value()), Rounding::Nearest))
}
fn ex2<P: Lanes>(a: u64) -> u64 {
    map::<P>(a, f64::exp2)
}
fn lg2<P: Lanes>(a: u64) -> u64 {
    map::<P>(a, f64::log2)
}
fn sin<P: Lanes>(a: u64) -> u64 {
    map::<P>(a, f64::sin)
}
fn cos<P: Lanes>(a: u64) -> u64 {
    map::<P>(a, f64::cos)
}
fn tanh<P: Lanes>(a: u64) -> u64 {
    map::<P>(a, f64::tanh)
}
fn rsqrt<P: Lanes>(a: u64) -> u64 {
    map::<P>(a, |x| 1.0 / x.sqrt())
}
fn copysign<T: Real>(sign: u64, magnitude: u64) -> u64 {
    (sign & T::SIGN) | T::read(magnitude).abs().bits()
}

/// One function for each type, chosen by kind and `.ftz`.
macro_rules! by_kind {
    ($kind:expr, $ftz:expr, |$p:ident| $function:expr) => {
        match ($kind, $ftz) {
            (Kind::F32, true) => by_kind!(@ $p = Flushed, $function),
            (Kind::F32, false) => by_kind!(@ $p = f32, $function),
            (Kind::F64, _) => by_kind!(@ $p = f64, $function),
            (Kind::F16, _) => by_kind!(@ $p = F16, $function),
            (Kind::Bf16, _) => by_kind!(@ $p = Bf16, $function),
            (Kind::F16x2, _) => by_kind!(@ $p = Pair<F16>, $function),
            (Kind::Bf16x2, _) => by_kind!(@ $p = Pair<Bf16>, $function),
            _ => return None,
        }
    };
    (@ $p:ident = $t:ty, $function:expr) => {{
        type $p = $t;
        $function
    }};
}
macro_rules! by_mode {
    ($rounding:expr, |$m:ident| $function:expr) => {
        match $rounding {
            Rounding::Nearest => {
                type $m = Nearest;
                $function
            }
            Rounding::Zero => {
                type $m = Zero;
                $function
            }
            Rounding::Down => {
                type $m = Down;
                $function
            }
            Rounding::Up => {
                type $m = Up;
                $function
            }
        }
    };
}

/// What the modifiers of a floating-point instruction say.
pub(super) struct FloatModifiers {
    pub(super) rounding: Rounding,
    pub(super) ftz: bool,
    pub(super) nan: bool,
}

impl FloatModifiers {
    pub(super) fn of(modifiers: &[&str]) -> FloatModifiers {
        FloatModifiers {
            rounding: modifiers.iter().find_map(|m| Rounding::from_modifier(m)).unwrap_or(Rounding::Nearest),
            ftz: modifiers.contains(&"ftz"),
            nan: modifiers.contains(&"NaN"),
        }
    }
}

pub(super) fn unary(name: &str, kind: Kind, modifiers: &FloatModifiers) -> Option<Unary> {
    let (ftz, rounding) = (modifiers.ftz, modifiers.rounding);
    Some(match name {
        "neg" => by_kind!(kind, ftz, |P| neg::<P>),
        "abs" => by_kind!(kind, ftz, |P| abs::<P>),
        "sqrt" => by_kind!(kind, ftz, |P| by_mode!(rounding, |M| sqrt::<P, M>)),
        "rcp" => by_kind!(kind, ftz, |P| by_mode!(rounding, |M| rcp::<P, M>)),
        "rsqrt" => by_kind!(kind, ftz, |P| rsqrt::<P>),
        "ex2" => by_kind!(kind, ftz, |P| ex2::<P>),
        "lg2" => by_kind!(kind, ftz, |P| lg2::<P>),
        "sin" => by_kind!(kind, ftz, |P| sin::<P>),
        "cos" => by_kind!(kind, ftz, |P| cos::<P>),
        "tanh" => by_kind!(kind, ftz, |P| tanh::<P>),
        "relu" => by_kind!(kind, ftz, |P| relu::<P>),
        "saturate" => by_kind!(kind, ftz, |P| saturate::<P>),
        _ => return None,
    })
}

pub(super) fn binary(name: &str, kind: Kind, modifiers: &FloatModifiers) -> Option<Binary> {
    let (ftz, rounding) = (modifiers.ftz, modifiers.rounding);
    Some(match (name, modifiers.nan) {
        ("add", _) => by_kind!(kind, ftz, |P| by_mode!(rounding, |M| add::<P, M>)),
        ("sub", _) => by_kind!(kind, ftz, |P| by_mode!(rounding, |M| sub::<P, M>)),
        ("mul", _) => by_kind!(kind, ftz, |P| by_mode!(rounding, |M| mul::<P, M>)),
        ("div", _) => by_kind!(kind, ftz, |P| by_mode!(rounding, |M| div::<P, M>)),
        ("min", false) => by_kind!(kind, ftz, |P| min::<P>),
        ("max", false) => by_kind!(kind, ftz, |P| max::<P>),
        ("min", true) => by_kind!(kind, ftz, |P| min_nan::<P>),
        ("max", true) => by_kind!(kind, ftz, |P| max_nan::<P>),
        ("copysign", _) => match kind {
            Kind::F32 => copysign::<f32>,
            Kind::F64 => copysign::<f64>,
            _ => return None,
        },
        _ => return None,
    })
}

pub(super) fn ternary(name: &str, kind: Kind, modifiers: &FloatModifiers) -> Option<Ternary> {
    let (ftz, rounding) = (modifiers.ftz, modifiers.rounding);
    if kind == Kind::F64 && rounding != Rounding::Nearest {
        return None;
    }
    match name {
        "fma" | "mad" => Some(by_kind!(kind, ftz, |P| by_mode!(rounding, |M| fma::<P, M>))),
        _ => None,
    }
}

/// `testp` of one kind of number.
pub(super) fn test(name: &str, kind: Kind) -> Option<Unary> {
    macro_rules! test {
        ($test:expr) => {
            match kind {
                Kind::F32 => |a| u64::from($test(f64::from(f32::read(a)), f32::read(a).is_subnormal())),
                Kind::F64 => |a| u64::from($test(f64::read(a), f64::read(a).is_subnormal())),
                _ => return None,
            }
        };
    }
    Some(match name {
        "finite" => test!(|x: f64, _| x.is_finite()),
        "infinite" => test!(|x: f64, _| x.is_infinite()),
        "number" => test!(|x: f64, _| !x.is_nan()),
        "notanumber" => test!(|x: f64, _| x.is_nan()),
        "normal" => test!(|x: f64, subnormal: bool| x.is_finite() && x != 0.0 && !subnormal),
        "subnormal" => test!(|_, subnormal: bool| subnormal),
        _ => return None,
    })
}
