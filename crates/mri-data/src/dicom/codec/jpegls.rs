//! JPEG-LS (ISO/IEC 14495-1), lossless and near-lossless, of one component. The names are those of the standard.

mod bits;
mod header;

use super::{check_depth, check_size};
use crate::dicom::pixels::PixelFormat;
use bits::Bits;
use header::{Parameters, parameters};

/// Contexts of the regular mode (the first is not used) and the two of run interruption.
const CONTEXTS: usize = 367;
const RUN_INTERRUPTION: usize = 365;
/// Order of the Golomb code of runs.
const J: [u32; 32] =
    [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15];

pub(super) fn decode(bytes: &[u8], format: &PixelFormat) -> Result<Vec<u32>, String> {
    let (parameters, scan) = parameters(bytes)?;
    check_size(format, parameters.columns, parameters.rows)?;
    check_depth(format, parameters.precision)?;
    let mut decoder = Decoder::new(&parameters, scan);
    let mut pixels = Vec::with_capacity(format.frame_px());
    // Each line has a sample before and one behind the image.
    let mut above = vec![0; format.columns + 2];
    let mut line = vec![0; format.columns + 2];
    for row in 0..format.rows {
        if decoder.line(&mut above, &mut line).is_none() {
            return Err(format!("the data end in row {} of {}", row + 1, format.rows));
        }
        pixels.extend(line[1..=format.columns].iter().map(|&sample| sample as u32));
        std::mem::swap(&mut above, &mut line);
    }
    Ok(pixels)
}

#[derive(Clone, Copy)]
struct Context {
    /// Sum of magnitudes of errors.
    a: i32,
    /// Sum of errors, the bias.
    b: i32,
    /// The correction of the prediction.
    c: i32,
    /// Occurrences.
    n: i32,
    /// Negative errors, of run interruption.
    nn: i32,
}

struct Decoder<'a> {
    p: &'a Parameters,
    bits: Bits<'a>,
    contexts: [Context; CONTEXTS],
    run_index: usize,
}

impl<'a> Decoder<'a> {
    fn new(p: &'a Parameters, scan: &'a [u8]) -> Self {
        let fresh = Context { a: ((p.range + 32) / 64).max(2), b: 0, c: 0, n: 1, nn: 0 };
        Self { p, bits: Bits::new(scan), contexts: [fresh; CONTEXTS], run_index: 0 }
    }

    /// Decodes one line; nothing where the data end before it does.
    fn line(&mut self, above: &mut [i32], line: &mut [i32]) -> Option<()> {
        let columns = line.len() - 2;
        above[columns + 1] = above[columns];
        line[0] = above[1];
        let mut x = 1;
        while x <= columns {
            let (ra, rb, rc, rd) = (line[x - 1], above[x], above[x - 1], above[x + 1]);
            let gradients = [rd - rb, rb - rc, rc - ra];
            if gradients.iter().all(|gradient| gradient.abs() <= self.p.near) {
                let run = self.run(columns + 1 - x)?;
                line[x..x + run].fill(ra);
                x += run;
                if x <= columns {
                    line[x] = self.interruption(ra, above[x])?;
                    self.run_index = self.run_index.saturating_sub(1);
                    x += 1;
                }
            } else {
                line[x] = self.regular(gradients, [ra, rb, rc])?;
                x += 1;
            }
        }
        Some(())
    }

    fn regular(&mut self, gradients: [i32; 3], [ra, rb, rc]: [i32; 3]) -> Option<i32> {
        let [q1, q2, q3] = gradients.map(|gradient| self.p.quantized(gradient));
        let index = 81 * q1 + 9 * q2 + q3;
        let sign = if index < 0 { -1 } else { 1 };
        let context = self.contexts.get_mut(index.unsigned_abs() as usize)?;
        let predicted = if rc >= ra.max(rb) {
            ra.min(rb)
        } else if rc <= ra.min(rb) {
            ra.max(rb)
        } else {
            ra + rb - rc
        };
        let predicted = (predicted + sign * context.c).clamp(0, self.p.maxval);
        let k = golomb_order(context.n, context.a)?;
        let mapped = self.bits.golomb(k, self.p.limit, self.p.qbpp)?;
        let folded = self.p.near == 0 && k == 0 && 2 * context.b <= -context.n;
        let error = match (mapped % 2 == 1, folded) {
            (false, false) => mapped / 2,
            (true, false) => -(mapped + 1) / 2,
            (true, true) => (mapped - 1) / 2,
            (false, true) => -(mapped / 2) - 1,
        };
        context.b += error * (2 * self.p.near + 1);
        context.a += error.abs();
        if context.n == self.p.reset {
            context.a >>= 1;
            context.b >>= 1;
            context.n >>= 1;
        }
        context.n += 1;
        if context.b <= -context.n {
            context.b = (context.b + context.n).max(1 - context.n);
            context.c = (context.c - 1).max(-128);
        } else if context.b > 0 {
            context.b = (context.b - context.n).min(0);
            context.c = (context.c + 1).min(127);
        }
        Some(self.p.reconstructed(predicted, sign * error))
    }

    /// The length of a run, at most `room`.
    fn run(&mut self, room: usize) -> Option<usize> {
        let mut length = 0;
        while self.bits.read(1)? == 1 {
            let whole = 1 << J[self.run_index];
            if whole > room - length {
                return Some(room);
            }
            length += whole;
            self.run_index = (self.run_index + 1).min(31);
            if length == room {
                return Some(room);
            }
        }
        length += self.bits.read(J[self.run_index])? as usize;
        // The sample that interrupts it is still in the line.
        (length < room).then_some(length)
    }

    fn interruption(&mut self, ra: i32, rb: i32) -> Option<i32> {
        let alike = i32::from((ra - rb).abs() <= self.p.near);
        let context = self.contexts.get_mut(RUN_INTERRUPTION + alike as usize)?;
        let k = golomb_order(context.n, context.a + alike * (context.n >> 1))?;
        let limit = self.p.limit - J[self.run_index] - 1;
        let mapped = self.bits.golomb(k, limit, self.p.qbpp)?;
        let odd = (mapped + alike) % 2;
        let magnitude = (mapped + alike + odd) / 2;
        let negative = (k != 0 || 2 * context.nn >= context.n) == (odd == 1);
        let error = if negative { -magnitude } else { magnitude };
        context.nn += i32::from(error < 0);
        context.a += (mapped + 1 - alike) >> 1;
        if context.n == self.p.reset {
            context.a >>= 1;
            context.n >>= 1;
            context.nn >>= 1;
        }
        context.n += 1;
        let (predicted, sign) = if alike == 1 { (ra, 1) } else { (rb, if ra > rb { -1 } else { 1 }) };
        Some(self.p.reconstructed(predicted, sign * error))
    }
}

/// The smallest k with `n * 2^k >= a`.
fn golomb_order(n: i32, a: i32) -> Option<u32> {
    (0..24).find(|k| n << k >= a)
}
