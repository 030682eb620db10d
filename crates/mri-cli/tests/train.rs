//! `mri-cli train` from outside: the run folder, exact resuming, interruption, and what goes wrong by name.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::Path;

use mri_data::image::{BitDepth, Image};
use serde_json::Value;
use support::{Said, T1, TINY, heads_in, mri_cli, run, save, save_head};
use tempfile::TempDir;

/// A folder with heads of both domains.
fn heads() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    heads_in(folder.path());
    folder
}

/// `train` with tiny networks.
fn train(folder: &TempDir, more: &[&str]) -> Said {
    run(folder.path(), &[&["train"][..], &TINY, more].concat())
}

/// `train` on the heads.
fn train_on_heads(folder: &TempDir, more: &[&str]) -> Said {
    train(folder, &[&["--t1", "t1", "--t2", "t2"], more].concat())
}

fn lines_of(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_run_folder_holds_all_that_is_promised() {
    let folder = tempfile::tempdir().unwrap();
    let phantom = ["train_subjects", "validation_subjects", "test_subjects"];
    let mut settings: Vec<String> = vec!["output.panels_every=1".into(), "train.validate_every=2".into()];
    settings.extend(["data.phantom.size_px=32".into(), "data.phantom.slices_per_subject=2".into()]);
    settings.extend(phantom.map(|key| format!("data.phantom.{key}=1")));
    let mut arguments = vec!["--epochs", "2", "--seed", "5", "--out", "RUN"];
    settings.iter().for_each(|setting| arguments.extend(["--set", setting]));
    let said = train(&folder, &arguments).done();
    for expected in
        ["t1 -> t2, 2 cases", "t2 -> t1, 2 cases", "copy", "invert", "histogram", "RUN/report.html"]
    {
        assert!(said.stdout.contains(expected), "{expected:?} is missing in\n{}", said.stdout);
    }

    let at = |name: &str| folder.path().join("RUN").join(name);
    for name in [
        "config.toml",
        "manifest.json",
        "checkpoints/last.safetensors",
        "checkpoints/best.safetensors",
        "model.safetensors",
        "samples/epoch_0001.png",
        "samples/epoch_0002.png",
        "progress.gif",
        "losses.svg",
        "evaluation.json",
        "report.html",
    ] {
        assert!(fs::metadata(at(name)).unwrap().len() > 0, "{name}");
    }
    let config = fs::read_to_string(at("config.toml")).unwrap();
    assert!(config.contains("seed = 5") && config.contains("epochs = 2") && config.contains("width = 4"));

    let records = lines_of(&at("metrics.jsonl"));
    let (steps, validations): (Vec<_>, Vec<_>) = records.iter().partition(|r| r.get("step").is_some());
    assert_eq!((steps.len(), validations.len()), (4, 1));
    for (number, step) in (1..).zip(steps) {
        assert_eq!((&step["step"], &step["images"]), (&Value::from(number), &Value::from(number)));
        assert_eq!(step["epoch"], Value::from((number + 1) / 2));
        assert!(step["lr"].is_f64() && step["s_per_step"].is_f64());
        assert!(
            ["adversarial_ab", "cycle_a", "discriminator_b"].iter().all(|term| step["loss"][term].is_f64())
        );
    }
    assert_eq!(validations[0]["epoch"], 2);
    for direction in ["t1_to_t2", "t2_to_t1"] {
        assert!(validations[0]["validation"][direction]["ssim"].is_f64(), "{:?}", validations[0]);
    }
    let page = fs::read_to_string(at("report.html")).unwrap();
    assert!(
        page.contains("data:image/png;base64")
            && !page.contains("src=\"http")
            && !page.contains("href=\"http"),
        "the page is self-contained"
    );
    let words = run(folder.path(), &["inspect", "RUN"]).done().stdout;
    assert!(words.contains("a training run"), "{words}");
}

/// The pairs choose `best` and measure; validation at epoch 4, and at the last.
const MEASURED: [&str; 10] = [
    "--set",
    "data.validation_pairs=pairs.csv",
    "--set",
    "data.test_pairs=pairs.csv",
    "--set",
    "train.validate_every=4",
    "--set",
    "output.panels_every=50",
    "--set",
    "model.dropout=0.3",
];

fn with_threads(folder: &TempDir, threads: &str, arguments: &[&str]) {
    let mut command = mri_cli(folder.path(), &[&["train", "--device", "cpu"], arguments].concat());
    Said::from(command.env("RAYON_NUM_THREADS", threads).output().unwrap()).done();
}

#[track_caller]
fn assert_same_files(folder: &TempDir, runs: [&str; 2], names: &[&str]) {
    for name in names {
        let [a, b] = runs.map(|run| fs::read(folder.path().join(run).join(name)).unwrap());
        assert!(a == b, "{name} differs between {} and {}", runs[0], runs[1]);
    }
}

/// Each step and its losses.
fn recorded_steps(folder: &TempDir, run: &str) -> Vec<(u64, String)> {
    let records = lines_of(&folder.path().join(run).join("metrics.jsonl"));
    let of_step = |record: &Value| Some((record.get("step")?.as_u64()?, record["loss"].to_string()));
    records.iter().filter_map(of_step).collect()
}

const STATES: [&str; 3] =
    ["checkpoints/last.safetensors", "checkpoints/best.safetensors", "model.safetensors"];

#[test]
fn three_epochs_and_three_resumed_equal_six_in_every_byte_for_any_number_of_threads() {
    let folder = heads();
    let fresh = [&["--t1", "t1", "--t2", "t2"], &TINY[2..], &MEASURED].concat();
    let start = |threads, epochs, out| {
        with_threads(&folder, threads, &[&fresh[..], &["--epochs", epochs, "--out", out]].concat());
    };
    start("2", "6", "straight");
    start("1", "6", "one-thread");
    start("1", "3", "broken");
    with_threads(&folder, "2", &["--resume", "broken", "--epochs", "6"]);

    assert_same_files(&folder, ["straight", "one-thread"], &STATES);
    assert_same_files(&folder, ["straight", "broken"], &STATES);
    assert_eq!(recorded_steps(&folder, "straight"), recorded_steps(&folder, "broken"));
    assert!(fs::read_to_string(folder.path().join("broken/config.toml")).unwrap().contains("epochs = 6"));
}

/// What a training says that starts in the run folder `stopped` and receives `signal` in its second epoch.
#[cfg(unix)]
fn ended_by(signal: &str, folder: &TempDir, arguments: &[&str]) -> std::process::Output {
    use std::process::{Command, Stdio};
    let arguments = [&["train", "--device", "cpu", "--out", "stopped"], arguments].concat();
    let mut training = mri_cli(folder.path(), &arguments);
    let child = training.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let metrics = folder.path().join("stopped/metrics.jsonl");
    while !fs::read_to_string(&metrics).is_ok_and(|text| text.lines().count() > 5) {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
    child.wait_with_output().unwrap()
}

#[cfg(unix)]
#[test]
fn an_interrupted_training_saves_ends_cleanly_and_goes_on_as_if_nothing_had_happened() {
    let folder = heads();
    let fresh = [&["--t1", "t1", "--t2", "t2", "--epochs", "40"], &TINY[2..], &MEASURED].concat();
    with_threads(&folder, "2", &[&fresh[..], &["--out", "straight"]].concat());

    let said = Said::from(ended_by("-INT", &folder, &fresh)).done();
    assert!(said.stdout.starts_with("go on with: "), "{}", said.stdout);
    assert!(said.stdout.ends_with("mri-cli train --resume stopped\n"), "{}", said.stdout);
    assert!(said.stderr.contains("stopped and saved after step"), "{}", said.stderr);
    assert!(!folder.path().join("stopped/model.safetensors").exists());

    with_threads(&folder, "2", &["--resume", "stopped"]);
    assert_same_files(&folder, ["straight", "stopped"], &STATES);
}

#[cfg(unix)]
#[test]
fn a_killed_training_goes_on_from_what_it_had_saved_as_if_nothing_had_happened() {
    let folder = heads();
    let fresh = [&["--t1", "t1", "--t2", "t2", "--epochs", "40"], &TINY[2..], &MEASURED].concat();
    with_threads(&folder, "2", &[&fresh[..], &["--out", "straight"]].concat());

    assert!(!ended_by("-KILL", &folder, &fresh).status.success());
    with_threads(&folder, "2", &["--resume", "stopped"]);
    assert_same_files(&folder, ["straight", "stopped"], &STATES);
    assert_eq!(recorded_steps(&folder, "straight"), recorded_steps(&folder, "stopped"));
}

#[test]
fn a_collapsed_run_is_said_kept_and_failed() {
    let folder = heads();
    // Steps of this size leave a pattern in place of a picture.
    let short = ["--epochs", "8", "--set", "train.validate_every=1"];
    let broken = train_on_heads(&folder, &[&short[..], &["--out", "broken", "--set", "train.lr=1"]].concat());
    assert_eq!(broken.code, Some(1), "{}", broken.stderr);
    for expected in
        ["warning: looks collapsed after epoch 8: ", "error: broken: the training collapsed: the synthetic "]
    {
        assert!(broken.stderr.contains(expected), "{expected:?} is missing in {}", broken.stderr);
    }
    let at = |name: &str| folder.path().join("broken").join(name);
    assert!(at("checkpoints/last.safetensors").exists() && at("model.safetensors").exists());
    let records = lines_of(&at("metrics.jsonl"));
    let signs = &records.last().unwrap()["collapse"];
    assert!(signs[0].as_str().unwrap().starts_with("the synthetic "), "{signs}");
    assert!(fs::read_to_string(at("report.html")).unwrap().contains("have collapsed"));
    // What is known of a run does not change by asking again.
    assert_eq!(run(folder.path(), &["train", "--resume", "broken"]).code, Some(1));

    let healthy = train_on_heads(&folder, &[&short[..], &["--out", "healthy"]].concat()).done();
    assert!(!healthy.stderr.contains("collapsed"), "{}", healthy.stderr);
}

#[test]
fn a_generator_that_starts_as_grey_is_judged_once_it_could_have_learned() {
    let folder = heads();
    let grey = |steps: usize, out: &str| {
        let epochs = (steps / 4).to_string();
        let settings =
            ["--set", "model.skip=none", "--set", "train.lr=1e-9", "--set", "train.validate_every=999"];
        train_on_heads(&folder, &[&settings[..], &["--epochs", &epochs, "--out", out]].concat())
    };
    assert!(!grey(8, "short").done().stderr.contains("collapsed"));
    let idle = grey(500, "idle");
    assert_eq!(idle.code, Some(1));
    assert!(idle.stderr.contains("nearly flat"), "{}", idle.stderr);
}

#[test]
fn every_normalization_resumes_on_unchanged_data() {
    let folder = heads();
    for method in ["range", "percentile", "z-score", "nyul"] {
        let normalization = format!("data.normalization.method={method}");
        train_on_heads(&folder, &["--set", &normalization, "--epochs", "1", "--out", method]).done();
        run(folder.path(), &["train", "--device", "cpu", "--resume", method, "--epochs", "2"]).done();
    }
}

#[test]
fn a_run_folder_that_cannot_be_used_is_named_and_left_alone() {
    let folder = heads();
    let path = folder.path();
    fs::create_dir(path.join("thesis")).unwrap();
    fs::write(path.join("thesis/chapter.txt"), "x").unwrap();
    let out = |name: &str| train_on_heads(&folder, &["--epochs", "1", "--out", name]);
    out("thesis").failed_naming(&["thesis", "not empty", "--resume thesis"]);
    assert_eq!(fs::read_dir(path.join("thesis")).unwrap().count(), 1);
    out("thesis/chapter.txt").failed_naming(&["thesis/chapter.txt"]);
    out("thesis/chapter.txt/run").failed_naming(&["thesis/chapter.txt/run"]);
    if cfg!(target_os = "linux") {
        out("/proc/run").failed_naming(&["cannot make the run folder /proc/run"]);
    }
    let resume = |name: &str| train(&folder, &["--resume", name]);
    // Settings belong to a new run.
    assert_eq!(resume("thesis").code, Some(2));
    let resume = |name: &str| run(path, &["train", "--resume", name]);
    resume("thesis").failed_naming(&["thesis", "not a run folder"]);
    resume("gone").failed_naming(&["gone", "not a run folder"]);
}

#[test]
fn data_that_cannot_be_trained_on_are_named_and_leave_no_run_folder() {
    let folder = heads();
    let path = folder.path();
    let with_t2 = |t2: &str| train(&folder, &["--t1", "t1", "--t2", t2, "--epochs", "1", "--out", "RUN"]);
    with_t2("gone").failed_naming(&["gone", "no such file or folder"]);
    fs::create_dir(path.join("empty")).unwrap();
    with_t2("empty").failed_naming(&["empty", "no image (PNG, JPEG, TIFF)"]);
    with_t2("t1").failed_naming(&["t1", "given for both domains"]);

    // One domain only.
    let one = train(&folder, &["--t1", "t1", "--out", "RUN"]);
    assert!(one.code == Some(2) && one.stderr.contains("--t2"), "{}", one.stderr);
    fs::write(path.join("one.toml"), "[data]\nt1 = \"t1\"\n").unwrap();
    let one = train(&folder, &["--config", "one.toml", "--out", "RUN"]);
    one.failed_naming(&["one.toml", "one domain only", "`t2`"]);

    // One file among good ones.
    let whole = fs::read(path.join("t2/0.png")).unwrap();
    let colour = image::RgbImage::from_fn(40, 36, |x, y| image::Rgb([x as u8, y as u8, 90]));
    colour.save(path.join("t2/colour.png")).unwrap();
    with_t2("t2").failed_naming(&["t2/colour.png", "a colour image"]);
    fs::remove_file(path.join("t2/colour.png")).unwrap();
    for (bytes, problem) in [(&whole[..0], "empty (0 bytes)"), (&whole[..whole.len() / 2], "truncated")] {
        fs::write(path.join("t2/bad.png"), bytes).unwrap();
        with_t2("t2").failed_naming(&["t2/bad.png", problem]);
    }
    let pixels = ndarray::Array2::zeros((40, 36));
    save(&path.join("blank/0.png"), &Image { pixels, depth: BitDepth::Eight });
    with_t2("blank").failed_naming(&["t2", "all 1 slices are blank"]);
    assert!(!path.join("RUN").exists());
}

#[test]
fn a_misspelt_setting_is_answered_with_the_nearest() {
    let folder = heads();
    fs::write(folder.path().join("mine.toml"), "[train]\nepocs = 3\n").unwrap();
    let start = |more: &[&str]| train_on_heads(&folder, &[&["--out", "RUN"], more].concat());
    start(&["--config", "mine.toml"]).failed_naming(&["mine.toml", "`train.epocs`", "`train.epochs`"]);
    start(&["--set", "loss.cylce=3"]).failed_naming(&["`loss.cylce`", "`loss.cycle`"]);
    start(&["--set", "trian.epochs=3"]).failed_naming(&["`trian`", "`train`"]);
    start(&["--set", "train.epochs=soon"]).failed_naming(&["train.epochs", "invalid type"]);
    start(&["--set", "train.epochs"]).failed_naming(&["train.epochs", "section.key=value"]);
    start(&["--set", "train.precision=bf16"]).failed_naming(&[
        "train.precision",
        "needs a CUDA device",
        "\"f32\"",
    ]);
    start(&["--epochs", "0"]).failed_naming(&["train.epochs", "at least 1"]);
    start(&["--config", "qick"]).failed_naming(&["qick", "quick, quality, seed"]);
    fs::write(folder.path().join("mine.toml"), "[train\nepochs = 3\n").unwrap();
    start(&["--config", "mine.toml"]).failed_naming(&["mine.toml", "line 1"]);
    assert!(!folder.path().join("RUN").exists());
}

#[test]
fn a_checkpoint_that_does_not_fit_is_named_and_the_run_left_as_it_was() {
    let folder = heads();
    train_on_heads(&folder, &["--epochs", "1", "--out", "RUN"]).done();
    let at = |name: &str| folder.path().join("RUN").join(name);
    let resume = || run(folder.path(), &["train", "--resume", "RUN", "--epochs", "2", "--device", "cpu"]);
    let (checkpoint, config) = (at("checkpoints/last.safetensors"), at("config.toml"));
    let (whole, settings) = (fs::read(&checkpoint).unwrap(), fs::read_to_string(&config).unwrap());

    fs::write(&checkpoint, &whole[..whole.len() / 2]).unwrap();
    resume().failed_naming(&["checkpoints/last.safetensors", "not a whole safetensors file"]);
    fs::write(&checkpoint, fs::read(at("model.safetensors")).unwrap()).unwrap();
    resume().failed_naming(&["checkpoints/last.safetensors", "a model file"]);
    fs::write(&checkpoint, &whole).unwrap();

    fs::write(&config, settings.replace("width = 4", "width = 6")).unwrap();
    resume().failed_naming(&["checkpoints/last.safetensors", "another architecture"]);
    fs::write(&config, &settings).unwrap();

    let slice = folder.path().join("t1/0.png");
    let before = fs::read(&slice).unwrap();
    save_head(&slice, 17.0, T1);
    resume().failed_naming(&["checkpoints/last.safetensors", "the files have changed"]);
    fs::write(&slice, before).unwrap();
    assert_eq!(fs::read_to_string(&config).unwrap(), settings);
    resume().done();
}

/// A disk on which the configuration fits, but no checkpoint; seen by these processes alone.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_stops_with_one_line_and_leaves_no_half_checkpoint() {
    let folder = heads();
    fs::create_dir(folder.path().join("disk")).unwrap();
    let script = format!(
        "mount -t tmpfs -o size=64k none disk || exit 99; {} train {} --t1 t1 --t2 t2 --epochs 2 --out disk/RUN 2>error; \
         code=$?; tail -n 1 error >&2; find disk/RUN/checkpoints disk/RUN/model.safetensors -type f 2>/dev/null; exit $code",
        env!("CARGO_BIN_EXE_mri-cli"),
        TINY.join(" "),
    );
    let unshared = std::process::Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script])
        .current_dir(folder.path())
        .output();
    let is_mounted = |said: &Said| said.code != Some(99) && !said.stderr.contains("unshare");
    let Some(said) = unshared.ok().map(Said::from).filter(is_mounted) else {
        println!("skipped: no small disk can be mounted here");
        return;
    };
    said.failed_naming(&["disk/RUN/", "No space left"]);
}
