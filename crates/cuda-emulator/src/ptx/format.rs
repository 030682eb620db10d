//! Floating-point formats by their bits: correct rounding from f64 to any narrower format, and back.

/// Which neighbour an inexact result takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rounding {
    Nearest,
    Zero,
    Down,
    Up,
}

impl Rounding {
    /// `rn`, `rz`, `rm` or `rp`
    pub(super) fn from_modifier(modifier: &str) -> Option<Rounding> {
        Some(match modifier {
            "rn" => Rounding::Nearest,
            "rz" => Rounding::Zero,
            "rm" => Rounding::Down,
            "rp" => Rounding::Up,
            _ => return None,
        })
    }
}

/// A binary floating-point format of at most 32 bits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Format {
    mantissa_bits: u32,
    exponent_bits: u32,
    max_finite: u64,
    nan: u64,
}

pub(super) const F32: Format =
    Format { mantissa_bits: 23, exponent_bits: 8, max_finite: 0x7f7f_ffff, nan: 0x7fff_ffff };
pub(super) const F16: Format =
    Format { mantissa_bits: 10, exponent_bits: 5, max_finite: 0x7bff, nan: 0x7fff };
pub(super) const BF16: Format =
    Format { mantissa_bits: 7, exponent_bits: 8, max_finite: 0x7f7f, nan: 0x7fff };
pub(super) const E4M3: Format = Format { mantissa_bits: 3, exponent_bits: 4, max_finite: 0x7e, nan: 0x7f };
pub(super) const E5M2: Format = Format { mantissa_bits: 2, exponent_bits: 5, max_finite: 0x7b, nan: 0x7f };

impl Format {
    fn bias(self) -> i32 {
        (1 << (self.exponent_bits - 1)) - 1
    }

    fn sign_bit(self) -> u64 {
        1 << (self.mantissa_bits + self.exponent_bits)
    }

    /// The bits of `value` rounded to this format.
    pub(super) fn round(self, value: f64, rounding: Rounding) -> u64 {
        if value.is_nan() {
            return self.nan;
        }
        let negative = value.is_sign_negative();
        let sign = if negative { self.sign_bit() } else { 0 };
        if value.is_infinite() {
            return sign | (self.max_finite + 1);
        }
        if value == 0.0 {
            return sign;
        }
        let bits = value.to_bits();
        let field = ((bits >> 52) & 0x7ff) as i32;
        let fraction = bits & ((1 << 52) - 1);
        let (exponent, significand) =
            if field == 0 { (-1022, fraction) } else { (field - 1023, fraction | (1 << 52)) };
        let smallest = 1 - self.bias();
        let below = (smallest - exponent).max(0) as u32;
        let dropped = (52 - self.mantissa_bits + below).min(60);
        let kept = significand >> dropped;
        let rest = significand & ((1 << dropped) - 1);
        let half = 1u64 << (dropped - 1);
        let away = match rounding {
            Rounding::Nearest => rest > half || (rest == half && kept & 1 == 1),
            Rounding::Zero => false,
            Rounding::Down => negative && rest != 0,
            Rounding::Up => !negative && rest != 0,
        };
        let kept = kept + u64::from(away);
        let magnitude = if below > 0 || exponent < smallest {
            kept
        } else {
            // a carry out of the significand lands in the exponent, where it belongs
            (((exponent + self.bias()) as u64) << self.mantissa_bits) + (kept - (1 << self.mantissa_bits))
        };
        if magnitude > self.max_finite {
            let to_infinity = match rounding {
                Rounding::Nearest => true,
                Rounding::Zero => false,
                Rounding::Down => negative,
                Rounding::Up => !negative,
            };
            return sign | if to_infinity { self.max_finite + 1 } else { self.max_finite };
        }
        sign | magnitude
    }

    /// Like `round` to nearest, with everything too large becoming the largest finite number.
    pub(super) fn round_saturating(self, value: f64) -> u64 {
        if value.is_nan() {
            return self.nan;
        }
        let bits = self.round(value, Rounding::Nearest);
        let magnitude = bits & (self.sign_bit() - 1);
        (bits & self.sign_bit()) | magnitude.min(self.max_finite)
    }

    /// The value that `bits` stand for.
    pub(super) fn value(self, bits: u64) -> f64 {
        let magnitude = bits & (self.sign_bit() - 1);
        let field = (magnitude >> self.mantissa_bits) as i32;
        let fraction = magnitude & ((1 << self.mantissa_bits) - 1);
        let absolute = if magnitude == self.max_finite + 1 && self.nan != magnitude {
            f64::INFINITY
        } else if magnitude > self.max_finite {
            f64::NAN
        } else if field == 0 {
            fraction as f64 * power_of_two(1 - self.bias() - self.mantissa_bits as i32)
        } else {
            (fraction | (1 << self.mantissa_bits)) as f64
                * power_of_two(field - self.bias() - self.mantissa_bits as i32)
        };
        if bits & self.sign_bit() != 0 { -absolute } else { absolute }
    }
}

fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

/// a + b rounded to odd in f64: rounding the result again to a format of half the precision is then exact.
pub(super) fn add_to_odd(a: f64, b: f64) -> f64 {
    let sum = a + b;
    let from_b = sum - a;
    let error = (a - (sum - from_b)) + (b - from_b);
    odd(sum, error)
}

/// `rounded`, a nearest f64 of some exact result that lies in the direction of `error`, moved to the odd neighbour.
pub(super) fn odd(rounded: f64, error: f64) -> f64 {
    if error == 0.0 || !error.is_finite() || !rounded.is_finite() || rounded.to_bits() & 1 == 1 {
        return rounded;
    }
    if error > 0.0 { rounded.next_up() } else { rounded.next_down() }
}

/// `nearest`, the f64 nearest to an exact result that lies in the direction of `error`, in another rounding.
pub(super) fn direct(nearest: f64, error: f64, rounding: Rounding) -> f64 {
    let toward_zero_is_down = nearest > 0.0;
    let down = match rounding {
        Rounding::Nearest => return nearest,
        Rounding::Down => true,
        Rounding::Up => false,
        Rounding::Zero => toward_zero_is_down,
    };
    if nearest.is_infinite() && error.is_nan() {
        return nearest;
    }
    match (down, error) {
        (true, error) if error < 0.0 => nearest.next_down(),
        (false, error) if error > 0.0 => nearest.next_up(),
        _ => nearest,
    }
}
