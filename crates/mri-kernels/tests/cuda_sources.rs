//! Every CUDA source compiles to PTX, wherever NVRTC is found: no GPU and no CUDA SDK are needed.
//!
//! NVRTC is looked for in the file that `NVRTC_LIBRARY` names, then by the loader's own rules. PyPI's `nvidia-cuda-nvrtc`
//! has it. Where there is none the test says so and passes.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};

type Program = *mut c_void;

struct Nvrtc(Library);

impl Nvrtc {
    fn find() -> Option<Self> {
        let named = std::env::var_os("NVRTC_LIBRARY").map(std::path::PathBuf::from);
        if let Some(folder) = named.as_deref().and_then(Path::parent) {
            // NVRTC asks the loader for this one by its bare name, which then is the one already loaded.
            for entry in std::fs::read_dir(folder).unwrap().flatten() {
                if entry.file_name().to_string_lossy().starts_with("libnvrtc-builtins.so") {
                    // SAFETY: a library of data.
                    let builtins = unsafe { Library::open(Some(entry.path()), RTLD_NOW | RTLD_GLOBAL) };
                    std::mem::forget(builtins.unwrap());
                }
            }
        }
        let names = ["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"].map(Into::into);
        // SAFETY: NVRTC's own initialization.
        named.into_iter().chain(names).find_map(|name| unsafe { Library::new(name) }.ok()).map(Self)
    }

    /// PTX, or NVRTC's complaints.
    fn compile(&self, source: &str) -> Result<String, String> {
        let source = CString::new(source).unwrap();
        let mut program: Program = std::ptr::null_mut();
        // SAFETY: signatures as in nvrtc.h; every buffer has the size that NVRTC asked for, and a NUL at its end.
        unsafe {
            let create = self
                .0
                .get::<unsafe extern "C" fn(
                    *mut Program,
                    *const c_char,
                    *const c_char,
                    c_int,
                    *const *const c_char,
                    *const *const c_char,
                ) -> c_int>(b"nvrtcCreateProgram\0")
                .unwrap();
            let none = std::ptr::null();
            assert_eq!(create(&mut program, source.as_ptr(), none, 0, none.cast(), none.cast()), 0);
            let compile = self.0.get::<unsafe extern "C" fn(Program, c_int, *const *const c_char) -> c_int>(
                b"nvrtcCompileProgram\0",
            );
            let failed = compile.unwrap()(program, 0, none.cast()) != 0;
            let (size, text): (&[u8], &[u8]) = match failed {
                true => (b"nvrtcGetProgramLogSize\0", b"nvrtcGetProgramLog\0"),
                false => (b"nvrtcGetPTXSize\0", b"nvrtcGetPTX\0"),
            };
            let size = self.0.get::<unsafe extern "C" fn(Program, *mut usize) -> c_int>(size).unwrap();
            let text = self.0.get::<unsafe extern "C" fn(Program, *mut c_char) -> c_int>(text).unwrap();
            let mut bytes = 0;
            assert_eq!(size(program, &mut bytes), 0);
            let mut buffer: Vec<c_char> = vec![0; bytes];
            assert_eq!(text(program, buffer.as_mut_ptr()), 0);
            let text = CStr::from_ptr(buffer.as_ptr()).to_string_lossy().into_owned();
            if failed { Err(text) } else { Ok(text) }
        }
    }
}

fn source(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cuda/source");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

#[test]
fn every_source_compiles_to_ptx() {
    let Some(nvrtc) = Nvrtc::find() else {
        return eprintln!(
            "skipped: no NVRTC here (PyPI's nvidia-cuda-nvrtc, named by NVRTC_LIBRARY, serves)"
        );
    };
    let headers = source("element.cuh") + &source("reduce.cuh");
    for name in [
        "bias.cu",
        "columns.cu",
        "curve.cu",
        "doubled_kernel.cu",
        "instance_norm.cu",
        "losses.cu",
        "normal_noise.cu",
        "optimizer.cu",
        "pointwise.cu",
        "reflection_pad2d.cu",
    ] {
        let text = source(name);
        let ptx = nvrtc.compile(&format!("{headers}{text}")).unwrap_or_else(|log| panic!("{name}: {log}"));
        // Each kernel of the source has its entry.
        let of_both_types = text.lines().filter(|line| line.starts_with("FOR_BOTH_TYPES(")).count();
        let named = text.lines().filter(|line| line.starts_with("extern \"C\" __global__")).count();
        assert_eq!(ptx.matches(".visible .entry").count(), 2 * of_both_types + named, "{name}");
    }
}

#[test]
fn what_is_wrong_is_found() {
    let Some(nvrtc) = Nvrtc::find() else { return };
    let log = nvrtc.compile("extern \"C\" __global__ void k(float* x) { *x = y; }").unwrap_err();
    assert!(log.contains('y'), "{log}");
}
