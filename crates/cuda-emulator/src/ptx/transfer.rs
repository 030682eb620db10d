//! Decodes moves between registers and memory.

use super::bits;
use super::decode::Decoder;
use super::error::Error;
use super::function::special;
use super::instruction::{
    Address, AsyncCopy, Atomic, Change, Extension, Instruction, LoadVector, Space, StoreVector,
};
use super::kind::Kind;
use super::memory::{LOCAL_WINDOW, PARAMETER_WINDOW, SHARED_WINDOW};
use super::operands::Operand;

/// The state space among the modifiers; without one an address is generic.
fn space(modifiers: &[&str]) -> Option<Space> {
    for modifier in modifiers {
        let (name, part) = modifier.split_once("::").unwrap_or((modifier, ""));
        return Some(match name {
            "global" | "const" => Space::Global,
            "shared" if part == "cluster" => continue,
            "shared" => Space::Shared,
            "local" => Space::Local,
            "param" if part == "func" => Space::Local,
            "param" => Space::Parameter,
            _ => continue,
        });
    }
    None
}

impl<'a> Decoder<'a> {
    /// Decodes the instruction if it is one of these.
    pub(super) fn transfer(
        &mut self,
        name: &str,
        modifiers: &[&str],
        operands: &[Operand<'a>],
    ) -> Result<bool, Error> {
        let kind = modifiers.last().and_then(|m| Kind::parse(m));
        let kind = |decoder: &Self| kind.ok_or_else(|| decoder.unsupported("unknown type"));
        match name {
            "mov" => {
                let kind = kind(self)?;
                self.mov(kind, operands)?;
            }
            "ld" | "ldu" => {
                let kind = kind(self)?;
                self.load(kind, modifiers, operands)?;
            }
            "st" => {
                let kind = kind(self)?;
                self.store(kind, modifiers, operands)?;
            }
            "atom" | "red" if modifiers.first() != Some(&"async") => {
                let kind = kind(self)?;
                self.atomic(name == "atom", kind, modifiers, operands)?;
            }
            "cvta" => self.convert_address(modifiers, operands)?,
            "isspacep" => {
                let space = space(modifiers).ok_or_else(|| self.unsupported("unknown state space"))?;
                let d = self.destination(self.at(operands, 0)?)?.slot;
                let a = self.source(self.at(operands, 1)?, Kind::U64)?;
                self.emit(Instruction::IsSpace { d, a, space });
            }
            "cp" if modifiers.first() == Some(&"async") => self.async_copy(modifiers, operands)?,
            "prefetch" | "prefetchu" | "discard" | "applypriority" => {}
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn mov(&mut self, kind: Kind, operands: &[Operand<'a>]) -> Result<(), Error> {
        match (self.at(operands, 0)?, self.at(operands, 1)?) {
            (Operand::Vector(parts), source) => {
                let bits = kind.bits() / parts.len().max(1) as u32;
                let a = self.source(source, kind)?;
                for (index, part) in parts.iter().enumerate() {
                    if matches!(part, Operand::Nothing) {
                        continue;
                    }
                    let f = bits::part(index, bits).ok_or_else(|| self.unsupported("unknown split"))?;
                    let d = self.destination(part)?.slot;
                    self.emit(Instruction::Unary { f, d, a });
                }
            }
            (destination, Operand::Vector(parts)) => {
                let bits = kind.bits() / parts.len().max(1) as u32;
                let f = bits::pack(parts.len(), bits).ok_or_else(|| self.unsupported("unknown join"))?;
                let mut inputs = [special::ZERO; 4];
                for (input, part) in inputs.iter_mut().zip(parts) {
                    *input = self.source(part, Kind::B64)?;
                }
                let d = self.destination(destination)?.slot;
                self.emit(Instruction::Quaternary { f, d, inputs });
            }
            (destination, source) => {
                let a = self.source(source, kind)?;
                let d = self.destination(destination)?.slot;
                self.emit(Instruction::Move { d, a });
            }
        }
        Ok(())
    }

    fn load(&mut self, kind: Kind, modifiers: &[&str], operands: &[Operand<'a>]) -> Result<(), Error> {
        let address = self.address(self.at(operands, 1)?, space(modifiers).unwrap_or(Space::Generic))?;
        let extension = |bits: u32| Extension {
            bytes: kind.bytes() as u8,
            signed: kind.is_signed(),
            bits: bits.max(16) as u8,
        };
        match self.at(operands, 0)? {
            Operand::Vector(parts) => {
                let mut destinations = Vec::new();
                let mut bits = 0;
                for part in parts {
                    let register = self.destination(part)?;
                    bits = if matches!(part, Operand::Nothing) { bits } else { register.bits };
                    destinations.push(register.slot);
                }
                let extension = extension(bits);
                self.emit(Instruction::LoadVector(Box::new(LoadVector { destinations, extension, address })));
            }
            destination => {
                let register = self.destination(destination)?;
                self.emit(Instruction::Load {
                    d: register.slot,
                    extension: extension(register.bits),
                    address,
                });
            }
        }
        Ok(())
    }

    fn store(&mut self, kind: Kind, modifiers: &[&str], operands: &[Operand<'a>]) -> Result<(), Error> {
        let address = self.address(self.at(operands, 0)?, space(modifiers).unwrap_or(Space::Generic))?;
        let bytes = kind.bytes() as u8;
        match self.at(operands, 1)? {
            Operand::Vector(parts) => {
                let sources =
                    parts.iter().map(|part| self.source(part, kind)).collect::<Result<Vec<_>, _>>()?;
                self.emit(Instruction::StoreVector(Box::new(StoreVector { sources, bytes, address })));
            }
            source => {
                let a = self.source(source, kind)?;
                self.emit(Instruction::Store { a, bytes, address });
            }
        }
        Ok(())
    }

    fn atomic(
        &mut self,
        returns: bool,
        kind: Kind,
        modifiers: &[&str],
        operands: &[Operand<'a>],
    ) -> Result<(), Error> {
        const OPERATIONS: [&str; 11] =
            ["add", "min", "max", "and", "or", "xor", "exch", "cas", "inc", "dec", "sub"];
        let name = modifiers.iter().find(|m| OPERATIONS.contains(m)).copied().unwrap_or_default();
        if modifiers.iter().any(|m| m.starts_with('v') && m.len() == 2) {
            return Err(self.unsupported("an atomic on a vector"));
        }
        let first = usize::from(returns);
        let address = self.address(self.at(operands, first)?, space(modifiers).unwrap_or(Space::Generic))?;
        let b = self.source(self.at(operands, first + 1)?, kind)?;
        let change = match name {
            "cas" => Change::Swap { expected: b, new: self.source(self.at(operands, first + 2)?, kind)? },
            "exch" => Change::Apply { f: |_, new| new, b },
            "inc" => Change::Apply { f: |old, limit| if old >= limit { 0 } else { old + 1 }, b },
            "dec" => {
                Change::Apply { f: |old, limit| if old == 0 || old > limit { limit } else { old - 1 }, b }
            }
            _ => {
                let f = self.binary_function(name, kind, &[]);
                Change::Apply { f: f.ok_or_else(|| self.unsupported("unknown atomic"))?, b }
            }
        };
        let d = if returns { Some(self.destination(self.at(operands, 0)?)?.slot) } else { None };
        self.emit(Instruction::Atomic(Box::new(Atomic { d, address, bytes: kind.bytes() as u8, change })));
        Ok(())
    }

    fn convert_address(&mut self, modifiers: &[&str], operands: &[Operand<'a>]) -> Result<(), Error> {
        let to = modifiers.first() == Some(&"to");
        let window = match space(modifiers) {
            Some(Space::Shared) => SHARED_WINDOW,
            Some(Space::Local) => LOCAL_WINDOW,
            Some(Space::Parameter) if self.is_entry() => PARAMETER_WINDOW,
            Some(Space::Parameter) => LOCAL_WINDOW,
            Some(Space::Global) => 0,
            _ => return Err(self.unsupported("unknown state space")),
        };
        let a = self.source(self.at(operands, 1)?, Kind::U64)?;
        let d = self.destination(self.at(operands, 0)?)?.slot;
        if window == 0 {
            self.emit(Instruction::Move { d, a });
            return Ok(());
        }
        let b = self.constant(window);
        let f = if to { u64::wrapping_sub } else { u64::wrapping_add };
        self.emit(Instruction::Binary { f, d, a, b });
        Ok(())
    }

    fn async_copy(&mut self, modifiers: &[&str], operands: &[Operand<'a>]) -> Result<(), Error> {
        match modifiers.get(1) {
            Some(&("commit_group" | "wait_group" | "wait_all")) => return Ok(()),
            Some(&("ca" | "cg")) => {}
            _ => return Err(self.unsupported("unknown asynchronous copy")),
        }
        let to = self.address(self.at(operands, 0)?, Space::Shared)?;
        let from: Address = self.address(self.at(operands, 1)?, Space::Global)?;
        let Operand::Literal(super::lexer::Literal::Integer(bytes @ (4 | 8 | 16))) = self.at(operands, 2)?
        else {
            return Err(self.unsupported("a copy of no fixed size"));
        };
        let source_bytes = operands.get(3).map(|operand| self.source(operand, Kind::U32)).transpose()?;
        self.emit(Instruction::AsyncCopy(Box::new(AsyncCopy {
            to,
            from,
            bytes: *bytes as u32,
            source_bytes,
        })));
        Ok(())
    }
}
