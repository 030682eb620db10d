//! libcurand: random numbers that depend on seed, offset and position alone. They are not cuRAND's own numbers.

use std::sync::{Arc, Mutex};

use crate::boundary::Out;
use crate::driver::trace;
use crate::failure::{Failure, Outcome};
use crate::handles::{Handles, lock};
use crate::memory;
use crate::numbers::{Element, store};
use crate::report;
use crate::stream;
use crate::task::{Task, Work, fault};

struct Generator {
    stream: Mutex<usize>,
    /// On a GPU this lies in device memory: replays of a graph move it on.
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Copy, Default)]
struct State {
    seed: u64,
    position: u64,
}

static GENERATORS: Handles<Generator> = Handles::new();

fn rand(name: &'static str, body: impl FnOnce() -> Outcome) -> i32 {
    const NOT_INITIALIZED: i32 = 101;
    const OUT_OF_RANGE: i32 = 104;
    const LENGTH_NOT_MULTIPLE: i32 = 105;
    const LAUNCH_FAILURE: i32 = 201;
    report::called(name);
    let code = match body() {
        Ok(()) => 0,
        Err(Failure::INVALID_HANDLE) => NOT_INITIALIZED,
        Err(Failure::INVALID_VALUE) => OUT_OF_RANGE,
        Err(ODD_LENGTH) => LENGTH_NOT_MULTIPLE,
        Err(_) => LAUNCH_FAILURE,
    };
    trace(name, code);
    code
}

/// Normal numbers come in pairs. No code of the driver says so, hence this one of our own.
const ODD_LENGTH: Failure = Failure(-1);

/// The `position`-th of the 64-bit numbers of a seed (SplitMix64).
fn bits(seed: u64, position: u64) -> u64 {
    let mut z = seed.wrapping_add((position + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// In (0, 1], with as many bits as fit into the type.
fn uniform(element: Element, bits: u64) -> f64 {
    let digits = if element == Element::F64 { 53 } else { 24 };
    ((bits >> (64 - digits)) + 1) as f64 / (1u64 << digits) as f64
}

fn normal(seed: u64, position: u64) -> f64 {
    let pair = position & !1;
    let radius = (-2.0 * uniform(Element::F64, bits(seed, pair)).ln()).sqrt();
    let angle = std::f64::consts::TAU * uniform(Element::F64, bits(seed, pair + 1));
    radius * if position == pair { angle.cos() } else { angle.sin() }
}

/// Writes `count` values of `bytes` each, `write` making the one at an address from seed and position.
fn generate(
    call: (usize, &'static str),
    address: u64,
    count: usize,
    bytes: usize,
    write: impl Fn(u64, State) + Send + Sync + 'static,
) -> Outcome {
    fault()?;
    let generator = GENERATORS.find(call.0)?;
    let state = generator.state.clone();
    let stream = *lock(&generator.stream);
    let run = move || {
        memory::require(address, count * bytes, "random numbers")?;
        let mut state = lock(&state);
        for index in 0..count {
            write(address + (index * bytes) as u64, *state);
            state.position += 1;
        }
        Ok(())
    };
    stream::submit(stream, Task::new(Work::Library(call.1), run))
}

fn require_pairs(count: usize) -> Outcome {
    if count.is_multiple_of(2) { Ok(()) } else { Err(ODD_LENGTH) }
}

#[unsafe(no_mangle)]
extern "C" fn curandCreateGenerator(generator: Out<usize>, _kind: i32) -> i32 {
    rand("curandCreateGenerator", || {
        generator.set(GENERATORS.insert(Generator { stream: Mutex::default(), state: Arc::default() }))
    })
}

#[unsafe(no_mangle)]
extern "C" fn curandDestroyGenerator(generator: usize) -> i32 {
    rand("curandDestroyGenerator", || GENERATORS.remove(generator))
}

#[unsafe(no_mangle)]
extern "C" fn curandSetStream(generator: usize, stream: usize) -> i32 {
    rand("curandSetStream", || {
        *lock(&GENERATORS.find(generator)?.stream) = stream;
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn curandSetPseudoRandomGeneratorSeed(generator: usize, seed: u64) -> i32 {
    rand("curandSetPseudoRandomGeneratorSeed", || {
        *lock(&GENERATORS.find(generator)?.state) = State { seed, position: 0 };
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn curandSetGeneratorOffset(generator: usize, offset: u64) -> i32 {
    rand("curandSetGeneratorOffset", || {
        lock(&GENERATORS.find(generator)?.state).position = offset;
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn curandGetVersion(version: Out<i32>) -> i32 {
    rand("curandGetVersion", || version.set(10_400))
}

fn generate_real(
    call: (usize, &'static str),
    element: Element,
    address: u64,
    count: usize,
    value: impl Fn(State) -> f64 + Send + Sync + 'static,
) -> Outcome {
    generate(call, address, count, element.bytes(), move |place, state| store(element, place, value(state)))
}

#[unsafe(no_mangle)]
extern "C" fn curandGenerateUniform(generator: usize, address: u64, count: usize) -> i32 {
    const NAME: &str = "curandGenerateUniform";
    let value = |state: State| uniform(Element::F32, bits(state.seed, state.position));
    rand(NAME, || generate_real((generator, NAME), Element::F32, address, count, value))
}

#[unsafe(no_mangle)]
extern "C" fn curandGenerateUniformDouble(generator: usize, address: u64, count: usize) -> i32 {
    const NAME: &str = "curandGenerateUniformDouble";
    let value = |state: State| uniform(Element::F64, bits(state.seed, state.position));
    rand(NAME, || generate_real((generator, NAME), Element::F64, address, count, value))
}

fn scaled_normal(mean: f64, deviation: f64) -> impl Fn(State) -> f64 + Send + Sync + 'static {
    move |state| mean + deviation * normal(state.seed, state.position)
}

#[unsafe(no_mangle)]
extern "C" fn curandGenerateNormal(
    generator: usize,
    address: u64,
    count: usize,
    mean: f32,
    deviation: f32,
) -> i32 {
    const NAME: &str = "curandGenerateNormal";
    rand(NAME, || {
        require_pairs(count)?;
        let value = scaled_normal(mean.into(), deviation.into());
        generate_real((generator, NAME), Element::F32, address, count, value)
    })
}

#[unsafe(no_mangle)]
extern "C" fn curandGenerateNormalDouble(
    generator: usize,
    address: u64,
    count: usize,
    mean: f64,
    deviation: f64,
) -> i32 {
    const NAME: &str = "curandGenerateNormalDouble";
    rand(NAME, || {
        require_pairs(count)?;
        generate_real((generator, NAME), Element::F64, address, count, scaled_normal(mean, deviation))
    })
}

#[unsafe(no_mangle)]
extern "C" fn curandGenerate(generator: usize, address: u64, count: usize) -> i32 {
    const NAME: &str = "curandGenerate";
    rand(NAME, || {
        generate((generator, NAME), address, count, 4, |place, state| {
            let value = (bits(state.seed, state.position) >> 32) as u32;
            crate::boundary::fill(place, 4, &value.to_ne_bytes());
        })
    })
}
