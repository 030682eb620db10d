//! Copies the library into a folder, under every name that CUDA programs look for:
//! `cargo run --release -p cuda-emulator --example install -- DIR`

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs, io};

const NAMES: [&str; 5] =
    ["libcuda.so.1", "libcublas.so.13", "libcublasLt.so.13", "libcurand.so.10", "libcudnn.so.9"];
const LIBRARY: &str = "libcuda_emulator.so";

fn main() -> ExitCode {
    let Some(folder) = env::args_os().nth(1) else {
        eprintln!("usage: install DIR");
        return ExitCode::from(2);
    };
    match install(Path::new(&folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}

/// The library was built with this example, into the folder of dependencies beside the examples.
fn install(folder: &Path) -> io::Result<()> {
    let executable = env::current_exe()?;
    let built = executable.ancestors().nth(2).ok_or(io::ErrorKind::NotFound)?.join("deps").join(LIBRARY);
    fs::create_dir_all(folder)?;
    // Removed and not overwritten: a program may be running with the old one.
    let target = folder.join(LIBRARY);
    if target.exists() {
        fs::remove_file(&target)?;
    }
    fs::copy(&built, target)?;
    NAMES.iter().try_for_each(|name| link(&folder.join(name)))
}

fn link(name: &Path) -> io::Result<()> {
    if name.symlink_metadata().is_ok() {
        fs::remove_file(name)?;
    }
    #[cfg(unix)]
    std::os::unix::fs::symlink(LIBRARY, name)?;
    Ok(())
}
