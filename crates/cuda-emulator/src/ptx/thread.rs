//! One emulated thread: runs until it waits for others, exits or fails.

use super::call::{Frame, undecoded};
use super::error::{Fault, FaultKind};
use super::function::{Function, special};
use super::instruction::{Arrival, CarryMode, Change, Extension, Instruction};
use super::memory::{Memory, locate};
use std::sync::atomic::{Ordering, fence};

/// Branches that a thread takes before others get their turn.
const PATIENCE: u32 = 50_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Ready,
    /// at the instruction before `pc`, a `Collective`
    Warp,
    Barrier {
        id: u32,
        threads: Option<u32>,
        arrival: Arrival,
    },
    Exited,
}

pub(super) struct Thread {
    pub(super) index: [u32; 3],
    pub(super) state: State,
    pub(super) function: usize,
    /// of the next instruction
    pub(super) pc: usize,
    pub(super) registers: Vec<u64>,
    /// where the registers of the current frame begin
    pub(super) base: usize,
    pub(super) local: Vec<u8>,
    pub(super) callers: Vec<Frame>,
}

impl Thread {
    pub(super) fn new() -> Thread {
        Thread {
            index: [0; 3],
            state: State::Exited,
            function: 0,
            pc: 0,
            registers: Vec::new(),
            base: 0,
            local: Vec::new(),
            callers: Vec::new(),
        }
    }

    /// Puts the thread before the first instruction of a kernel.
    pub(super) fn start(&mut self, index: [u32; 3], function: usize, code: &Function) {
        self.index = index;
        self.state = State::Ready;
        self.function = function;
        self.pc = 0;
        self.base = 0;
        self.callers.clear();
        self.registers.clear();
        self.registers.extend_from_slice(&code.registers);
        self.local.clear();
        self.local.resize(code.local_bytes, 0xff);
    }

    pub(super) fn read(&self, slot: u32) -> u64 {
        self.registers[self.base + slot as usize]
    }

    pub(super) fn write(&mut self, slot: u32, value: u64) {
        self.registers[self.base + slot as usize] = value;
    }

    /// Runs until something stops the thread; `state` says what. A thread that is still ready only ran for long.
    pub(super) fn run(&mut self, memory: &mut Memory<'_>) -> Result<(), Box<Fault>> {
        let mut patience = PATIENCE;
        loop {
            let function = match memory.program.function(self.function) {
                Ok(function) => function,
                Err(error) => return Err(undecoded(error)),
            };
            if !self.run_frame(function, memory, &mut patience)? {
                return Ok(());
            }
        }
    }

