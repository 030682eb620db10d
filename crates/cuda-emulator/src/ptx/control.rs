//! Decodes what moves threads about: branches, calls, barriers and instructions of a whole warp.

use super::decode::Decoder;
use super::error::Error;
use super::function::special;
use super::instruction::{Action, Arrival, Call, Collective, Instruction, Reduction, Shuffle, Target};
use super::kind::Kind;
use super::operands::Operand;

impl<'a> Decoder<'a> {
    /// Decodes the instruction if it is one of these.
    pub(super) fn control(
        &mut self,
        name: &str,
        modifiers: &[&str],
        operands: &[Operand<'a>],
    ) -> Result<bool, Error> {
        match name {
            "bra" => {
                let Operand::Symbol(label, 0) = self.at(operands, 0)? else {
                    return Err(self.unsupported("a branch to no label"));
                };
                self.jump_to(0, label);
                self.emit(Instruction::Jump { target: 0 });
            }
            "brx" => self.jump_table(operands)?,
            "ret" => self.emit(Instruction::Return),
            "exit" => self.emit(Instruction::Exit),
            "trap" => self.emit(Instruction::Trap),
            "brkpt" | "nanosleep" | "pmevent" | "griddepcontrol" => {}
            "membar" | "fence" => self.emit(Instruction::Fence),
            "bar" | "barrier" => self.barrier(modifiers, operands)?,
            "activemask" => {
                let d = self.destination(self.at(operands, 0)?)?.slot;
                self.collective(None, Action::ActiveMask, (Some(d), None), [special::ZERO; 3]);
            }
            "shfl" if modifiers.first() == Some(&"sync") => self.shuffle(modifiers, operands)?,
            "vote" if modifiers.first() == Some(&"sync") => self.vote(modifiers, operands)?,
            "match" => self.match_lanes(modifiers, operands)?,
            "redux" => self.reduce(modifiers, operands)?,
            "elect" => {
                let (d, p) = self.one_or_two(self.at(operands, 0)?)?;
                let members = self.source(self.at(operands, 1)?, Kind::U32)?;
                self.collective(Some(members), Action::Elect, (Some(d), p), [special::ZERO; 3]);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn collective(
        &mut self,
        members: Option<u32>,
        action: Action,
        (d, p): (Option<u32>, Option<u32>),
        [a, b, c]: [u32; 3],
    ) {
        self.emit(Instruction::Warp(Box::new(Collective { members, action, d, p, a, b, c })));
    }

    fn jump_table(&mut self, operands: &[Operand<'a>]) -> Result<(), Error> {
        let index = self.source(self.at(operands, 0)?, Kind::U32)?;
        let Operand::Symbol(table, 0) = self.at(operands, 1)? else {
            return Err(self.unsupported("a branch without a table"));
        };
        let labels = self.tables.get(table).cloned();
        let labels = labels.ok_or_else(|| self.unsupported("the table of a branch must stand before it"))?;
        for (position, label) in labels.iter().enumerate() {
            self.jump_to(position, label);
        }
        let targets = vec![0; labels.len()].into_boxed_slice();
        self.emit(Instruction::JumpTable { index, targets });
        Ok(())
    }

    /// `call (results), name, (arguments), prototype;` of which all but the name may be missing.
    pub(super) fn call(&mut self) -> Result<(), Error> {
        let mut operands = self.operands()?.into_iter().peekable();
        let mut list = |decoder: &Self| match operands.peek() {
            Some(Operand::List(_)) => match operands.next() {
                Some(Operand::List(list)) => (decoder.frame_places(&list), None),
                _ => (Ok(Vec::new()), None),
            },
            _ => (Ok(Vec::new()), operands.next()),
        };
        let (results, mut target) = list(self);
        if target.is_none() {
            target = list(self).1;
        }
        let (arguments, _) = list(self);
        let target = match target {
            Some(Operand::Register(register)) => Target::Register(register.slot),
            Some(Operand::Symbol("vprintf", 0)) => Target::Print,
            Some(Operand::Symbol("__assertfail" | "__assert_fail", 0)) => Target::AssertFail,
            Some(Operand::Symbol(name, 0)) => match self.program.function_by_name.get(name) {
                Some(&index) => Target::Function(index),
                None => return Err(self.unsupported(format!("unknown function `{name}`"))),
            },
            other => return Err(self.unsupported(format!("a call of {other:?}"))),
        };
        self.emit(Instruction::Call(Box::new(Call { target, arguments: arguments?, results: results? })));
        Ok(())
    }

    /// Where in the frame the parameters of a call lie.
    fn frame_places(&self, list: &[Operand<'a>]) -> Result<Vec<usize>, Error> {
        list.iter()
            .map(|operand| match operand {
                Operand::Symbol(name, 0) => match self.name(name) {
                    Some(super::decode::Name::Local(offset)) => Ok(offset),
                    _ => Err(self.unsupported(format!("`{name}` is no parameter of a call"))),
                },
                other => Err(self.unsupported(format!("{other:?} is no parameter of a call"))),
            })
            .collect()
    }

    fn barrier(&mut self, modifiers: &[&str], operands: &[Operand<'a>]) -> Result<(), Error> {
        let modifiers: Vec<&str> =
            modifiers.iter().copied().filter(|&m| m != "cta" && m != "aligned").collect();
        match modifiers[..] {
            ["warp", "sync"] => {
                let members = self.source(self.at(operands, 0)?, Kind::U32)?;
                self.collective(Some(members), Action::Sync, (None, None), [special::ZERO; 3]);
            }
            [action @ ("sync" | "arrive")] => {
                let id = self.source(self.at(operands, 0)?, Kind::U32)?;
                let threads = operands.get(1).map(|operand| self.source(operand, Kind::U32)).transpose()?;
                let arrival = if action == "sync" { Arrival::Wait } else { Arrival::Pass };
                self.emit(Instruction::Barrier { id, threads, arrival });
            }
            ["red", reduction, _] => {
                let reduction = match reduction {
                    "popc" => Reduction::Count,
                    "and" => Reduction::All,
                    "or" => Reduction::Any,
                    _ => return Err(self.unsupported("unknown reduction")),
                };
                let d = self.destination(self.at(operands, 0)?)?.slot;
                let id = self.source(self.at(operands, 1)?, Kind::U32)?;
                let last = operands.len() - 1;
                let threads = match last {
                    3 => Some(self.source(&operands[2], Kind::U32)?),
                    _ => None,
                };
                let p = self.predicate(&operands[last])?;
                let arrival = Arrival::Reduce { d, p, reduction };
                self.emit(Instruction::Barrier { id, threads, arrival });
            }
            _ => return Err(self.unsupported("unknown barrier")),
        }
        Ok(())
    }

    /// `d` or `d|p`
    pub(super) fn one_or_two(&mut self, operand: &Operand<'a>) -> Result<(u32, Option<u32>), Error> {
        Ok(match operand {
            Operand::Both(d, p) => (self.destination(d)?.slot, Some(self.destination(p)?.slot)),
            d => (self.destination(d)?.slot, None),
        })
    }

    fn shuffle(&mut self, modifiers: &[&str], operands: &[Operand<'a>]) -> Result<(), Error> {
        let mode = match modifiers.get(1) {
            Some(&"up") => Shuffle::Up,
            Some(&"down") => Shuffle::Down,
            Some(&"bfly") => Shuffle::Butterfly,
            Some(&"idx") => Shuffle::Index,
            _ => return Err(self.unsupported("unknown shuffle")),
        };
        let (d, p) = self.one_or_two(self.at(operands, 0)?)?;
        let a = self.source(self.at(operands, 1)?, Kind::B32)?;
        let b = self.source(self.at(operands, 2)?, Kind::U32)?;
        let c = self.source(self.at(operands, 3)?, Kind::U32)?;
        let members = self.source(self.at(operands, 4)?, Kind::U32)?;
        self.collective(Some(members), Action::Shuffle(mode), (Some(d), p), [a, b, c]);
        Ok(())
    }

    fn vote(&mut self, modifiers: &[&str], operands: &[Operand<'a>]) -> Result<(), Error> {
        let d = self.destination(self.at(operands, 0)?)?.slot;
        let p = self.predicate(self.at(operands, 1)?)?;
        let members = self.source(self.at(operands, 2)?, Kind::U32)?;
        let action = match modifiers.get(1) {
            Some(&"ballot") => Action::Ballot,
            Some(&"all") => Action::All,
            Some(&"any") => Action::Any,
            Some(&"uni") => Action::Uniform,
            _ => return Err(self.unsupported("unknown vote")),
        };
        self.collective(Some(members), action, (Some(d), None), [p, special::ZERO, special::ZERO]);
        Ok(())
    }

    fn match_lanes(&mut self, modifiers: &[&str], operands: &[Operand<'a>]) -> Result<(), Error> {
        let kind = if modifiers.last() == Some(&"b64") { Kind::B64 } else { Kind::B32 };
        let (d, p) = self.one_or_two(self.at(operands, 0)?)?;
        let a = self.source(self.at(operands, 1)?, kind)?;
        let members = self.source(self.at(operands, 2)?, Kind::U32)?;
        let action = match modifiers.first() {
            Some(&"any") => Action::MatchAny,
            Some(&"all") => Action::MatchAll,
            _ => return Err(self.unsupported("unknown match")),
        };
        self.collective(Some(members), action, (Some(d), p), [a, special::ZERO, special::ZERO]);
        Ok(())
    }

    fn reduce(&mut self, modifiers: &[&str], operands: &[Operand<'a>]) -> Result<(), Error> {
        let kind = modifiers.last().and_then(|m| Kind::parse(m)).unwrap_or(Kind::B32);
        let name = modifiers.get(1).copied().unwrap_or_default();
        let f = self.binary_function(name, kind, &[]);
        let f = f.ok_or_else(|| self.unsupported("unknown reduction"))?;
        let d = self.destination(self.at(operands, 0)?)?.slot;
        let a = self.source(self.at(operands, 1)?, kind)?;
        let members = self.source(self.at(operands, 2)?, Kind::U32)?;
        self.collective(Some(members), Action::Reduce(f), (Some(d), None), [a, special::ZERO, special::ZERO]);
        Ok(())
    }
}
