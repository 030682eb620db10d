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
        let Some(Collective { members: Some(members), action }) = collective(program, &lanes[lane]) else {
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
            let same_place =
                (lanes[other].function, lanes[other].pc) == (lanes[lane].function, lanes[lane].pc);
            let sync = matches!((action, collective.action), (Action::Sync, Action::Sync));
            if !same_place && !sync {
                let message = format!(
                    "lanes {lane} and {other} of the members {members:#010x} wait at different places"
                );
                return Err((other, Fault::new(FaultKind::Deadlock, message)));
            }
        }
        if complete {
            perform(*action, present, lanes);
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
        perform(*action, active, lanes);
    }
    true
}

/// Runs one instruction for the lanes of `present`.
fn perform(action: Action, present: u32, lanes: &mut [Thread]) {
    let members: Vec<usize> = (0..lanes.len()).filter(|lane| present >> lane & 1 == 1).collect();
    let votes = |lanes: &[Thread], p: u32| {
        members.iter().fold(0u64, |votes, &lane| votes | (lanes[lane].read(p) & 1) << lane)
    };
    let give = |lanes: &mut [Thread], d: u32, value: &dyn Fn(usize) -> u64| {
        for &lane in &members {
            lanes[lane].write(d, value(lane));
        }
    };
    let all = u64::from(present);
    match action {
        Action::Sync => {}
        Action::ActiveMask { d } => give(lanes, d, &|_| all),
        Action::Ballot { d, p } => {
            let votes = votes(lanes, p);
            give(lanes, d, &|_| votes);
        }
        Action::All { d, p } => {
            let result = u64::from(votes(lanes, p) == all);
            give(lanes, d, &|_| result);
        }
        Action::Any { d, p } => {
            let result = u64::from(votes(lanes, p) != 0);
            give(lanes, d, &|_| result);
        }
        Action::Uniform { d, p } => {
            let votes = votes(lanes, p);
            give(lanes, d, &|_| u64::from(votes == 0 || votes == all));
        }
        Action::Elect { d, p } => {
            let leader = present.trailing_zeros();
            give(lanes, d, &|_| u64::from(leader));
            give(lanes, p, &|lane| u64::from(lane as u32 == leader));
        }
        Action::Reduce { d, a, f } => {
            let values = members.iter().map(|&lane| lanes[lane].read(a));
            let result = values.reduce(f).unwrap_or(0);
            give(lanes, d, &|_| result);
        }
        Action::MatchAny { d, a } => {
            let values: Vec<u64> = lanes.iter().map(|thread| thread.read(a)).collect();
            let same = |lane: usize| {
                members
                    .iter()
                    .filter(|&&other| values[other] == values[lane])
                    .fold(0, |mask, other| mask | 1 << other)
            };
            give(lanes, d, &same);
        }
        Action::MatchAll { d, same, a } => {
            let first = lanes[members[0]].read(a);
            let equal = members.iter().all(|&lane| lanes[lane].read(a) == first);
            give(lanes, d, &|_| if equal { all } else { 0 });
            if let Some(p) = same {
                give(lanes, p, &|_| u64::from(equal));
            }
        }
        Action::Shuffle { d, in_range, a, b, c, mode } => {
            let sources: Vec<(u64, u64)> = members
                .iter()
                .map(|&lane| {
                    let thread = &lanes[lane];
                    let (from, inside) =
                        source(lane as u32, thread.read(b) as u32, thread.read(c) as u32, mode);
                    let takes_part = from < 32 && present >> from & 1 == 1;
                    let value = if takes_part { lanes[from as usize].read(a) & NOTHING } else { NOTHING };
                    (value, u64::from(inside))
                })
                .collect();
            for (&lane, (value, inside)) in members.iter().zip(sources) {
                lanes[lane].write(d, value);
                if let Some(p) = in_range {
                    lanes[lane].write(p, inside);
                }
            }
        }
    }
    for &lane in &members {
        lanes[lane].state = State::Ready;
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
