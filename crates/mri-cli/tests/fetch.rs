//! `mri-cli fetch` against a small hub of our own: a thread that speaks the two endpoints that hf-hub asks.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Cursor, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};

use image::{GrayImage, ImageFormat, Luma};
use zip::write::SimpleFileOptions;

const DATA_SET: &str = "nitishpandey04/MRI-Unpaired-T1-and-T2-Images";

/// Serves one data set that holds `archive` as `slices.zip`, listed with `listed_bytes`, and returns the endpoint.
fn hub(archive: Vec<u8>, listed_bytes: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let listing = format!(
        r#"[{{"type":"file","oid":"1","size":10,"path":"README.md"}},
            {{"type":"file","oid":"2","size":{listed_bytes},"path":"slices.zip"}}]"#
    );
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            answer(stream.unwrap(), listing.as_bytes(), &archive);
        }
    });
    endpoint
}

fn answer(mut stream: TcpStream, listing: &[u8], archive: &[u8]) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let request = lines.next().unwrap_or_default();
    lines.take_while(|line| !line.is_empty()).for_each(drop);
    let mut words = request.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = target.split('?').next().unwrap_or_default();
    let (status, kind, body) = if path == format!("/api/datasets/{DATA_SET}/tree/main") {
        ("200 OK", "application/json", listing)
    } else if path == format!("/datasets/{DATA_SET}/resolve/main/slices.zip") {
        ("200 OK", "application/zip", archive)
    } else {
        ("404 Not Found", "text/plain", &b"no such thing"[..])
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nETag: \"1\"\r\n\
         X-Repo-Commit: 0123456789012345678901234567890123456789\r\nConnection: close\r\n\r\n"
    );
    let _ = stream.write_all(head.as_bytes());
    if method == "GET" {
        let _ = stream.write_all(body);
    }
}

/// A zip of tiny slices under these names.
fn archive(names: &[&str]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (shade, name) in (1..).zip(names) {
        let mut png = Cursor::new(Vec::new());
        let picture = GrayImage::from_fn(6, 4, |x, y| Luma([(10 * x + 3 * y + shade) as u8]));
        picture.write_to(&mut png, ImageFormat::Png).unwrap();
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(png.get_ref()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn public_set() -> Vec<u8> {
    archive(&[
        "MRI/Tr1/TrainT1/Image #10.png",
        "MRI/Tr1/TrainT1/Image #41.png",
        "MRI/Tr2/TrainT2/Image #70.png",
        "MRI/Tr2/TrainT2/Image #80.png",
        "MRI/Tr2/TrainT2/Image #111.png",
    ])
}

fn fetch(endpoint: &str, out: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mri-cli"));
    command.args(["fetch", "--out"]).arg(out).args(more);
    command
        .env("HF_ENDPOINT", endpoint)
        .env("NO_PROXY", "127.0.0.1")
        .env_remove("HF_TOKEN")
        .env_remove("RUST_LOG");
    command.output().unwrap()
}

/// The one line of a failure; nothing may lie in `folder` afterwards but what is named.
fn failure(output: &Output, folder: &Path, left: &[&str]) -> String {
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.starts_with("error: "), "{stderr}");
    let mut found: Vec<String> =
        folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    found.sort();
    assert_eq!(found, left);
    stderr
}

#[test]
fn slices_and_their_pairs_come_down_once_and_again_only_with_overwrite() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("data/slices");
    let archive = public_set();
    let endpoint = hub(archive.clone(), archive.len());
    let output = fetch(&endpoint, &out, &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.starts_with("2 T1 and 3 T2 slices, 6 x 4 px, 8 bit"), "{said}");
    assert!(
        out.join("Tr1/TrainT1/Image #41.png").is_file() && out.join("Tr2/TrainT2/Image #80.png").is_file()
    );
    let table = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();
    assert_eq!(
        table("train_pairs.csv"),
        "t1,t2,level_mm\nTr1/TrainT1/Image #10.png,Tr2/TrainT2/Image #70.png,69\n"
    );
    assert_eq!(
        table("test_pairs.csv"),
        "t1,t2,level_mm\nTr1/TrainT1/Image #41.png,Tr2/TrainT2/Image #111.png,110\n"
    );

    std::fs::write(out.join("mine.txt"), "x").unwrap();
    let refused = failure(&fetch(&endpoint, &out, &[]), &folder.path().join("data"), &["slices"]);
    assert!(refused.contains("--overwrite") && out.join("mine.txt").exists(), "{refused}");
    assert!(fetch(&endpoint, &out, &["--overwrite"]).status.success());
    assert!(!out.join("mine.txt").exists() && out.join("test_pairs.csv").exists());
}

#[test]
fn a_damaged_archive_leaves_nothing_behind() {
    let whole = public_set();
    let mut flipped = whole.clone();
    flipped[60] ^= 0xFF;
    let page = b"<html>Please log in</html>".to_vec();
    for (archive, listed) in [
        (whole[..whole.len() / 2].to_vec(), whole.len()),
        (whole[..whole.len() / 2].to_vec(), whole.len() / 2),
        (flipped, whole.len()),
        (page.clone(), page.len()),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let line =
            failure(&fetch(&hub(archive, listed), &folder.path().join("slices"), &[]), folder.path(), &[]);
        assert!(line.contains("slices.zip"), "{line}");
    }
}

#[test]
fn an_archive_that_names_places_outside_itself_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let evil = archive(&["Tr1/TrainT1/Image #10.png", "Tr2/TrainT2/Image #70.png", "../../evil.png"]);
    let endpoint = hub(evil.clone(), evil.len());
    let line = failure(&fetch(&endpoint, &folder.path().join("slices"), &[]), folder.path(), &[]);
    assert!(line.contains("evil.png"), "{line}");
}

#[test]
fn without_a_network_or_an_answer_it_says_so_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let line =
        failure(&fetch(&format!("http://{closed}"), &folder.path().join("slices"), &[]), folder.path(), &[]);
    assert!(line.contains(DATA_SET) && line.contains(&closed.to_string()), "{line}");

    let silent = TcpListener::bind("127.0.0.1:0").unwrap(); // takes the call and never speaks
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let output = fetch(&endpoint, &folder.path().join("slices"), &["--patience-s", "1"]);
    let line = failure(&output, folder.path(), &[]);
    assert!(line.contains("no answer within 1 s"), "{line}");
}
