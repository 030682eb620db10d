//! `cargo xtask gpu-bench`: training steps on a GPU beside PyTorch's, as the table of `docs/benchmarks.md`.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};

use crate::bench::{bench_step, number, printed};
use crate::machine;

const BATCHES: [usize; 2] = [1, 16];
const PRECISIONS: [&str; 2] = ["f32", "bf16"];
/// In each round every program has its turn.
const ROUNDS: usize = 2;
const PYTORCH_STEP: &str = include_str!("../../crates/mri-cyclegan/examples/pytorch_step.py");
const HEAD: &str = "\
| workload | batch | precision | ours | PyTorch | PyTorch, compiled | compiled / ours |
|---|---|---|---|---|---|---|";

/// What to run.
#[derive(Debug, PartialEq)]
struct Options {
    executable: Option<PathBuf>,
    workloads: Vec<String>,
}

impl Options {
    fn parse(args: &[OsString]) -> Result<Self> {
        let mut options = Self { executable: None, workloads: vec![] };
        let mut args = args.iter();
        while let Some(argument) = args.next() {
            let text = argument.to_str().context("an argument is not UTF-8")?;
            match text {
                "--executable" => {
                    options.executable = Some(args.next().context("--executable needs a path")?.into());
                }
                "W1" | "W2" | "W3" => options.workloads.push(text.into()),
                _ => bail!("cargo xtask gpu-bench does not know {text}"),
            }
        }
        if options.workloads.is_empty() {
            options.workloads = ["W1", "W3"].map(String::from).to_vec();
        }
        Ok(options)
    }
}

/// One line of the table.
struct Case<'a> {
    workload: &'a str,
    batch: usize,
    precision: &'a str,
}

