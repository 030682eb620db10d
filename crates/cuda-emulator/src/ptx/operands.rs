//! Operands of instructions, and the slots that stand for them.

use super::decode::{Decoder, Name};
use super::error::Error;
use super::function::special;
use super::instruction::{Address, Space};
use super::kind::Kind;
use super::lexer::{Literal, Token};
use super::module::{FUNCTION_ADDRESS, Place};

/// A declared register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Register {
    pub(super) slot: u32,
    /// 8 for a predicate
    pub(super) bits: u32,
}

#[derive(Debug, Clone)]
pub(super) enum Operand<'a> {
    Register(Register),
    /// `!%p`
    Inverse(Register),
    Literal(Literal),
    /// a variable, function or label
    Symbol(&'a str, i64),
    /// `{a, b}`
    Vector(Vec<Operand<'a>>),
    /// `[base + offset]`
    Memory(Box<Operand<'a>>, i64),
    /// `a|b`: two destinations
    Both(Box<Operand<'a>>, Box<Operand<'a>>),
    /// `(a, b)` of a call
    List(Vec<Operand<'a>>),
    /// `_`: nobody wants it
    Nothing,
}

impl<'a> Decoder<'a> {
    /// Reads operands up to `;`.
    pub(super) fn operands(&mut self) -> Result<Vec<Operand<'a>>, Error> {
        let mut operands = Vec::new();
        loop {
            if self.lexer.take(';') {
                return Ok(operands);
            }
            operands.push(self.operand()?);
            if !self.lexer.take(',') {
                self.lexer.expect(';')?;
                return Ok(operands);
            }
        }
    }

    fn operand(&mut self) -> Result<Operand<'a>, Error> {
        let first = self.simple_operand()?;
        if self.lexer.take('|') {
            let second = self.simple_operand()?;
            return Ok(Operand::Both(Box::new(first), Box::new(second)));
        }
        Ok(first)
    }

    fn operand_list(&mut self, close: char) -> Result<Vec<Operand<'a>>, Error> {
        let mut list = Vec::new();
        while !self.lexer.take(close) {
            list.push(self.operand()?);
            self.lexer.take(',');
        }
        Ok(list)
    }

    fn simple_operand(&mut self) -> Result<Operand<'a>, Error> {
        match self.lexer.next() {
            Token::Sign('{') => Ok(Operand::Vector(self.operand_list('}')?)),
            Token::Sign('(') => Ok(Operand::List(self.operand_list(')')?)),
            Token::Sign('[') => {
                let base = self.simple_operand()?;
                let (base, mut offset) = match base {
                    Operand::Symbol(name, offset) => (Operand::Symbol(name, 0), offset),
                    other => (other, 0),
                };
                offset += self.offset()?;
                self.lexer.expect(']')?;
                Ok(Operand::Memory(Box::new(base), offset))
            }
            Token::Sign('!') => match self.simple_operand()? {
                Operand::Register(register) => Ok(Operand::Inverse(register)),
                _ => Err(self.unsupported("`!` before something that is no register")),
            },
            Token::Sign('-') => {
                let word = self.lexer.word()?;
                let literal = Literal::parse(word).ok_or_else(|| self.unsupported("`-` before no number"))?;
                Ok(Operand::Literal(literal.negated()))
            }
            Token::Word("_") => Ok(Operand::Nothing),
            Token::Word(word) => self.word_operand(word),
            other => Err(self.unsupported(format!("{other:?} is no operand"))),
        }
    }

    /// `+4`, `+-4`, `-4` or nothing
    fn offset(&mut self) -> Result<i64, Error> {
        let plus = self.lexer.take('+');
        let minus = self.lexer.take('-');
        if !plus && !minus {
            return Ok(0);
        }
        match Literal::parse(self.lexer.word()?) {
            Some(Literal::Integer(value)) => Ok(if minus { -(value as i64) } else { value as i64 }),
            _ => Err(self.unsupported("an offset that is no number")),
        }
    }

    fn word_operand(&mut self, word: &'a str) -> Result<Operand<'a>, Error> {
        if let Some(literal) = Literal::parse(word) {
            return Ok(Operand::Literal(literal));
        }
        if let Some(Name::Register(register)) = self.name(word) {
            return Ok(Operand::Register(register));
        }
        if let Some(slot) = special::slot(word) {
            return Ok(Operand::Register(Register { slot, bits: 32 }));
        }
        if let Some(value) = special::constant(word) {
            return Ok(Operand::Literal(Literal::Integer(value)));
        }
        if word.starts_with('%') {
            return Err(self.unsupported(format!("unknown register `{word}`")));
        }
        let offset = self.offset()?;
        Ok(Operand::Symbol(word, offset))
    }

    /// The slot that holds `value` in every frame.
    pub(super) fn constant(&mut self, value: u64) -> u32 {
        if value == 0 {
            return special::ZERO;
        }
        if let Some(&slot) = self.constants.get(&value) {
            return slot;
        }
        let slot = self.new_slot();
        self.registers[slot as usize] = value;
        self.constants.insert(value, slot);
        slot
    }

    /// The slot of a source operand that an instruction reads as `kind`.
    pub(super) fn source(&mut self, operand: &Operand<'a>, kind: Kind) -> Result<u32, Error> {
        match operand {
            Operand::Register(register) => Ok(register.slot),
            Operand::Literal(literal) => {
                let value = literal_bits(*literal, kind);
                Ok(self.constant(value))
            }
            Operand::Symbol(name, offset) => {
                let (_, base, first) = self.symbol(name)?;
                Ok(self.sum(base, first + offset))
            }
            other => Err(self.unsupported(format!("{other:?} is no source"))),
        }
    }

    /// The slot of a source predicate, inverted where the operand says so.
    pub(super) fn predicate(&mut self, operand: &Operand<'a>) -> Result<u32, Error> {
        match operand {
            Operand::Inverse(register) => {
                let slot = self.new_slot();
                self.emit(super::instruction::Instruction::Unary { f: |a| a ^ 1, d: slot, a: register.slot });
                Ok(slot)
            }
            other => self.source(other, Kind::Pred),
        }
    }

    pub(super) fn destination(&mut self, operand: &Operand<'a>) -> Result<Register, Error> {
        match operand {
            Operand::Register(register) if register.slot >= special::COUNT => Ok(*register),
            Operand::Nothing => Ok(Register { slot: self.new_slot(), bits: 64 }),
            other => Err(self.unsupported(format!("{other:?} is no destination"))),
        }
    }

    /// A slot that holds base + offset.
    fn sum(&mut self, base: u32, offset: i64) -> u32 {
        if base == special::ZERO {
            return self.constant(offset as u64);
        }
        let (slot, b) = (self.new_slot(), self.constant(offset as u64));
        self.emit(super::instruction::Instruction::Binary { f: u64::wrapping_add, d: slot, a: base, b });
        slot
    }

    /// The space of a symbol, and its address as a slot and an offset from it.
    fn symbol(&mut self, name: &'a str) -> Result<(Space, u32, i64), Error> {
        match self.name(name) {
            Some(Name::Local(offset)) => return Ok((Space::Local, special::FRAME, offset as i64)),
            Some(Name::Parameter(offset)) => return Ok((Space::Parameter, special::ZERO, offset as i64)),
            Some(Name::Shared(offset)) => return Ok((Space::Shared, special::ZERO, offset as i64)),
            Some(Name::Register(register)) => return Ok((Space::Generic, register.slot, 0)),
            None => {}
        }
        if let Some(place) = self.program.places.get(name) {
            return Ok(match *place {
                Place::Global(address, _) => (Space::Global, special::ZERO, address as i64),
                Place::Shared(offset) => (Space::Shared, special::ZERO, offset as i64),
                Place::DynamicShared => (Space::Shared, special::DYNAMIC_SHARED, 0),
            });
        }
        match self.program.function_by_name.get(name) {
            Some(&index) => Ok((Space::Global, special::ZERO, (FUNCTION_ADDRESS | index as u64) as i64)),
            None => Err(self.unsupported(format!("unknown name `{name}`"))),
        }
    }

    /// The address of a memory operand of an instruction that names `space`.
    pub(super) fn address(&mut self, operand: &Operand<'a>, space: Space) -> Result<Address, Error> {
        let Operand::Memory(base, offset) = operand else {
            return Err(self.unsupported(format!("{operand:?} is no address")));
        };
        match base.as_ref() {
            Operand::Symbol(name, _) => {
                let (place, base, first) = self.symbol(name)?;
                // names say better than instructions where they live: parameters of calls lie in local memory
                let space = if place == Space::Generic { space } else { place };
                Ok(Address { space, base, offset: first + offset })
            }
            Operand::Register(register) => {
                let space = if space == Space::Parameter && !self.is_entry() { Space::Local } else { space };
                Ok(Address { space, base: register.slot, offset: *offset })
            }
            Operand::Literal(Literal::Integer(value)) => {
                Ok(Address { space, base: special::ZERO, offset: *value as i64 + offset })
            }
            other => Err(self.unsupported(format!("{other:?} is no address"))),
        }
    }
}

/// A literal as an instruction on `kind` reads it.
fn literal_bits(literal: Literal, kind: Kind) -> u64 {
    match (literal, kind) {
        (Literal::Integer(value), Kind::Pred) => u64::from(value != 0),
        (Literal::Integer(value), _) => value & (u64::MAX >> (64 - kind.bits())),
        (Literal::Single(bits), Kind::F64) => f64::from(f32::from_bits(bits)).to_bits(),
        (Literal::Single(bits), _) => u64::from(bits),
        (Literal::Double(bits), Kind::F32) => u64::from((f64::from_bits(bits) as f32).to_bits()),
        (Literal::Double(bits), _) => bits,
    }
}
