//! What the tests of several commands share: running the program, and heads to train on.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)] // each test uses a part of it

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::LazyLock;

use mri_data::image::{BitDepth, Image, write_image};
use ndarray::Array2;

/// The program, in `folder`.
pub fn mri_cli(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mri-cli"));
    command.current_dir(folder).args(arguments);
    command
}

/// What a finished program said.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

impl Said {
    /// Exit code 0.
    #[track_caller]
    pub fn done(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self
    }

    /// Exit code 1, nothing on stdout, and one line on stderr that names each of `names`.
    #[track_caller]
    pub fn failed_naming(self, names: &[&str]) {
        assert_eq!((self.code, self.stdout.as_str()), (Some(1), ""), "{}", self.stderr);
        let lines: Vec<_> = self.stderr.lines().collect();
        assert!(lines.len() == 1 && lines[0].starts_with("error: "), "not one line: {}", self.stderr);
        for name in names {
            assert!(lines[0].contains(name), "{name:?} is missing in: {}", lines[0]);
        }
    }
}

/// Runs the program in `folder` to its end.
pub fn run(folder: &Path, arguments: &[&str]) -> Said {
    mri_cli(folder, arguments).output().unwrap().into()
}

/// Settings with which an epoch takes milliseconds.
pub const TINY: [&str; 10] = [
    "--device",
    "cpu",
    "--set",
    "model.depth=2",
    "--set",
    "model.width=4",
    "--set",
    "data.size=32",
    "--set",
    "discriminator.width=4",
];

/// A head of two tissues: `[inner, outer]` are their grey values, 0 to 255.
pub fn head(rows: usize, columns: usize, radius: f32, tissues: [f32; 2]) -> Array2<f32> {
    let (middle_row, middle_column) = (rows as f32 / 2.0, columns as f32 / 2.0);
    Array2::from_shape_fn((rows, columns), |(row, column)| {
        match (row as f32 - middle_row).hypot(column as f32 - middle_column) / radius {
            r if r < 0.5 => tissues[0] + row as f32 / 2.0,
            r if r < 1.0 => tissues[1] + column as f32 / 2.0,
            _ => 0.0,
        }
    })
}

/// The inner and outer tissue in the two domains.
pub const T1: [f32; 2] = [60.0, 180.0];
pub const T2: [f32; 2] = [200.0, 90.0];

/// Writes an 8-bit head of 40 x 36 px and makes its folder.
pub fn save_head(path: &Path, radius: f32, tissues: [f32; 2]) {
    save(path, &Image { pixels: head(40, 36, radius, tissues), depth: BitDepth::Eight });
}

/// Writes an image and makes its folder.
pub fn save(path: &Path, image: &Image) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    write_image(path, image).unwrap();
}

/// Four heads in each of `t1` and `t2`, and their pairs in `pairs.csv`.
pub fn heads_in(folder: &Path) {
    let mut csv = String::from("t1,t2,subject\n");
    for number in 0..4 {
        let radius = 12.0 + 1.5 * number as f32;
        save_head(&folder.join(format!("t1/{number}.png")), radius, T1);
        save_head(&folder.join(format!("t2/{number}.png")), radius, T2);
        csv.push_str(&format!("t1/{number}.png,t2/{number}.png,s{number}\n"));
    }
    fs::write(folder.join("pairs.csv"), csv).unwrap();
}

/// Heads, and a model of one epoch of them in `RUN`.
pub fn folder_with_run() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    heads_in(folder.path());
    let train = ["train", "--t1", "t1", "--t2", "t2", "--out", "RUN", "--epochs", "1"];
    run(folder.path(), &[&train[..], &TINY].concat()).done();
    folder
}

/// A model's bytes; trained once for all tests of a file.
pub static MODEL: LazyLock<Vec<u8>> =
    LazyLock::new(|| fs::read(folder_with_run().path().join("RUN/model.safetensors")).unwrap());

/// A folder with `model.safetensors` alone.
pub fn folder_with_model() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("model.safetensors"), &*MODEL).unwrap();
    folder
}
