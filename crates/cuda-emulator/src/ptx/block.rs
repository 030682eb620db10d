//! One block: its threads take turns, warp by warp, until all have exited.

use super::error::{Error, Fault, FaultKind};
use super::function::{Function, special};
use super::instruction::{Arrival, Reduction};
use super::launch::Launch;
use super::memory::Memory;
use super::thread::{State, Thread};
use super::warp;

const WARP: usize = 32;
const BARRIERS: usize = 16;

/// Runs blocks one after the other, with the same memory.
pub(super) struct Worker<'l> {
    launch: &'l Launch<'l>,
    function: &'l Function,
    memory: Memory<'l>,
    threads: Vec<Thread>,
    /// threads that passed each barrier without waiting
    passed: [u32; BARRIERS],
    block: [u32; 3],
}

impl<'l> Worker<'l> {
    pub(super) fn new(launch: &'l Launch<'l>, function: &'l Function) -> Worker<'l> {
        let memory = Memory {
            program: launch.program,
            check: super::memory::MEMORY_CHECK.get().copied(),
            parameters: launch.parameters,
            shared: vec![0; launch.shared_bytes],
        };
        let count = launch.block.iter().product::<u32>() as usize;
        let threads = (0..count).map(|_| Thread::new()).collect();
        Worker { launch, function, memory, threads, passed: [0; BARRIERS], block: [0; 3] }
    }

    /// Runs the block of this number, x fastest.
    pub(super) fn run(&mut self, number: u64) -> Result<(), Error> {
        let [x, y, _] = self.launch.grid.map(u64::from);
        self.block = [(number % x) as u32, (number / x % y) as u32, (number / (x * y)) as u32];
        // what nobody wrote reads as NaN
        self.memory.shared.fill(0xff);
        self.passed = [0; BARRIERS];
        self.start_threads();
        loop {
            for first in (0..self.threads.len()).step_by(WARP) {
                let last = (first + WARP).min(self.threads.len());
                self.run_warp(first, last)?;
            }
            if self.threads.iter().all(|thread| thread.state == State::Exited) {
                return Ok(());
            }
            let released = self.release_barriers()?;
            if !released && self.threads.iter().all(|thread| thread.state != State::Ready) {
                return Err(self.deadlock());
            }
        }
    }

    fn start_threads(&mut self) {
        let launch = self.launch;
        let [width, height, _] = launch.block;
        let warps = self.threads.len().div_ceil(WARP) as u64;
        for (linear, thread) in self.threads.iter_mut().enumerate() {
            let number = linear as u32;
            let index = [number % width, number / width % height, number / (width * height)];
            thread.start(index, launch.function, self.function);
            let lane = number % WARP as u32;
            let (below, bit) = ((1u64 << lane) - 1, 1u64 << lane);
            let axes = [
                (special::THREAD, index),
                (special::BLOCK_SIZE, launch.block),
                (special::BLOCK, self.block),
                (special::GRID_SIZE, launch.grid),
            ];
            for (first, values) in axes {
                for (slot, value) in (first..).zip(values) {
                    thread.write(slot, value.into());
                }
            }
            thread.write(special::LANE, lane.into());
            thread.write(special::WARP, (linear / WARP) as u64);
            thread.write(special::WARPS, warps);
            let masks = [bit, bit | below, below, !below & 0xffff_ffff, !(below | bit) & 0xffff_ffff];
            for (slot, mask) in (special::LANE_MASKS..).zip(masks) {
                thread.write(slot, mask);
            }
            thread.write(special::DYNAMIC_SHARED, launch.dynamic_shared as u64);
            thread.write(special::DYNAMIC_SHARED_BYTES, (launch.shared_bytes - launch.dynamic_shared) as u64);
            thread.write(special::SHARED_BYTES, launch.shared_bytes as u64);
        }
    }

    /// Runs the lanes of one warp until none can go on without another warp.
    fn run_warp(&mut self, first: usize, last: usize) -> Result<(), Error> {
        loop {
            for number in first..last {
                let thread = &mut self.threads[number];
                if thread.state == State::Ready
                    && let Err(fault) = thread.run(&mut self.memory)
                {
                    return Err(self.error(number, *fault));
                }
                let thread = &mut self.threads[number];
                if let State::Barrier { id, arrival: Arrival::Pass, .. } = thread.state {
                    self.passed[id as usize] += 1;
                    thread.state = State::Ready;
                }
            }
            match warp::release(self.launch.program, &mut self.threads[first..last]) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err((lane, fault)) => return Err(self.error(first + lane, *fault)),
            }
        }
    }

