//! Decodes what is computed from registers to registers.

use super::convert::{self, Conversion};
use super::decode::Decoder;
use super::error::Error;
use super::float::{self, FloatModifiers};
use super::format::Rounding;
use super::function::special;
use super::instruction::{CarryMode, Instruction};
use super::kind::Kind;
use super::operands::Operand;
use super::{Binary, bits, integer};

impl<'a> Decoder<'a> {
    /// The function of an instruction with two sources.
    pub(super) fn binary_function(&self, name: &str, kind: Kind, modifiers: &[&str]) -> Option<Binary> {
        if kind.is_float() {
            return float::binary(name, kind, &FloatModifiers::of(modifiers));
        }
        bits::binary(name, kind).or_else(|| integer::binary(name, kind, modifiers))
    }

    /// Decodes the instruction if it is one of these.
    pub(super) fn compute(
        &mut self,
        name: &str,
        modifiers: &[&str],
        operands: &[Operand<'a>],
    ) -> Result<bool, Error> {
        let Some(kind) = modifiers.last().and_then(|m| Kind::parse(m)) else { return Ok(false) };
        match name {
            "setp" | "set" => self.set(name == "set", kind, modifiers, operands)?,
            "selp" => {
                let p = self.predicate(self.at(operands, 3)?)?;
                let select = |a, b, p| if p & 1 == 1 { a } else { b };
                self.three(select, [kind, kind, Kind::Pred], operands, Some(p))?;
            }
            "slct" => {
                let first = modifiers.get(modifiers.len().wrapping_sub(2)).and_then(|m| Kind::parse(m));
                let f = match kind {
                    Kind::S32 => |a, b, c: u64| if c as i32 >= 0 { a } else { b },
                    Kind::F32 => |a, b, c: u64| if f32::from_bits(c as u32) >= 0.0 { a } else { b },
                    _ => return Ok(false),
                };
                let first = first.ok_or_else(|| self.unsupported("unknown type"))?;
                self.three(f, [first, first, kind], operands, None)?;
            }
            "cvt" => self.convert(kind, modifiers, operands)?,
            "testp" => {
                let f = modifiers.first().and_then(|test| float::test(test, kind));
                let f = f.ok_or_else(|| self.unsupported("unknown test"))?;
                self.one(f, kind, operands)?;
            }
            "add" | "sub" | "addc" | "subc" | "mad" | "madc"
                if name.ends_with('c') || modifiers.contains(&"cc") =>
            {
                self.carry(name, kind, modifiers, operands)?;
            }
            _ => return self.plain(name, kind, modifiers, operands),
        }
        Ok(true)
    }

    /// Instructions that are one function of their sources.
    fn plain(
        &mut self,
        name: &str,
        kind: Kind,
        modifiers: &[&str],
        operands: &[Operand<'a>],
    ) -> Result<bool, Error> {
        let float_modifiers = FloatModifiers::of(modifiers);
        let float = kind.is_float();
        match operands.len() {
            2 => {
                let f = if float {
                    float::unary(name, kind, &float_modifiers)
                } else {
                    bits::unary(name, kind).or_else(|| integer::unary(name, kind, modifiers))
                };
                let Some(f) = f else { return Ok(false) };
                self.one(f, kind, operands)?;
            }
            3 => {
                let Some(f) = self.binary_function(name, kind, modifiers) else { return Ok(false) };
                let shift = name == "shl" || name == "shr";
                let a = if kind == Kind::Pred {
                    self.predicate(&operands[1])?
                } else {
                    self.source(&operands[1], kind)?
                };
                let b = if kind == Kind::Pred {
                    self.predicate(&operands[2])?
                } else {
                    self.source(&operands[2], if shift { Kind::U32 } else { kind })?
                };
                let d = self.destination(&operands[0])?.slot;
                self.emit(Instruction::Binary { f, d, a, b });
            }
            // min and max of three numbers
            4 if name == "min" || name == "max" => {
                let Some(f) = self.binary_function(name, kind, modifiers) else { return Ok(false) };
                let sources = [
                    self.source(&operands[1], kind)?,
                    self.source(&operands[2], kind)?,
                    self.source(&operands[3], kind)?,
                ];
                let d = self.destination(&operands[0])?.slot;
                let t = special::FIRST_TEMPORARY;
                self.emit(Instruction::Binary { f, d: t, a: sources[0], b: sources[1] });
                self.emit(Instruction::Binary { f, d, a: t, b: sources[2] });
            }
            4 => {
                let f = if float {
                    float::ternary(name, kind, &float_modifiers)
                } else {
                    bits::ternary(name, modifiers).or_else(|| integer::ternary(name, kind, modifiers))
                };
                let Some(f) = f else { return Ok(false) };
                let wide = modifiers.contains(&"wide");
                let third = match (name, kind) {
                    (_, Kind::U32) if wide => Kind::U64,
                    (_, Kind::S32) if wide => Kind::S64,
                    (_, Kind::U16) if wide => Kind::U32,
                    (_, Kind::S16) if wide => Kind::S32,
                    ("bfe", _) => Kind::U32,
                    _ => kind,
                };
                let second = if name == "bfe" { Kind::U32 } else { kind };
                self.three(f, [kind, second, third], operands, None)?;
            }
            5 => {
                let Some(f) = bits::quaternary(name, kind) else { return Ok(false) };
                let mut inputs = [0; 4];
                for (input, operand) in inputs.iter_mut().zip(&operands[1..]) {
                    *input = self.source(operand, kind)?;
                }
                let d = self.destination(&operands[0])?.slot;
                self.emit(Instruction::Quaternary { f, d, inputs });
            }
            _ => return Ok(false),
        }
        if float {
            for (modifier, function) in [("sat", "saturate"), ("relu", "relu")] {
                if modifiers.contains(&modifier) {
                    let f = float::unary(function, kind, &float_modifiers);
                    let f = f.ok_or_else(|| self.unsupported("unknown type"))?;
                    let d = self.destination(&operands[0])?.slot;
                    self.emit(Instruction::Unary { f, d, a: d });
                }
            }
        }
        Ok(true)
    }

    fn one(&mut self, f: super::Unary, kind: Kind, operands: &[Operand<'a>]) -> Result<(), Error> {
        let a = if kind == Kind::Pred {
            self.predicate(self.at(operands, 1)?)?
        } else {
            self.source(self.at(operands, 1)?, kind)?
        };
        let d = self.destination(self.at(operands, 0)?)?.slot;
        self.emit(Instruction::Unary { f, d, a });
        Ok(())
    }

    fn three(
        &mut self,
        f: super::Ternary,
        kinds: [Kind; 3],
        operands: &[Operand<'a>],
        third: Option<u32>,
    ) -> Result<(), Error> {
        let a = self.source(self.at(operands, 1)?, kinds[0])?;
        let b = self.source(self.at(operands, 2)?, kinds[1])?;
        let c = match third {
            Some(slot) => slot,
            None => self.source(self.at(operands, 3)?, kinds[2])?,
        };
        let d = self.destination(self.at(operands, 0)?)?.slot;
        self.emit(Instruction::Ternary { f, d, a, b, c });
        Ok(())
    }

    fn convert(&mut self, from: Kind, modifiers: &[&str], operands: &[Operand<'a>]) -> Result<(), Error> {
        let to = modifiers.get(modifiers.len().wrapping_sub(2)).and_then(|m| Kind::parse(m));
        let to = to.ok_or_else(|| self.unsupported("unknown type"))?;
        let register = self.destination(self.at(operands, 0)?)?;
        let d = register.slot;
        if operands.len() == 3 {
            let f = convert::pack(to, modifiers).ok_or_else(|| self.unsupported("unknown conversion"))?;
            let a = self.source(&operands[1], from)?;
            let b = self.source(&operands[2], from)?;
            self.emit(Instruction::Binary { f, d, a, b });
            return Ok(());
        }
        let a = self.source(self.at(operands, 1)?, from)?;
        if matches!(to, Kind::F16x2 | Kind::Bf16x2 | Kind::E4m3x2 | Kind::E5m2x2) {
            let f = convert::repack(from, to).ok_or_else(|| self.unsupported("unknown conversion"))?;
            self.emit(Instruction::Unary { f, d, a });
            return Ok(());
        }
        if matches!(from, Kind::Pred | Kind::F16x2 | Kind::Bf16x2 | Kind::E4m3x2 | Kind::E5m2x2)
            || to == Kind::Pred
        {
            return Err(self.unsupported("unknown conversion"));
        }
        let saturate = modifiers.contains(&"sat") || modifiers.contains(&"satfinite");
        let rounding = modifiers.iter().find_map(|m| Rounding::from_modifier(m));
        let to_whole = modifiers.iter().find_map(|m| Rounding::from_modifier(m.strip_suffix('i')?));
        let conversion = Conversion {
            from,
            to,
            rounding: to_whole.or(rounding).unwrap_or(Rounding::Nearest),
            to_whole: to_whole.is_some(),
            saturate,
            ftz: modifiers.contains(&"ftz"),
            relu: modifiers.contains(&"relu"),
        };
        let integers = !from.is_float() && !to.is_float();
        if integers && !saturate {
            // what is as wide as its source or narrower is cut, what is wider continues the source's sign
            let bits = register.bits.max(16);
            let (kind, bits) = if to.bits() <= from.bits() {
                (to, bits)
            } else if to.is_signed() {
                (from, bits)
            } else {
                (from, to.bits())
            };
            let f = convert::extend(kind, bits).ok_or_else(|| self.unsupported("unknown conversion"))?;
            self.emit(Instruction::Unary { f, d, a });
        } else if let Some(f) = conversion.fast() {
            self.emit(Instruction::Unary { f, d, a });
        } else {
            self.emit(Instruction::Convert { conversion: Box::new(conversion), d, a });
            if to.is_signed() && to.bits() < register.bits {
                let f = convert::extend(to, register.bits);
                let f = f.ok_or_else(|| self.unsupported("unknown conversion"))?;
                self.emit(Instruction::Unary { f, d, a: d });
            }
        }
        Ok(())
    }

    fn carry(
        &mut self,
        name: &str,
        kind: Kind,
        modifiers: &[&str],
        operands: &[Operand<'a>],
    ) -> Result<(), Error> {
        let mode = CarryMode {
            subtract: name.starts_with("sub"),
            carry_in: name.ends_with('c'),
            carry_out: modifiers.contains(&"cc"),
            bits: kind.bits(),
        };
        let a = self.source(self.at(operands, 1)?, kind)?;
        let b = self.source(self.at(operands, 2)?, kind)?;
        if !name.starts_with("mad") {
            let d = self.destination(self.at(operands, 0)?)?.slot;
            self.emit(Instruction::Carry { d, a, b, mode });
            return Ok(());
        }
        let f = integer::binary("mul", kind, modifiers).ok_or_else(|| self.unsupported("unknown product"))?;
        let c = self.source(self.at(operands, 3)?, kind)?;
        let d = self.destination(self.at(operands, 0)?)?.slot;
        let product = special::FIRST_TEMPORARY;
        self.emit(Instruction::Binary { f, d: product, a, b });
        self.emit(Instruction::Carry { d, a: product, b: c, mode });
        Ok(())
    }
}
