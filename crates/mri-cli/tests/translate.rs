//! `mri-cli translate` from outside, with a model of one epoch: outputs, refusals, and what is wrong by name.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use mri_data::image::{BitDepth, Image, read_image};
use support::{MODEL, Said, T1, folder_with_model, head, run, save, save_head};
use tempfile::TempDir;

/// A folder with `model.safetensors` and one slice, `slice.png`.
fn folder() -> TempDir {
    let folder = folder_with_model();
    save_head(&folder.path().join("slice.png"), 15.0, T1);
    folder
}

/// `translate --model model.safetensors --to t2 -i INPUT -o OUTPUT ...`
fn translate(folder: &TempDir, input: &str, output: &str, more: &[&str]) -> Said {
    let fixed = ["translate", "--device", "cpu", "--model", "model.safetensors", "-i", input, "-o", output];
    let to = if more.contains(&"--to") { &[][..] } else { &["--to", "t2"] };
    run(folder.path(), &[&fixed[..], to, more].concat())
}

fn bytes_of(folder: &TempDir, name: &str) -> Vec<u8> {
    fs::read(folder.path().join(name)).unwrap()
}

/// Every file below `folder`, relative to it, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending = vec![folder.to_path_buf()];
    while let Some(place) = pending.pop() {
        for entry in fs::read_dir(&place).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().to_path_buf());
            }
        }
    }
    found.sort();
    found
}

/// Slices of several formats, depths and odd sizes, in subfolders of `in`; their relative paths.
fn slices_of_all_kinds(folder: &Path) -> Vec<PathBuf> {
    let kinds = [
        ("plain.png", 32, 32, BitDepth::Eight),
        ("sub 1/deep.png", 57, 41, BitDepth::Sixteen),
        ("sub 1/sub 2/wide.tif", 33, 79, BitDepth::Eight),
        ("sub 1/sub 2/deep.tiff", 41, 41, BitDepth::Sixteen),
        ("lossy.jpg", 45, 30, BitDepth::Eight),
        ("#7 (two rows).PNG", 2, 50, BitDepth::Eight),
    ];
    for (name, rows, columns, depth) in kinds {
        let scale = depth.max_value() / 255.0;
        let pixels = head(rows, columns, rows as f32 / 2.5, T1) * scale;
        save(&folder.join("in").join(name), &Image { pixels, depth });
    }
    files(&folder.join("in"))
}

#[test]
fn one_slice_keeps_its_size_and_depth_and_nothing_is_overwritten_silently() {
    let folder = folder();
    let said = translate(&folder, "slice.png", "out.png", &[]).done();
    assert!(said.stderr.contains("not for diagnosis"), "{}", said.stderr);
    let (input, output) =
        ["slice.png", "out.png"].map(|name| read_image(&folder.path().join(name)).unwrap()).into();
    assert_eq!((input.pixels.dim(), input.depth), (output.pixels.dim(), output.depth));
    assert_ne!(input.pixels, output.pixels);

    // The other direction is another network; the same again gives the same bytes.
    translate(&folder, "slice.png", "back.png", &["--to", "t1"]).done();
    assert_ne!(bytes_of(&folder, "out.png"), bytes_of(&folder, "back.png"));
    let before = bytes_of(&folder, "back.png");
    translate(&folder, "slice.png", "back.png", &[]).failed_naming(&["back.png", "--overwrite"]);
    assert_eq!(bytes_of(&folder, "back.png"), before);
    translate(&folder, "slice.png", "back.png", &["--overwrite"]).done();
    assert_eq!(bytes_of(&folder, "back.png"), bytes_of(&folder, "out.png"));

    // Into a folder, by its own name; never over the input.
    translate(&folder, "slice.png", "made/here", &[]).done();
    assert_eq!(bytes_of(&folder, "made/here/slice.png"), bytes_of(&folder, "out.png"));
    translate(&folder, "slice.png", ".", &["--overwrite"]).failed_naming(&["slice.png", "the same"]);
}

#[test]
fn a_folder_and_its_zip_give_the_same_names_sizes_and_depths() {
    let folder = folder();
    let path = folder.path();
    let names = slices_of_all_kinds(path);
    assert_eq!(names.len(), 6);
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for name in &names {
        archive.start_file_from_path(name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(&fs::read(path.join("in").join(name)).unwrap()).unwrap();
    }
    fs::write(path.join("in.zip"), archive.finish().unwrap().into_inner()).unwrap();

    translate(&folder, "in", "out", &[]).done();
    translate(&folder, "in.zip", "unzipped", &[]).done();
    assert_eq!((files(&path.join("out")), files(&path.join("unzipped"))), (names.clone(), names.clone()));
    for name in names {
        let [input, output, unzipped] =
            ["in", "out", "unzipped"].map(|part| read_image(&path.join(part).join(&name)).unwrap());
        assert_eq!((input.pixels.dim(), input.depth), (output.pixels.dim(), output.depth), "{name:?}");
        assert_eq!(output, unzipped, "{name:?}");
    }

    let said = translate(&folder, "in", "out", &[]);
    said.failed_naming(&["out/", "exists (and 5 more)", "--overwrite"]);
    translate(&folder, "in", "out", &["--overwrite"]).done();
    translate(&folder, "in", "in", &["--overwrite"]).failed_naming(&["in", "the same"]);
    translate(&folder, "in", "slice.png", &["--overwrite"]).failed_naming(&["slice.png", "a folder for 6"]);
}

/// A PNG whose header, with a right checksum, declares 60,000 x 60,000 px.
fn huge_header() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 60_000, 60_000);
    encoder.set_color(png::ColorType::Grayscale);
    let mut writer = encoder.write_header().unwrap();
    writer.write_chunk(png::chunk::IDAT, &[0x78, 0x9c, 0x03, 0x00, 0x00, 0x00, 0x00, 0x01]).unwrap();
    drop(writer);
    bytes
}

