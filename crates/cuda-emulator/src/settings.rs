//! What the environment asks for, read once.

use std::env;
use std::path::PathBuf;
use std::sync::OnceLock;

const DEFAULT_MEMORY_MIB: usize = 4096;

pub(crate) struct Settings {
    pub(crate) memory_bytes: usize,
    /// Count kernels and library calls instead of computing them.
    pub(crate) null: bool,
    pub(crate) trace: bool,
    /// Round the operands where a GPU would use its TF32 units.
    pub(crate) tf32: bool,
    pub(crate) report: Option<PathBuf>,
}

pub(crate) fn settings() -> &'static Settings {
    static SETTINGS: OnceLock<Settings> = OnceLock::new();
    SETTINGS.get_or_init(|| {
        let memory_mib = env::var("CUDA_EMULATOR_MEMORY_MIB").ok().and_then(|text| text.parse().ok());
        Settings {
            memory_bytes: memory_mib.unwrap_or(DEFAULT_MEMORY_MIB) << 20,
            null: is_on("CUDA_EMULATOR_NULL"),
            trace: is_on("CUDA_EMULATOR_TRACE"),
            tf32: is_on("CUDA_EMULATOR_TF32"),
            report: env::var_os("CUDA_EMULATOR_REPORT").map(PathBuf::from),
        }
    })
}

fn is_on(name: &str) -> bool {
    env::var_os(name).is_some_and(|value| value == "1")
}
