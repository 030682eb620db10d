//! Modules of PTX, their kernels and variables.

use std::ffi::c_char;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex};

use super::device::{MAX_BLOCK_SHARED_BYTES, MAX_BLOCK_SHARED_BYTES_OPT_IN, MAX_BLOCK_THREADS};
use super::in_context;
use crate::boundary::{In, Out, text};
use crate::failure::{Failure, Outcome};
use crate::handles::{Handles, lock};
use crate::memory::{self, Kind};
use crate::ptx;

pub(super) struct Module {
    ptx: ptx::Module,
    /// Variables whose addresses the host has asked for.
    variables: Mutex<Vec<u64>>,
}

pub(super) struct Function {
    module: Arc<Module>,
    pub(super) name: Arc<str>,
    pub(super) max_dynamic_shared_bytes: AtomicI32,
}

static MODULES: Handles<Module> = Handles::new();
pub(super) static FUNCTIONS: Handles<Function> = Handles::new();

pub(super) fn forget() {
    FUNCTIONS.clear();
    MODULES.clear();
}

impl Function {
    pub(super) fn entry(&self) -> Result<&ptx::Entry, Failure> {
        self.module.ptx.entry(&self.name).ok_or(Failure::NOT_FOUND)
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        for &address in lock(&self.variables).iter() {
            // A reset of the device may have ended it before.
            if memory::kind_of(address) == Some(Kind::Variable) {
                let _ = memory::free(address);
            }
        }
    }
}

/// The first bytes of what is not PTX: an ELF file, or one of the two wrappings of a fat binary.
const BINARIES: [[u8; 4]; 3] = [*b"\x7FELF", [0xB1, 0x43, 0x62, 0x46], [0x50, 0xED, 0x55, 0xBA]];

fn load(text: &str) -> Result<usize, Failure> {
    let ptx = ptx::Module::parse(text).map_err(|error| {
        eprintln!("cuda-emulator: PTX: {error}");
        Failure::INVALID_PTX
    })?;
    Ok(MODULES.insert(Module { ptx, variables: Mutex::default() }))
}

fn load_image(module: Out<usize>, image: In<c_char>) -> Outcome {
    let start = image.cast::<[u8; 4]>().get()?;
    if BINARIES.contains(&start) {
        eprintln!("cuda-emulator: a module is machine code; only PTX can be emulated");
        return Err(Failure::NO_BINARY_FOR_GPU);
    }
    module.set(load(&text(image)?)?)
}

#[unsafe(no_mangle)]
extern "C" fn cuModuleLoadData(module: Out<usize>, image: In<c_char>) -> i32 {
    in_context("cuModuleLoadData", || load_image(module, image))
}

#[unsafe(no_mangle)]
extern "C" fn cuModuleLoadDataEx(
    module: Out<usize>,
    image: In<c_char>,
    _count: u32,
    _options: In<i32>,
    _values: In<usize>,
) -> i32 {
    in_context("cuModuleLoadDataEx", || load_image(module, image))
}

#[unsafe(no_mangle)]
extern "C" fn cuModuleLoad(module: Out<usize>, path: In<c_char>) -> i32 {
    in_context("cuModuleLoad", || {
        let path = text(path)?;
        let bytes = std::fs::read(&path).map_err(|error| {
            eprintln!("cuda-emulator: {path}: {error}");
            Failure::FILE_NOT_FOUND
        })?;
        if BINARIES.iter().any(|start| bytes.starts_with(start)) {
            return Err(Failure::NO_BINARY_FOR_GPU);
        }
        module.set(load(&String::from_utf8_lossy(&bytes))?)
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuModuleUnload(module: usize) -> i32 {
    in_context("cuModuleUnload", || MODULES.remove(module))
}

#[unsafe(no_mangle)]
extern "C" fn cuModuleGetFunction(function: Out<usize>, module: usize, name: In<c_char>) -> i32 {
    in_context("cuModuleGetFunction", || {
        let module = MODULES.find(module)?;
        let name = text(name)?;
        let shared_bytes = module.ptx.entry(&name).ok_or(Failure::NOT_FOUND)?.static_shared_bytes();
        let max_dynamic_shared_bytes = AtomicI32::new(MAX_BLOCK_SHARED_BYTES - shared_bytes as i32);
        function.set(FUNCTIONS.insert(Function { module, name: name.into(), max_dynamic_shared_bytes }))
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuModuleGetGlobal_v2(
    address: Out<u64>,
    bytes: Out<usize>,
    module: usize,
    name: In<c_char>,
) -> i32 {
    in_context("cuModuleGetGlobal_v2", || {
        let module = MODULES.find(module)?;
        let (start, size) = module.ptx.global(&text(name)?).ok_or(Failure::NOT_FOUND)?;
        let mut variables = lock(&module.variables);
        if !variables.contains(&start) {
            memory::adopt(start, size, Kind::Variable);
            variables.push(start);
        }
        address.set_if_wanted(start);
        bytes.set_if_wanted(size);
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuFuncGetAttribute(value: Out<i32>, attribute: i32, function: usize) -> i32 {
    in_context("cuFuncGetAttribute", || {
        let function = FUNCTIONS.find(function)?;
        match attribute {
            0 => value.set(MAX_BLOCK_THREADS),
            1 => value.set(function.entry()?.static_shared_bytes() as i32),
            4 => value.set(32), // registers: nobody counts them here
            5 | 6 => value.set(90),
            8 => value.set(function.max_dynamic_shared_bytes.load(Ordering::Relaxed)),
            2 | 3 | 7 | 9..=15 => value.set(0),
            _ => Err(Failure::INVALID_VALUE),
        }
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuFuncSetAttribute(function: usize, attribute: i32, value: i32) -> i32 {
    in_context("cuFuncSetAttribute", || {
        let function = FUNCTIONS.find(function)?;
        match attribute {
            8 => {
                let room = MAX_BLOCK_SHARED_BYTES_OPT_IN - function.entry()?.static_shared_bytes() as i32;
                if !(0..=room).contains(&value) {
                    return Err(Failure::INVALID_VALUE);
                }
                function.max_dynamic_shared_bytes.store(value, Ordering::Relaxed);
                Ok(())
            }
            9..=15 => Ok(()),
            _ => Err(Failure::INVALID_VALUE),
        }
    })
}

#[unsafe(no_mangle)]
extern "C" fn cuFuncSetCacheConfig(function: usize, _configuration: i32) -> i32 {
    in_context("cuFuncSetCacheConfig", || FUNCTIONS.find(function).map(drop))
}

#[unsafe(no_mangle)]
extern "C" fn cuFuncGetParamInfo(function: usize, index: usize, offset: Out<usize>, size: Out<usize>) -> i32 {
    in_context("cuFuncGetParamInfo", || {
        let function = FUNCTIONS.find(function)?;
        let parameter = function.entry()?.parameters().get(index).ok_or(Failure::INVALID_VALUE)?;
        offset.set(parameter.offset)?;
        size.set_if_wanted(parameter.size);
        Ok(())
    })
}