    /// Opens every barrier at which all have come who must; whether there was one.
    fn release_barriers(&mut self) -> Result<bool, Error> {
        let live = self.threads.iter().filter(|thread| thread.state != State::Exited).count() as u32;
        let mut released = false;
        for barrier in 0..BARRIERS as u32 {
            let waits = |thread: &Thread| matches!(thread.state, State::Barrier { id, .. } if id == barrier);
            let waiting: Vec<usize> = (0..self.threads.len()).filter(|&n| waits(&self.threads[n])).collect();
            let Some(&first) = waiting.first() else { continue };
            let State::Barrier { threads: expected, .. } = self.threads[first].state else { continue };
            let arrived = waiting.len() as u32 + self.passed[barrier as usize];
            if let Some(&other) = waiting.iter().find(
                |&&n| matches!(self.threads[n].state, State::Barrier { threads, .. } if threads != expected),
            ) {
                let message = format!("threads wait at barrier {barrier} for different numbers of threads");
                return Err(self.error(other, *Fault::new(FaultKind::Deadlock, message)));
            }
            // threads that have exited count as arrived
            if arrived < expected.unwrap_or(live) {
                continue;
            }
            self.passed[barrier as usize] = 0;
            self.open(&waiting);
            released = true;
        }
        Ok(released)
    }

    fn open(&mut self, waiting: &[usize]) {
        let mut votes = 0;
        for &number in waiting {
            if let State::Barrier { arrival: Arrival::Reduce { p, .. }, .. } = self.threads[number].state {
                votes += self.threads[number].read(p) & 1;
            }
        }
        for &number in waiting {
            let thread = &mut self.threads[number];
            if let State::Barrier { arrival: Arrival::Reduce { d, reduction, .. }, .. } = thread.state {
                let result = match reduction {
                    Reduction::Count => votes,
                    Reduction::All => u64::from(votes == waiting.len() as u64),
                    Reduction::Any => u64::from(votes > 0),
                };
                thread.write(d, result);
            }
            thread.state = State::Ready;
        }
    }

    fn deadlock(&self) -> Error {
        let waiting: Vec<usize> =
            (0..self.threads.len()).filter(|&n| self.threads[n].state != State::Exited).collect();
        let places: std::collections::BTreeSet<u32> =
            waiting.iter().filter_map(|&n| self.line(&self.threads[n])).collect();
        let lines: Vec<String> = places.iter().map(u32::to_string).collect();
        let message = format!(
            "deadlock: {} of {} threads wait for others, at PTX lines {}",
            waiting.len(),
            self.threads.len(),
            lines.join(", ")
        );
        self.error(waiting[0], Fault { kind: FaultKind::Deadlock, message })
    }

    fn line(&self, thread: &Thread) -> Option<u32> {
        let function = self.launch.program.function(thread.function).ok()?;
        function.lines.get(thread.pc.checked_sub(1)?).copied()
    }

    fn error(&self, number: usize, fault: Fault) -> Error {
        let thread = &self.threads[number];
        let line = self.line(thread).unwrap_or(0) as usize;
        Error::Fault {
            kind: fault.kind,
            kernel: self.launch.kernel.to_owned(),
            line,
            instruction: self.launch.program.line(line),
            block: self.block,
            thread: thread.index,
            message: fault.message,
        }
    }
}