/// Files that no slice can be read from, in `bad`: their names, and what is said of each.
fn bad_images(folder: &Path) -> Vec<(&'static str, &'static str)> {
    let bad = folder.join("bad");
    fs::create_dir(&bad).unwrap();
    let whole = fs::read(folder.join("slice.png")).unwrap();
    let colour = image::RgbImage::from_fn(40, 36, |x, y| image::Rgb([x as u8, y as u8, 90]));
    colour.save(bad.join("colour.png")).unwrap();
    save(&bad.join("constant.png"), &Image { pixels: head(40, 36, 0.0, T1) + 7.0, depth: BitDepth::Eight });
    let files: [(&str, &[u8]); 6] = [
        ("cut.png", &whole[..whole.len() / 2]),
        ("zero.png", b""),
        ("zeros.png", &[0; 900]),
        ("huge.png", &huge_header()),
        ("other.tif", &whole),
        ("words.jpg", b"Dear diary"),
    ];
    for (name, bytes) in files {
        fs::write(bad.join(name), bytes).unwrap();
    }
    vec![
        ("colour.png", "a colour image"),
        ("constant.png", "a constant image: every pixel is 7"),
        ("cut.png", "truncated"),
        ("huge.png", "60000 x 60000 px, too many"),
        ("other.tif", "named .tif but the content is PNG"),
        ("words.jpg", "not a PNG, JPEG or TIFF image: the content looks like text"),
        ("zero.png", "empty (0 bytes)"),
        ("zeros.png", "the content looks like zeros"),
    ]
}

#[test]
fn a_bad_image_is_named_in_one_line_by_translate_and_inspect() {
    let folder = folder();
    for (name, problem) in bad_images(folder.path()) {
        let path = format!("bad/{name}");
        translate(&folder, &path, "out.png", &[]).failed_naming(&[&path, problem]);
        // A constant image can be looked at, though not translated.
        if name != "constant.png" {
            run(folder.path(), &["inspect", &path]).failed_naming(&[&path, problem]);
        }
    }
    for arguments in
        [&["translate", "--model", "model.safetensors", "--to", "t2", "-o", "o", "-i"][..], &["inspect"]]
    {
        run(folder.path(), &[arguments, &["gone.png"]].concat()).failed_naming(&["gone.png", "o such file"]);
    }
    assert!(!folder.path().join("out.png").exists() && !folder.path().join("o").exists());
}

#[test]
fn some_bad_of_many_cost_themselves_alone_and_code_3() {
    let folder = folder();
    let bad = bad_images(folder.path());
    translate(&folder, "bad", "none", &[]).failed_naming(&["none of 8 images could be translated"]);

    save_head(&folder.path().join("bad/good.png"), 15.0, T1);
    let said = translate(&folder, "bad", "out", &[]);
    assert_eq!((said.code, said.stdout.as_str()), (Some(3), ""));
    let failed: Vec<_> = said.stderr.lines().filter(|line| line.starts_with("failed: ")).collect();
    assert_eq!(failed.len(), bad.len());
    for (name, problem) in bad {
        let named = |line: &&&str| line.contains(name) && line.contains(problem);
        assert_eq!(failed.iter().filter(named).count(), 1, "{name}: {}", said.stderr);
    }
    assert!(said.stderr.ends_with("error: 8 of 9 inputs failed; the others are done\n"), "{}", said.stderr);
    assert_eq!(files(&folder.path().join("out")), [PathBuf::from("good.png")]);
}

#[cfg(unix)]
#[test]
fn an_unreadable_image_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let path = folder.path().join("slice.png");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::File::open(&path).is_ok() {
        println!("skipped: root can read all files");
        return;
    }
    translate(&folder, "slice.png", "out.png", &[]).failed_naming(&["slice.png", "Permission denied"]);
    run(folder.path(), &["inspect", "slice.png"]).failed_naming(&["slice.png", "Permission denied"]);
}

#[test]
fn an_unknown_domain_is_answered_with_the_right_ones() {
    let folder = folder();
    let said = translate(&folder, "slice.png", "out.png", &["--to", "flair"]);
    said.failed_naming(&["`flair`", "`t1` and `t2`"]);
}

