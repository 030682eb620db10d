//! Exit codes and streams that hold for every command.
#![allow(clippy::unwrap_used)]

use std::io::Read;
use std::process::{Command, Stdio};

fn mri_cli(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mri-cli"));
    command.args(args);
    command
}

#[test]
fn wrong_usage_is_code_2_on_stderr() {
    for args in [&["no-such-command"][..], &[], &["inspect", "--no-such-flag", "x"], &["inspect"]] {
        let output = mri_cli(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn help_says_what_the_pictures_are_not_for() {
    let output = mri_cli(&["--help"]).output().unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8(output.stdout).unwrap().contains("not for diagnosis"));
}

#[test]
fn a_reader_that_leaves_early_causes_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    image::GrayImage::from_fn(8, 8, |x, y| image::Luma([(x * y) as u8]))
        .save(folder.path().join("a.png"))
        .unwrap();
    let path = folder.path().to_str().unwrap();
    let mut child =
        mri_cli(&["inspect", path]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""));
}
