//! From a command's result to the exit code and the one line on stderr.

use std::fmt;
use std::process::ExitCode;

use crate::stdout::StdoutClosed;

/// Some inputs of many failed; the others are done. The command has already listed the failed ones on stderr.
#[derive(Debug)]
pub struct SomeFailed {
    /// How many inputs failed.
    pub failed: usize,
    /// How many there were.
    pub total: usize,
}

impl fmt::Display for SomeFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} inputs failed; the others are done", self.failed, self.total)
    }
}

impl std::error::Error for SomeFailed {}

/// 0 done, 1 failed, 3 some inputs of many failed (2, wrong usage, is clap's). An error is printed as one line.
pub fn code(result: anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    if error.is::<StdoutClosed>() {
        return ExitCode::SUCCESS;
    }
    eprintln!("error: {}", one_line(&error));
    if error.is::<SomeFailed>() { ExitCode::from(3) } else { ExitCode::FAILURE }
}

/// The error and its causes, outermost first. A cause whose text its parent already ends with is not said twice.
fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let text = cause.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        if line.is_empty() {
            line = text;
        } else if !line.ends_with(&text) {
            line = format!("{line}: {text}");
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_line_that_ends_with_its_root_cause() {
        let root = std::io::Error::other("no space\nleft");
        let error = anyhow::Error::new(root).context("cannot write a.png").context("translation stopped");
        assert_eq!(one_line(&error), "translation stopped: cannot write a.png: no space left");
    }

    #[test]
    fn a_cause_that_its_parent_repeats_is_said_once() {
        let error = anyhow::anyhow!("truncated").context("cannot read a.png: truncated");
        assert_eq!(one_line(&error), "cannot read a.png: truncated");
    }

    #[test]
    fn the_code_tells_partial_failure_from_failure_and_from_a_closed_pipe() {
        let some = anyhow::Error::new(SomeFailed { failed: 1, total: 3 }).context("translate");
        assert_eq!(code(Err(some)), ExitCode::from(3));
        assert_eq!(code(Err(anyhow::anyhow!("x"))), ExitCode::FAILURE);
        assert_eq!(code(Err(StdoutClosed.into())), ExitCode::SUCCESS);
    }
}
