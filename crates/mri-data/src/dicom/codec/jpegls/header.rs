//! The markers before a scan.

/// What the markers say, and what follows from it.
pub(super) struct Parameters {
    pub(super) rows: u32,
    pub(super) columns: u32,
    pub(super) precision: u32,
    pub(super) maxval: i32,
    pub(super) near: i32,
    pub(super) range: i32,
    pub(super) reset: i32,
    pub(super) limit: u32,
    pub(super) qbpp: u32,
    thresholds: [i32; 3],
}

/// Coding parameters of an LSE marker; 0 where the default holds.
#[derive(Default)]
struct Presets {
    maxval: i32,
    thresholds: [i32; 3],
    reset: i32,
}

/// The parameters, and the bytes behind the header of the scan.
pub(super) fn parameters(bytes: &[u8]) -> Result<(Parameters, &[u8]), String> {
    if bytes.get(..2) != Some(&[0xFF, 0xD8]) {
        return Err("no start marker".into());
    }
    let mut at = 2;
    let mut frame = None;
    let mut presets = Presets::default();
    loop {
        let Some(&[0xFF, marker]) = bytes.get(at..at + 2) else {
            return Err("no marker where one is expected".into());
        };
        if marker == 0xFF {
            at += 1;
            continue;
        }
        let cut = || "the header is cut off".to_owned();
        let length: [u8; 2] =
            bytes.get(at + 2..at + 4).and_then(|two| two.try_into().ok()).ok_or_else(cut)?;
        let end = at + 2 + usize::from(u16::from_be_bytes(length));
        let segment = bytes.get(at + 4..end).ok_or_else(cut)?;
        match marker {
            0xF7 => {
                let &[precision, rows_high, rows_low, columns_high, columns_low, 1, ..] = segment else {
                    return Err("more than one component, or a frame header cut off".into());
                };
                let rows = u16::from_be_bytes([rows_high, rows_low]);
                let columns = u16::from_be_bytes([columns_high, columns_low]);
                frame = Some((u32::from(precision), u32::from(rows), u32::from(columns)));
            }
            0xF8 => presets = read_presets(segment)?,
            0xDD if segment.iter().any(|byte| *byte != 0) => {
                return Err("restart intervals are not supported".into());
            }
            0xDA => {
                let &[1, _, mapping, near, interleave, transform] = segment else {
                    return Err("a scan header that is not of one component".into());
                };
                if mapping != 0 || interleave != 0 || transform != 0 {
                    return Err("mapping tables, interleaving or point transforms are not supported".into());
                }
                let (precision, rows, columns) = frame.ok_or("no frame header")?;
                let parameters = Parameters::new(precision, rows, columns, near.into(), &presets)?;
                return Ok((parameters, bytes.get(end..).unwrap_or_default()));
            }
            0xC0..=0xCF => return Err("this is JPEG and not JPEG-LS".into()),
            _ => {}
        }
        at = end;
    }
}

fn read_presets(segment: &[u8]) -> Result<Presets, String> {
    let [1, words @ ..] = segment else { return Err("mapping tables are not supported".into()) };
    let words: Vec<i32> = words.as_chunks().0.iter().map(|word| u16::from_be_bytes(*word).into()).collect();
    match words[..] {
        [maxval, t1, t2, t3, reset] => Ok(Presets { maxval, thresholds: [t1, t2, t3], reset }),
        _ => Err("a preset segment of the wrong length".into()),
    }
}

impl Parameters {
    fn new(precision: u32, rows: u32, columns: u32, near: i32, presets: &Presets) -> Result<Self, String> {
        if !(2..=16).contains(&precision) {
            return Err(format!("{precision} bits a pixel"));
        }
        let maxval = if presets.maxval > 0 { presets.maxval } else { (1 << precision) - 1 };
        if maxval >= 1 << precision || near > 255.min(maxval / 2) {
            return Err("parameters that cannot be".into());
        }
        let range = (maxval + 2 * near) / (2 * near + 1) + 1;
        let bpp = bits_for(maxval + 1).max(2);
        let defaults = default_thresholds(maxval, near);
        let mut thresholds = presets.thresholds;
        for (threshold, default) in thresholds.iter_mut().zip(defaults) {
            if *threshold == 0 {
                *threshold = default;
            }
        }
        let reset = if presets.reset > 0 { presets.reset } else { 64 };
        if !(3..=maxval.max(255)).contains(&reset) || !thresholds.is_sorted() {
            return Err("parameters that cannot be".into());
        }
        let limit = 2 * (bpp + bpp.max(8));
        let qbpp = bits_for(range);
        Ok(Self { rows, columns, precision, maxval, near, range, reset, limit, qbpp, thresholds })
    }

    /// The region of a gradient, -4 to 4.
    pub(super) fn quantized(&self, gradient: i32) -> i32 {
        let size = gradient.abs();
        let [t1, t2, t3] = self.thresholds;
        let region = if size <= self.near {
            0
        } else if size < t1 {
            1
        } else if size < t2 {
            2
        } else if size < t3 {
            3
        } else {
            4
        };
        region * gradient.signum()
    }

    /// The sample that a prediction and its error give.
    pub(super) fn reconstructed(&self, predicted: i32, error: i32) -> i32 {
        let step = 2 * self.near + 1;
        let value = predicted + error * step;
        let value = if value < -self.near {
            value + self.range * step
        } else if value > self.maxval + self.near {
            value - self.range * step
        } else {
            value
        };
        value.clamp(0, self.maxval)
    }
}

/// The smallest number of bits that tell `count` values apart.
fn bits_for(count: i32) -> u32 {
    count.unsigned_abs().next_power_of_two().trailing_zeros()
}

fn default_thresholds(maxval: i32, near: i32) -> [i32; 3] {
    let wanted = if maxval >= 128 {
        let factor = (maxval.min(4095) + 128) / 256;
        [factor + 2 + 3 * near, 4 * factor + 3 + 5 * near, 17 * factor + 4 + 7 * near]
    } else {
        let factor = 256 / (maxval + 1);
        [(3 / factor + 3 * near).max(2), (7 / factor + 5 * near).max(3), (21 / factor + 7 * near).max(4)]
    };
    let mut least = near + 1;
    wanted.map(|threshold| {
        if (least..=maxval).contains(&threshold) {
            least = threshold;
        }
        least
    })
}
