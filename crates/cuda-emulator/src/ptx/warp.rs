//! Instructions that the lanes of a warp run together.

use super::error::{Fault, FaultKind};
use super::instruction::{Action, Collective, Instruction, Shuffle};
use super::module::Program;
use super::thread::{State, Thread};

/// What a lane reads from one that takes no part: a NaN, so that nobody mistakes it for a result.
const NOTHING: u64 = 0xffff_ffff;

fn collective<'p>(program: &'p Program, thread: &Thread) -> Option<&'p Collective> {
    if thread.state != State::Warp {
        return None;
    }
    match program.function(thread.function).ok()?.code.get(thread.pc - 1)? {
        Instruction::Warp(collective) => Some(collective),
        _ => None,
    }
}

/// A lane that failed, and how.
pub(super) type LaneFault = (usize, Box<Fault>);

/// Lets go every group of lanes that is complete; whether there was one.
pub(super) fn release(program: &Program, lanes: &mut [Thread]) -> Result<bool, LaneFault> {
    let mut live = 0u32;
    for (lane, thread) in lanes.iter().enumerate() {
        live |= u32::from(thread.state != State::Exited) << lane;
    }
    let mut released = false;
    for lane in 0..lanes.len() {
        let Some(Collective { members: Some(members), action, .. }) = collective(program, &lanes[lane])
        else {
            continue;
        };
        let members = lanes[lane].read(*members) as u32;
        if members >> lane & 1 == 0 {
            let message = format!("lane {lane} is none of the members {members:#010x} that it names");
            return Err((lane, Fault::new(FaultKind::Deadlock, message)));
        }
        let present = members & live;
        let mut complete = true;
        for other in (0..lanes.len()).filter(|other| present >> other & 1 == 1) {
            let same_members =
                |c: &&Collective| c.members.is_some_and(|slot| lanes[other].read(slot) as u32 == members);
            // a lane that waits in a smaller group may still come here
            let Some(collective) = collective(program, &lanes[other]).filter(same_members) else {
                complete = false;
                break;
            };
            // they may come to it at different places, but it must be the same that they come to do
            if std::mem::discriminant(action) != std::mem::discriminant(&collective.action) {
                let message =
                    format!("lanes {lane} and {other} of the members {members:#010x} do different things");
                return Err((other, Fault::new(FaultKind::Deadlock, message)));
            }
        }
        if complete {
            perform(program, *action, present, lanes);
            released = true;
        }
    }
    if !released && lanes.iter().all(|thread| thread.state != State::Ready) {
        released = release_active(program, lanes);
    }
    Ok(released)
}

/// `activemask` sees the lanes that come to the same place while nobody else can move.
fn release_active(program: &Program, lanes: &mut [Thread]) -> bool {
    let waits = |thread: &Thread| collective(program, thread).is_some_and(|c| c.members.is_none());
    let Some(first) = lanes.iter().position(waits) else { return false };
    let place = (lanes[first].function, lanes[first].pc);
    let mut active = 0;
    for (lane, thread) in lanes.iter().enumerate() {
        if waits(thread) && (thread.function, thread.pc) == place {
            active |= 1 << lane;
        }
    }
    if let Some(Collective { action, .. }) = collective(program, &lanes[first]) {
        perform(program, *action, active, lanes);
    }
    true
}

/// What one lane brings to an instruction.
struct Part<'p> {
    lane: usize,
    collective: &'p Collective,
    a: u64,
}

/// Runs one instruction for the lanes of `present`, each with its own registers.
fn perform(program: &Program, action: Action, present: u32, lanes: &mut [Thread]) {
    let here = (0..lanes.len()).filter(|lane| present >> lane & 1 == 1);
    let parts = here.filter_map(|lane| {
        let collective = collective(program, &lanes[lane])?;
        Some(Part { lane, collective, a: lanes[lane].read(collective.a) })
    });
    let parts: Vec<Part<'_>> = parts.collect();
    let votes = parts.iter().fold(0, |votes, part| votes | (part.a & 1) << part.lane);
    let all = u64::from(present);
    let first = parts.first().map_or(0, |part| part.a);
    let equal = parts.iter().all(|part| part.a == first);
    let reduced = match action {
        Action::Reduce(f) => parts.iter().map(|part| part.a).reduce(f),
        _ => None,
    };
    for part in &parts {
        let (value, p) = match action {
            Action::Sync => (0, false),
            Action::ActiveMask => (all, false),
            Action::Ballot => (votes, false),
            Action::All => (u64::from(votes == all), false),
            Action::Any => (u64::from(votes != 0), false),
            Action::Uniform => (u64::from(votes == 0 || votes == all), false),
            Action::Elect => (present.trailing_zeros().into(), part.lane as u32 == present.trailing_zeros()),
            Action::Reduce(_) => (reduced.unwrap_or(0), false),
            Action::MatchAny => {
                let same = parts.iter().filter(|other| other.a == part.a);
                (same.fold(0, |mask, other| mask | 1 << other.lane), false)
            }
            Action::MatchAll => (if equal { all } else { 0 }, equal),
            Action::Shuffle(mode) => {
                let thread = &lanes[part.lane];
                let (b, c) = (thread.read(part.collective.b), thread.read(part.collective.c));
                let (from, inside) = source(part.lane as u32, b as u32, c as u32, mode);
                let found = parts.iter().find(|other| other.lane == from as usize);
                (found.map_or(NOTHING, |other| other.a & NOTHING), inside)
            }
        };
        let thread = &mut lanes[part.lane];
        if let Some(d) = part.collective.d {
            thread.write(d, value);
        }
        if let Some(slot) = part.collective.p {
            thread.write(slot, p.into());
        }
        thread.state = State::Ready;
    }
}

/// The lane that a shuffle reads, and whether the one asked for lies in the segment.
fn source(lane: u32, b: u32, c: u32, mode: Shuffle) -> (u32, bool) {
    let (b, clamp, segment) = (b & 0x1f, c & 0x1f, (c >> 8) & 0x1f);
    let first = lane & segment;
    let last = first | (clamp & !segment);
    let (wanted, inside) = match mode {
        Shuffle::Up => (lane.wrapping_sub(b), lane as i32 - b as i32 >= last as i32),
        Shuffle::Down => (lane + b, lane + b <= last),
        Shuffle::Butterfly => (lane ^ b, lane ^ b <= last),
        Shuffle::Index => {
            let wanted = first | (b & !segment);
            (wanted, wanted <= last)
        }
    };
    if inside { (wanted, true) } else { (lane, false) }
}