#[test]
fn an_output_that_cannot_be_written_is_named() {
    let folder = folder();
    translate(&folder, "slice.png", "out.gif", &[]).failed_naming(&["out.gif", "use .png, .tif"]);
    translate(&folder, "slice.png", "slice.png/sub/out.png", &[]).failed_naming(&["slice.png/sub"]);
    translate(&folder, "empty", "out", &[]).failed_naming(&["empty", "no such file or folder"]);
    fs::create_dir(folder.path().join("empty")).unwrap();
    translate(&folder, "empty", "out", &[])
        .failed_naming(&["empty", "no image (PNG, JPEG, TIFF) and no volume"]);
}

/// A model file with one change to the JSON of its metadata.
fn with_metadata(change: impl FnOnce(String) -> String) -> Vec<u8> {
    let (_, header) = safetensors::SafeTensors::read_metadata(&MODEL).unwrap();
    let mut metadata = header.metadata().clone().unwrap();
    let text = metadata.remove("mri-cyclegan").unwrap();
    metadata.insert("mri-cyclegan".into(), change(text));
    let tensors = safetensors::SafeTensors::deserialize(&MODEL).unwrap();
    safetensors::serialize(tensors.tensors(), Some(metadata)).unwrap()
}

fn foreign() -> Vec<u8> {
    let weights = [0; 16];
    let tensor = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![2, 2], &weights).unwrap();
    safetensors::serialize([("lora.down", tensor)], None).unwrap()
}

#[test]
fn a_model_that_cannot_be_used_says_why() {
    let folder = folder();
    let with = |model: &[u8]| {
        fs::write(folder.path().join("model.safetensors"), model).unwrap();
        translate(&folder, "slice.png", "out.png", &[])
    };
    for length in [0, 7, 1000, MODEL.len() / 2, MODEL.len() - 1] {
        with(&MODEL[..length]).failed_naming(&["model.safetensors", "not a whole safetensors file"]);
    }
    with(&foreign()).failed_naming(&["model.safetensors", "not a file of this program"]);
    let newer = |text: String| text.replace("\"format_version\":1", "\"format_version\":2");
    with(&with_metadata(newer)).failed_naming(&["model.safetensors", "format version 2 is newer than 1"]);
    let wider = |text: String| text.replace("\"width\":4", "\"width\":8");
    with(&with_metadata(wider)).failed_naming(&["model.safetensors", "the networks that it names"]);
    with(&with_metadata(|_| "{".into())).failed_naming(&["model.safetensors", "not JSON"]);
    let other = |text: String| text.replace("\"manifest_sha256\"", "\"other\"");
    with(&with_metadata(other)).failed_naming(&["model.safetensors", "image settings"]);
    fs::remove_file(folder.path().join("model.safetensors")).unwrap();
    translate(&folder, "slice.png", "out.png", &[]).failed_naming(&["model.safetensors", "No such file"]);
    assert!(!folder.path().join("out.png").exists());
}

#[test]
fn a_run_folder_stands_for_its_model() {
    let folder = folder();
    let path = folder.path();
    let with_run = |more: &[&str]| {
        run(path, &[&["translate", "--model", "RUN", "--to", "t2", "-i", "slice.png", "-o"], more].concat())
    };
    with_run(&["out.png"]).failed_naming(&["RUN", "No such file"]);
    fs::create_dir(path.join("RUN")).unwrap();
    with_run(&["out.png"]).failed_naming(&["RUN", "no model.safetensors"]);
    fs::create_dir(path.join("RUN/checkpoints")).unwrap();
    fs::write(path.join("RUN/checkpoints/last.safetensors"), &*MODEL).unwrap();
    with_run(&["out.png"]).failed_naming(&["RUN/checkpoints/last.safetensors", "not ended"]);
    fs::rename(path.join("model.safetensors"), path.join("RUN/model.safetensors")).unwrap();
    with_run(&["out.png"]).done();
}

/// A disk of 64 KiB, seen by these processes alone.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_named_and_leaves_no_half_file() {
    let folder = folder();
    let noise = |row: usize, column: usize| ((row * 7919 + column * 104_729) % 65_521) as f32;
    let pixels = ndarray::Array2::from_shape_fn((300, 300), |(row, column)| noise(row, column * column));
    save(&folder.path().join("big.tif"), &Image { pixels, depth: BitDepth::Sixteen });
    fs::create_dir(folder.path().join("disk")).unwrap();
    let translate = "translate --device cpu --model model.safetensors --to t2 -i big.tif -o disk/big.tif";
    let script = format!(
        "mount -t tmpfs -o size=64k none disk || exit 99; {} {translate}; code=$?; ls -A disk; exit $code",
        env!("CARGO_BIN_EXE_mri-cli")
    );
    let unshared = std::process::Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script])
        .current_dir(folder.path())
        .output();
    let Some(said) = unshared
        .ok()
        .map(Said::from)
        .filter(|said| said.code != Some(99) && !said.stderr.contains("unshare"))
    else {
        println!("skipped: no small disk can be mounted here");
        return;
    };
    // What `ls` lists is on stdout.
    said.failed_naming(&["disk/big.tif", "No space left"]);
}
