//! The bits of a scan: after a byte of all ones, the next one has only seven.

pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    held: u32,
    held_bits: u32,
    after_ones: bool,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, held: 0, held_bits: 0, after_ones: false }
    }

    /// The next `count` bits, at most 24; nothing at the end of the data or at a marker.
    pub(super) fn read(&mut self, count: u32) -> Option<u32> {
        while self.held_bits < count {
            let byte = *self.bytes.get(self.at)?;
            if self.after_ones && byte >= 0x80 {
                return None;
            }
            let bits = if self.after_ones { 7 } else { 8 };
            self.held = self.held << bits | u32::from(byte);
            self.held_bits += bits;
            self.after_ones = byte == 0xFF;
            self.at += 1;
        }
        self.held_bits -= count;
        let value = self.held >> self.held_bits;
        self.held &= (1 << self.held_bits) - 1;
        Some(value)
    }

    /// A Golomb code of order `k` and limited length.
    pub(super) fn golomb(&mut self, k: u32, limit: u32, qbpp: u32) -> Option<i32> {
        let longest = limit.checked_sub(qbpp + 1)?;
        let mut zeros = 0;
        while zeros < longest && self.read(1)? == 0 {
            zeros += 1;
        }
        let value = if zeros < longest {
            zeros << k | self.read(k)?
        } else {
            // The bit that ends the zeros.
            if self.read(1)? == 0 {
                return None;
            }
            self.read(qbpp)? + 1
        };
        i32::try_from(value).ok().filter(|value| *value < 1 << 20)
    }
}