    /// Runs in the current frame; whether the thread goes on in another.
    fn run_frame(
        &mut self,
        function: &Function,
        memory: &mut Memory<'_>,
        patience: &mut u32,
    ) -> Result<bool, Box<Fault>> {
        let code = &function.code[..];
        let r = &mut self.registers[self.base..];
        let local = &mut self.local;
        let mut pc = self.pc;
        macro_rules! r {
            ($slot:expr) => {
                r[$slot as usize]
            };
        }
        macro_rules! attempt {
            ($result:expr) => {
                match $result {
                    Ok(value) => value,
                    Err(fault) => {
                        self.pc = pc;
                        return Err(fault);
                    }
                }
            };
        }
        macro_rules! address {
            ($address:expr) => {
                r!($address.base).wrapping_add($address.offset as u64)
            };
        }
        macro_rules! jump {
            ($target:expr) => {
                pc = $target as usize;
                *patience -= 1;
                if *patience == 0 {
                    self.pc = pc;
                    return Ok(false);
                }
            };
        }
        loop {
            let instruction = &code[pc];
            pc += 1;
            match instruction {
                &Instruction::Move { d, a } => r!(d) = r!(a),
                &Instruction::Unary { f, d, a } => r!(d) = f(r!(a)),
                &Instruction::Binary { f, d, a, b } => r!(d) = f(r!(a), r!(b)),
                &Instruction::Ternary { f, d, a, b, c } => r!(d) = f(r!(a), r!(b), r!(c)),
                &Instruction::Quaternary { f, d, inputs: [a, b, c, e] } => {
                    r!(d) = f(r!(a), r!(b), r!(c), r!(e))
                }
                Instruction::Convert { conversion, d, a } => r!(*d) = conversion.apply(r!(*a)),
                &Instruction::Carry { d, a, b, mode } => {
                    let (sum, carry) = add_carry(r!(a), r!(b), r!(special::CARRY), mode);
                    r!(d) = sum;
                    if mode.carry_out {
                        r!(special::CARRY) = carry;
                    }
                }
                &Instruction::Load { d, extension, address } => {
                    let (at, bytes) = (address!(address), extension.bytes.into());
                    r!(d) = extend(attempt!(memory.load(local, address.space, at, bytes)), extension);
                }
                &Instruction::Store { a, bytes, address } => {
                    let at = address!(address);
                    attempt!(memory.store(local, address.space, at, bytes.into(), r!(a)));
                }
                Instruction::LoadVector(load) => {
                    let at = address!(load.address);
                    let (bytes, count) = (load.extension.bytes.into(), load.destinations.len());
                    let values = attempt!(memory.load_vector(local, load.address.space, at, bytes, count));
                    for (&d, value) in load.destinations.iter().zip(values) {
                        r!(d) = extend(value, load.extension);
                    }
                }
                Instruction::StoreVector(store) => {
                    let at = address!(store.address);
                    let mut values = [0; 8];
                    let values = &mut values[..store.sources.len()];
                    for (value, &a) in values.iter_mut().zip(&store.sources) {
                        *value = r!(a);
                    }
                    attempt!(memory.store_vector(local, store.address.space, at, store.bytes.into(), values));
                }
                Instruction::AsyncCopy(copy) => {
                    let (to, from) = (address!(copy.to), address!(copy.from));
                    let given = copy.source_bytes.map_or(copy.bytes, |slot| r!(slot) as u32) as u64;
                    for offset in (0..u64::from(copy.bytes)).step_by(4) {
                        let value = if offset < given {
                            attempt!(memory.load(local, copy.from.space, from + offset, 4))
                        } else {
                            0
                        };
                        attempt!(memory.store(local, copy.to.space, to + offset, 4, value));
                    }
                }
                Instruction::Atomic(atomic) => {
                    let at = address!(atomic.address);
                    let (space, bytes) = (atomic.address.space, atomic.bytes.into());
                    let old =
                        match atomic.change {
                            Change::Apply { f, b } => {
                                let b = r!(b);
                                memory.change(local, space, at, bytes, |old| f(old, b))
                            }
                            Change::Swap { expected, new } => {
                                let expected = r!(expected) & (u64::MAX >> (64 - 8 * bytes));
                                let new = r!(new);
                                memory.change(local, space, at, bytes, |old| {
                                    if old == expected { new } else { old }
                                })
                            }
                        };
                    let old = attempt!(old);
                    if let Some(d) = atomic.d {
                        r!(d) = old;
                    }
                }
                &Instruction::IsSpace { d, a, space } => r!(d) = u64::from(locate(r!(a)).0 == space),
                Instruction::Fence => fence(Ordering::SeqCst),
                &Instruction::Jump { target } => {
                    jump!(target);
                }
                &Instruction::JumpIf { p, target } => {
                    if r!(p) & 1 == 1 {
                        jump!(target);
                    }
                }
                &Instruction::JumpUnless { p, target } => {
                    if r!(p) & 1 == 0 {
                        jump!(target);
                    }
                }
                Instruction::JumpTable { index, targets } => {
                    let index = r!(*index) as u32 as usize;
                    let fault = || Fault::new(FaultKind::IllegalAddress, format!("no branch target {index}"));
                    let target = *attempt!(targets.get(index).ok_or_else(fault));
                    jump!(target);
                }
                Instruction::Call(call) => {
                    self.pc = pc;
                    self.call(call, function, memory)?;
                    return Ok(true);
                }
                Instruction::Return => {
                    self.pc = pc;
                    return Ok(self.leave(memory));
                }
                Instruction::Exit => {
                    self.state = State::Exited;
                    return Ok(false);
                }
                Instruction::Trap => {
                    self.pc = pc;
                    return Err(Fault::new(FaultKind::Trap, "trap"));
                }
                &Instruction::Barrier { id, threads, arrival } => {
                    let id = r!(id) as u32;
                    let threads = threads.map(|slot| r!(slot) as u32);
                    self.pc = pc;
                    if id >= 16 {
                        return Err(Fault::new(FaultKind::Unsupported, format!("there is no barrier {id}")));
                    }
                    self.state = State::Barrier { id, threads, arrival };
                    return Ok(false);
                }
                Instruction::Warp(_) => {
                    self.pc = pc;
                    self.state = State::Warp;
                    return Ok(false);
                }
            }
        }
    }
}

#[inline(always)]
fn extend(value: u64, extension: Extension) -> u64 {
    if !extension.signed {
        return value;
    }
    let unused = 64 - 8 * u32::from(extension.bytes);
    let signed = ((value << unused) as i64 >> unused) as u64;
    signed & (u64::MAX >> (64 - u32::from(extension.bits)))
}

/// The sum or difference and the carry out of it; of a difference the carry says that nothing was borrowed.
fn add_carry(a: u64, b: u64, carry: u64, mode: CarryMode) -> (u64, u64) {
    let mask = u128::from(u64::MAX >> (64 - mode.bits));
    let (a, b) = (u128::from(a) & mask, u128::from(b) & mask);
    let (b, carry) = match (mode.subtract, mode.carry_in) {
        (false, false) => (b, 0),
        (false, true) => (b, carry),
        // a - b is a + !b + 1
        (true, false) => (b ^ mask, 1),
        (true, true) => (b ^ mask, carry),
    };
    let sum = a + b + u128::from(carry);
    ((sum & mask) as u64, (sum >> mode.bits) as u64)
}
