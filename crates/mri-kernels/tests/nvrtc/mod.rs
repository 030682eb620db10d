//! NVRTC, NVIDIA's compiler from CUDA C to PTX, where its library is found. It needs neither a GPU nor a CUDA SDK.
//!
//! It is looked for in the file that `NVRTC_LIBRARY` names, then by the loader's own rules. PyPI's `nvidia-cuda-nvrtc` has it.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};

type Program = *mut c_void;

pub(crate) struct Nvrtc(Library);

impl Nvrtc {
    pub(crate) fn find() -> Option<Self> {
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

    /// PTX, made with the options of the crate, or NVRTC's complaints.
    pub(crate) fn compile(&self, source: &str) -> Result<String, String> {
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
            let options = [c"--restrict".as_ptr()];
            let failed = compile.unwrap()(program, 1, options.as_ptr()) != 0;
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

/// The text of a CUDA source of the crate.
pub(crate) fn source(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cuda/source");
    std::fs::read_to_string(folder.join(name)).unwrap()
}
