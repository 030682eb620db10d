//! Calls: frames of registers and of local memory.

use super::decode::FRAME_ALIGN;
use super::error::{Error, Fault, FaultKind};
use super::function::{Function, special};
use super::instruction::{Call, Instruction, Target};
use super::memory::Memory;
use super::module::FUNCTION_ADDRESS;
use super::storage::aligned;
use super::thread::{State, Thread};

/// Nested calls, as far as a real stack of 1 KiB and more could go.
const DEEPEST_CALL: usize = 4096;

/// A caller, while its callee runs.
pub(super) struct Frame {
    function: usize,
    pc: usize,
    registers: usize,
    local: usize,
}

impl Thread {
    /// Enters the function that `call` names; what only prints returns at once.
    pub(super) fn call(
        &mut self,
        call: &Call,
        caller: &Function,
        memory: &Memory<'_>,
    ) -> Result<(), Box<Fault>> {
        let index = match call.target {
            Target::Function(index) => index,
            Target::Register(slot) => {
                let address = self.read(slot);
                let index = (address & !FUNCTION_ADDRESS) as usize;
                if address & FUNCTION_ADDRESS == 0 || index >= memory.program.functions.len() {
                    return Err(Fault::new(
                        FaultKind::IllegalAddress,
                        format!("no function at {address:#x}"),
                    ));
                }
                index
            }
            Target::Print => return Ok(()),
            Target::AssertFail => return Err(Fault::new(FaultKind::Assert, "an assertion failed")),
        };
        let program = memory.program;
        let signature = &program.functions[index];
        let callee = program.function(index).map_err(undecoded)?;
        if signature.parameters.len() != call.arguments.len() || signature.result.len() != call.results.len()
        {
            let message = format!("{} takes another number of arguments", signature.name);
            return Err(Fault::new(FaultKind::Unsupported, message));
        }
        if self.callers.len() >= DEEPEST_CALL {
            return Err(Fault::new(FaultKind::IllegalAddress, "calls are nested too deeply"));
        }
        let local = self.read(special::FRAME) as usize;
        let frame = aligned(local + caller.local_bytes, FRAME_ALIGN);
        let end = frame + callee.local_bytes;
        if self.local.len() < end {
            self.local.resize(end, 0xff);
        }
        for (&from, to) in call.arguments.iter().zip(&signature.parameters) {
            self.local.copy_within(local + from..local + from + to.size, frame + to.offset);
        }
        let registers = self.base + caller.registers.len();
        self.registers.truncate(registers);
        self.registers.extend_from_slice(&callee.registers);
        let same = special::DYNAMIC_SHARED as usize..special::COUNT as usize;
        self.registers.copy_within(self.base + same.start..self.base + same.end, registers + same.start);
        self.registers[registers + special::FRAME as usize] = frame as u64;
        self.callers.push(Frame { function: self.function, pc: self.pc, registers: self.base, local });
        self.function = index;
        self.base = registers;
        self.pc = 0;
        Ok(())
    }

    /// Returns to the caller, if there is one.
    pub(super) fn leave(&mut self, memory: &Memory<'_>) -> bool {
        let Some(caller) = self.callers.pop() else {
            self.state = State::Exited;
            return false;
        };
        let program = memory.program;
        let frame = self.read(special::FRAME) as usize;
        let call =
            program.function(caller.function).ok().and_then(|function| function.code.get(caller.pc - 1));
        if let Some(Instruction::Call(call)) = call {
            for (&to, from) in call.results.iter().zip(&program.functions[self.function].result) {
                let from = frame + from.offset..frame + from.offset + from.size;
                self.local.copy_within(from, caller.local + to);
            }
        }
        self.function = caller.function;
        self.pc = caller.pc;
        self.base = caller.registers;
        true
    }
}

#[cold]
pub(super) fn undecoded(error: &Error) -> Box<Fault> {
    Fault::new(FaultKind::Unsupported, error.to_string())
}