pub(crate) fn run(args: &[OsString]) -> Result<ExitCode> {
    let options = Options::parse(args)?;
    if options.executable.is_none() {
        if !machine::gpu_features().contains(&"cuda") {
            bail!(
                "CUDA needs an NVIDIA GPU and nvcc here, or --executable with a bench_step built elsewhere"
            );
        }
        let built = bench_step("build").status().context("cannot start cargo")?;
        ensure!(built.success(), "the benchmark did not build");
    }
    let pytorch = PyTorch::find()?;
    print_machine(pytorch.as_ref());
    println!("{HEAD}");
    let mut all_ours_ran = true;
    for workload in &options.workloads {
        for batch in BATCHES {
            for precision in PRECISIONS {
                let row = measure(&Case { workload, batch, precision }, &options, pytorch.as_ref());
                all_ours_ran &= matches!(row.ours, Cell::Measured(_));
                println!("{row}");
            }
        }
    }
    Ok(if all_ours_ran { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The device and the versions, as the line above the table.
fn print_machine(pytorch: Option<&PyTorch>) {
    let mut smi = Command::new("nvidia-smi");
    smi.args(["--query-gpu=name,driver_version", "--format=csv,noheader"]);
    let gpu = if machine::has_nvidia_gpu() { printed(&mut smi).ok() } else { None };
    let gpu = gpu.map_or("no NVIDIA GPU".into(), |gpu| gpu.replace('\n', "; "));
    let pytorch = pytorch.map_or("no PyTorch here".into(), |found| format!("PyTorch {}", found.version));
    println!("{gpu}; {pytorch}\n");
}

/// Ours, PyTorch's and PyTorch's, in turns.
fn measure(case: &Case, options: &Options, pytorch: Option<&PyTorch>) -> Row {
    let [mut ours, mut eager, mut compiled] = [const { Vec::new() }; 3];
    for round in 1..=ROUNDS {
        let Case { workload, batch, precision } = case;
        eprintln!("{workload}, batch {batch}, {precision}: round {round} of {ROUNDS}");
        ours.push(once(&mut our_step(case, options), "device_peak_mib"));
        if let Some(pytorch) = pytorch {
            eager.push(once(&mut pytorch.step(case, "eager"), "peak_mib"));
            compiled.push(once(&mut pytorch.step(case, "compile"), "peak_mib"));
        }
    }
    Row {
        workload: case.workload.into(),
        batch: case.batch,
        precision: case.precision.into(),
        ours: Cell::of(&ours),
        eager: Cell::of(&eager),
        compiled: Cell::of(&compiled),
    }
}

fn our_step(case: &Case, options: &Options) -> Command {
    let mut command = match &options.executable {
        Some(path) => Command::new(path),
        None => {
            let mut command = bench_step("run");
            command.args(["--quiet", "--"]);
            command
        }
    };
    let size = if case.workload == "W2" { "128" } else { "256" };
    command.args([case.workload, &case.batch.to_string(), size, "cuda", case.precision]);
    command
}

/// What one process measured; `None`, and the reason on stderr, where it failed.
fn once(command: &mut Command, peak: &str) -> Option<Measured> {
    let measured = printed(command)
        .and_then(|line| Measured::parse(&line, peak).with_context(|| format!("it printed: {line}")));
    measured.inspect_err(|error| eprintln!("{error:#}")).ok()
}

/// A Python that has PyTorch for the device, and the script for it.
struct PyTorch {
    python: OsString,
    version: String,
    script: PathBuf,
}

impl PyTorch {
    fn find() -> Result<Option<Self>> {
        const PROBE: &str = "import sys, torch
if not torch.cuda.is_available(): sys.exit('this PyTorch sees no GPU')
print(torch.__version__)";
        let python = std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
        let version = match printed(Command::new(&python).args(["-c", PROBE])) {
            Ok(version) => version,
            Err(_) => return Ok(None),
        };
        // torch.compile wants to see the source of what it compiles.
        let script = std::env::temp_dir().join(format!("pytorch_step-{}.py", std::process::id()));
        std::fs::write(&script, PYTORCH_STEP).with_context(|| script.display().to_string())?;
        Ok(Some(Self { python, version, script }))
    }

    fn step(&self, case: &Case, mode: &str) -> Command {
        let mut command = Command::new(&self.python);
        command.arg(&self.script).args([case.workload, "--batch", &case.batch.to_string()]);
        command.args(["--device", "cuda", "--precision", case.precision, "--mode", mode]);
        command
    }
}

impl Drop for PyTorch {
    fn drop(&mut self) {
        // A failure leaves a small file behind in the folder for such files.
        let _ = std::fs::remove_file(&self.script);
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Measured {
    step_s: f64,
    /// Of tensors on the device.
    peak_mib: Option<f64>,
}

impl Measured {
    fn parse(line: &str, peak: &str) -> Option<Self> {
        Some(Self { step_s: number(line, "step_s")?, peak_mib: number(line, peak) })
    }
}

#[derive(Debug, PartialEq)]
enum Cell {
    Measured(Measured),
    Failed,
    Absent,
}

impl Cell {
    /// The median of the rounds, and the highest of their peaks.
    fn of(rounds: &[Option<Measured>]) -> Self {
        if rounds.is_empty() {
            return Self::Absent;
        }
        let Some(rounds) = rounds.iter().copied().collect::<Option<Vec<_>>>() else { return Self::Failed };
        let mut seconds: Vec<f64> = rounds.iter().map(|round| round.step_s).collect();
        seconds.sort_by(f64::total_cmp);
        let (lower, upper) = (seconds[(seconds.len() - 1) / 2], seconds[seconds.len() / 2]);
        let peaks = rounds.iter().filter_map(|round| round.peak_mib);
        Self::Measured(Measured { step_s: (lower + upper) / 2., peak_mib: peaks.reduce(f64::max) })
    }

    fn text(&self, batch: usize) -> String {
        match self {
            Self::Measured(Measured { step_s, peak_mib }) => {
                let peak = peak_mib.map_or(String::new(), |mib| format!(", {mib:.0} MiB"));
                format!("{:.2} ms, {:.1} images/s{peak}", step_s * 1e3, batch as f64 / step_s)
            }
            Self::Failed => "failed".into(),
            Self::Absent => "no PyTorch here".into(),
        }
    }
}

struct Row {
    workload: String,
    batch: usize,
    precision: String,
    ours: Cell,
    eager: Cell,
    compiled: Cell,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { workload, batch, precision, ours, eager, compiled } = self;
        write!(f, "| {workload} | {batch} | {precision} | ")?;
        for cell in [ours, eager, compiled] {
            write!(f, "{} | ", cell.text(*batch))?;
        }
        match (ours, compiled) {
            (Cell::Measured(ours), Cell::Measured(compiled)) => {
                write!(f, "{:.2} |", compiled.step_s / ours.step_s)
            }
            _ => f.write_str("- |"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(args: &[&str]) -> Result<Options> {
        Options::parse(&args.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn arguments_are_read() {
        let default = options(&[]).unwrap();
        let of = |workloads: &[&str]| Options {
            executable: None,
            workloads: workloads.iter().map(|&name| name.into()).collect(),
        };
        assert_eq!(default, of(&["W1", "W3"]));
        assert_eq!(options(&["W2"]).unwrap(), of(&["W2"]));
        let elsewhere = options(&["--executable", "/opt/bench_step"]).unwrap();
        assert_eq!(elsewhere.executable, Some("/opt/bench_step".into()));
        for wrong in [&["W4"][..], &["--device"], &["--executable"]] {
            assert!(options(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn both_programs_lines_are_read() {
        let ours = r#"{"step_s":0.01250,"forward_s":0.00100,"images_per_s":1280.00,"peak_mib":3000,"device_peak_mib":900}"#;
        let read = Measured::parse(ours, "device_peak_mib").unwrap();
        assert_eq!(read, Measured { step_s: 0.0125, peak_mib: Some(900.) });
        let theirs = r#"{"step_s": 0.5, "forward_s": 0.1, "peak_mib": null}"#;
        let read = Measured::parse(theirs, "peak_mib").unwrap();
        assert_eq!(read, Measured { step_s: 0.5, peak_mib: None });
        assert_eq!(Measured::parse("out of memory", "peak_mib"), None);
    }

    #[test]
    fn a_row_has_the_median_of_the_rounds() {
        let of = |step_s| Some(Measured { step_s, peak_mib: Some(812.) });
        let row = |compiled: &[Option<Measured>]| Row {
            workload: "W1".into(),
            batch: 1,
            precision: "f32".into(),
            ours: Cell::of(&[of(0.01), of(0.01)]),
            eager: Cell::of(&[of(0.05), of(0.03), of(0.04)]),
            compiled: Cell::of(compiled),
        };
        assert_eq!(
            row(&[of(0.0125), of(0.0175)]).to_string(),
            "| W1 | 1 | f32 | 10.00 ms, 100.0 images/s, 812 MiB | 40.00 ms, 25.0 images/s, 812 MiB \
             | 15.00 ms, 66.7 images/s, 812 MiB | 1.50 |"
        );
        // One round that failed: no figure.
        assert!(row(&[of(0.01), None]).to_string().ends_with("| failed | - |"));
        assert!(row(&[]).to_string().ends_with("| no PyTorch here | - |"));
    }

    #[test]
    fn rows_have_the_columns_of_the_head() {
        let row = Row {
            workload: "W3".into(),
            batch: 16,
            precision: "bf16".into(),
            ours: Cell::Failed,
            eager: Cell::Absent,
            compiled: Cell::Absent,
        };
        for line in HEAD.lines() {
            assert_eq!(line.matches('|').count(), row.to_string().matches('|').count());
        }
    }
}
