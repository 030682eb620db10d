//! `cargo xtask bench`: the three training workloads, one process each, so that peak memory is each one's own, and the
//! rates of their layers.

use std::ffi::OsString;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail, ensure};

/// Names that `crates/mri-cyclegan/examples/bench_step.rs` knows, with what they are.
const WORKLOADS: [(&str, &str); 3] = [
    ("W1", "U-Net depth 8 width 64, 256x256"),
    ("W2", "U-Net depth 7 width 32, 128x128"),
    ("W3", "ResNet 6 blocks width 64, 256x256"),
];

pub(crate) fn run(args: &[OsString]) -> Result<ExitCode> {
    let json = match args {
        [] => false,
        [only] if only == "--json" => true,
        _ => bail!("cargo xtask bench takes --json and nothing else"),
    };
    let built = bench_step("build").status().context("cannot start cargo")?;
    ensure!(built.success(), "the benchmark did not build");

    let mut fields = Vec::new();
    for (name, what) in WORKLOADS {
        let line = measure(name)?;
        if !json {
            let of = |key| number(&line, key).with_context(|| format!("{name} printed no {key}: {line}"));
            println!(
                "{name}  {what:36}  step {:7.3} s   forward {:6.3} s   peak {:6.0} MiB",
                of("step_s")?,
                of("forward_s")?,
                of("peak_mib")?
            );
        }
        fields.push(format!("\"{name}\":{line}"));
    }
    let gemm_gflops = number(&measure("gemm")?, "gemm_gflops").context("gemm printed no gemm_gflops")?;
    fields.push(format!("\"gemm_gflops\":{gemm_gflops}"));
    if json {
        println!("{{{}}}", fields.join(","));
    } else {
        println!("matrix product of this machine: {gemm_gflops:.0} GFLOP/s (f32)\n");
        let rates = crate::cargo("run")
            .args(["--quiet", "--package", "mri-kernels", "--example", "layer_rates"])
            .status()
            .context("cannot start cargo")?;
        ensure!(rates.success(), "the rates of the layers could not be measured: {rates}");
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn bench_step(action: &str) -> Command {
    let mut command = crate::cargo(action);
    command.args(["--package", "mri-cyclegan", "--example", "bench_step"]);
    command
}

/// The one line of JSON that a workload prints.
fn measure(workload: &str) -> Result<String> {
    printed(bench_step("run").args(["--quiet", "--", workload]))
        .with_context(|| format!("workload {workload} failed"))
}

/// What `command` prints; its stderr goes to ours.
pub(crate) fn printed(command: &mut Command) -> Result<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    ensure!(output.status.success(), "{} ended with {}", command.get_program().display(), output.status);
    let text = String::from_utf8(output.stdout).context("what it printed is not UTF-8")?;
    Ok(text.trim().to_owned())
}

/// The number after `"key":` in a flat JSON object.
pub(crate) fn number(json: &str, key: &str) -> Option<f64> {
    let (_, rest) = json.split_once(&format!("\"{key}\":"))?;
    let end = rest.find([',', '}']).unwrap_or(rest.len());
    rest.get(..end)?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn a_number_is_found_by_its_key() {
        let line = r#"{"step_s": 1.25,"forward_s":0.5,"peak_mib":900}"#;
        assert_eq!(number(line, "step_s"), Some(1.25));
        assert_eq!(number(line, "peak_mib"), Some(900.0));
        assert_eq!(number(line, "s"), None);
    }
}
