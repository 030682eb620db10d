//! Results on stdout, without the panic of `println!` when the reader has gone (`mri-cli inspect x | head -1`).

use std::fmt;
use std::io::{ErrorKind, Write};

use anyhow::Context;

/// The reader of our stdout has closed it. Not a failure of the command: it ends quietly.
#[derive(Debug)]
pub struct StdoutClosed;

impl fmt::Display for StdoutClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stdout was closed by its reader")
    }
}

impl std::error::Error for StdoutClosed {}

/// Writes one line to stdout. Use it through [`outln!`].
pub fn line(text: fmt::Arguments<'_>) -> anyhow::Result<()> {
    match writeln!(std::io::stdout().lock(), "{text}") {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(StdoutClosed.into()),
        written => written.context("cannot write to stdout"),
    }
}

/// `println!` that returns an `anyhow::Result<()>` in place of panicking: `outln!("{n} images")?`.
macro_rules! outln {
    ($($text:tt)*) => { $crate::stdout::line(format_args!($($text)*)) };
}
pub(crate) use outln;
