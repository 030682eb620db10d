//! Decodes comparisons.

use super::decode::Decoder;
use super::error::Error;
use super::function::special;
use super::instruction::Instruction;
use super::kind::Kind;
use super::operands::Operand;
use super::{Binary, bits, compare};

impl<'a> Decoder<'a> {
    /// `setp.lt.and.f32 p|q, a, b, c`: p is the comparison combined with c, q its opposite combined with c. Of packed
    /// numbers p compares the lower halves and q the upper. `set` writes numbers instead of predicates.
    pub(super) fn set(
        &mut self,
        number: bool,
        kind: Kind,
        modifiers: &[&str],
        operands: &[Operand<'a>],
    ) -> Result<(), Error> {
        let name = modifiers.first().copied().unwrap_or_default();
        let half = compare::half_of(kind);
        let f = compare::comparison(name, half.unwrap_or(kind), modifiers.contains(&"ftz"));
        let f = f.ok_or_else(|| self.unsupported("unknown comparison"))?;
        let a = self.source(self.at(operands, 1)?, kind)?;
        let b = self.source(self.at(operands, 2)?, kind)?;
        let combine: Option<Binary> = match modifiers.get(1) {
            Some(&"and") => Some(|a, c| a & c),
            Some(&"or") => Some(|a, c| a | c),
            Some(&"xor") => Some(|a, c| a ^ c),
            _ => None,
        };
        let combine = match combine {
            Some(f) => Some((f, self.predicate(self.at(operands, 3)?)?)),
            None => None,
        };
        let (p, q) = self.one_or_two(self.at(operands, 0)?)?;
        if combine.is_none() && q.is_none() && !number {
            self.emit(Instruction::Binary { f, d: p, a, b });
            return Ok(());
        }
        // results come last: they may be sources
        let (first, second) = (special::FIRST_TEMPORARY, special::SECOND_TEMPORARY);
        self.emit(Instruction::Binary { f, d: first, a, b });
        match (half, q) {
            (Some(_), _) => {
                let upper = bits::part(1, 16).ok_or_else(|| self.unsupported("unknown comparison"))?;
                let (x, y) = (self.new_slot(), self.new_slot());
                self.emit(Instruction::Unary { f: upper, d: x, a });
                self.emit(Instruction::Unary { f: upper, d: y, a: b });
                self.emit(Instruction::Binary { f, d: second, a: x, b: y });
            }
            (None, Some(_)) => self.emit(Instruction::Unary { f: |a| a ^ 1, d: second, a: first }),
            (None, None) => {}
        }
        if let Some((f, c)) = combine {
            self.emit(Instruction::Binary { f, d: first, a: first, b: c });
            self.emit(Instruction::Binary { f, d: second, a: second, b: c });
        }
        if !number {
            self.emit(Instruction::Move { d: p, a: first });
            if let Some(d) = q {
                self.emit(Instruction::Move { d, a: second });
            }
            return Ok(());
        }
        let to = modifiers.get(modifiers.len().wrapping_sub(2)).and_then(|m| Kind::parse(m));
        let to = to.ok_or_else(|| self.unsupported("unknown type"))?;
        if half.is_some() {
            let f = compare::truths(to).ok_or_else(|| self.unsupported("unknown type"))?;
            self.emit(Instruction::Binary { f, d: p, a: first, b: second });
        } else {
            let f = compare::truth(to).ok_or_else(|| self.unsupported("unknown type"))?;
            self.emit(Instruction::Unary { f, d: p, a: first });
        }
        Ok(())
    }
}
