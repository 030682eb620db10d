//! The PTX interpreter against Rust's own arithmetic and against what CUDA promises about threads.

// clippy sees tests in functions marked so, not in what they call
#![allow(clippy::expect_used)]

mod arithmetic;
mod conversions;
mod faults;
mod kernels;
mod threads;

use cuda_emulator::ptx::{Error, Module};

/// Kernel parameters, each of 4 or 8 bytes and a multiple of that from the start.
#[derive(Default)]
pub(crate) struct Arguments(Vec<u8>);

impl Arguments {
    pub(crate) fn pointer<T>(mut self, data: &[T]) -> Self {
        self.0.extend((data.as_ptr() as u64).to_le_bytes());
        self
    }
    pub(crate) fn output<T>(mut self, data: &mut [T]) -> Self {
        self.0.extend((data.as_mut_ptr() as u64).to_le_bytes());
        self
    }
    pub(crate) fn word(mut self, value: u32) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }
    pub(crate) fn double(mut self, value: f64) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }
    pub(crate) fn launch(&self, module: &Module, name: &str, grid: u32, block: u32) -> Result<(), Error> {
        module.entry(name).expect(name).launch([grid, 1, 1], [block, 1, 1], 0, &self.0)
    }
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A module with one kernel `k` of pointers `out` and `in`, which it finds in %out and %in, its thread in %thread.
pub(crate) fn kernel(body: &str) -> Module {
    let text = format!(
        ".version 9.0\n.target sm_90\n.address_size 64\n\
         .visible .entry k(.param .u64 p0, .param .u64 p1)\n{{\n\
         .reg .b64 %out, %in, %here;\n.reg .b32 %thread;\n\
         ld.param.u64 %out, [p0];\nld.param.u64 %in, [p1];\nmov.u32 %thread, %tid.x;\n\
         {body}\nret;\n}}\n"
    );
    Module::parse(&text).expect("a module")
}

/// Runs `kernel(body)` on one block of 32-bit words.
pub(crate) fn run(body: &str, threads: u32, input: &[u32]) -> Result<Vec<u32>, Error> {
    let mut out = vec![0u32; threads as usize];
    Arguments::default().output(&mut out).pointer(input).launch(&kernel(body), "k", 1, threads)?;
    Ok(out)
}

/// Stores the 32-bit register `value` at the thread's place in the output.
pub(crate) const STORE: &str = "mad.wide.u32 %here, %thread, 4, %out;\nst.global.b32 [%here], %value;";

/// `instruction` on registers d (of `result` bits) and a, b, c (of `sources` bits), for every row of inputs.
pub(crate) fn compute(instruction: &str, result: u32, sources: [u32; 3], rows: &[[u64; 3]]) -> Vec<u64> {
    let declare = |name: &str, bits: u32| match bits {
        1 => format!(".reg .pred {name};\n"),
        bits => format!(".reg .b{bits} {name};\n"),
    };
    let mut body = declare("d", result);
    for (index, (name, bits)) in ["a", "b", "c"].iter().zip(sources).enumerate() {
        body += &declare(name, bits);
        body += &format!(
            "mad.wide.u32 %here, %thread, 24, %in;\nld.global.b{bits} {name}, [%here+{}];\n",
            8 * index
        );
    }
    body += &format!("{instruction}\nmad.wide.u32 %here, %thread, 8, %out;\n");
    body += &match result {
        1 => ".reg .b32 number;\nselp.u32 number, 1, 0, d;\nst.global.u32 [%here], number;".to_owned(),
        bits => format!("st.global.b{bits} [%here], d;"),
    };
    let module = kernel(&body);
    let mut results = Vec::new();
    for rows in rows.chunks(1024) {
        let mut out = vec![0u64; rows.len()];
        let arguments = Arguments::default().output(&mut out).pointer(rows);
        arguments
            .launch(&module, "k", 1, rows.len() as u32)
            .unwrap_or_else(|error| panic!("{instruction}: {error}"));
        results.extend(out);
    }
    results
}

/// Numbers without pattern, the same in every run.
pub(crate) fn numbers(count: usize) -> Vec<u64> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let step = |state: &mut u64| {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state
    };
    (0..count).map(|_| step(&mut state)).collect()
}
