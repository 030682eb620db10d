//! Folders, archives and the layout of the public set; archives that would do harm.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use mri_data::DataError;
use mri_data::image::{BitDepth, Image, write_image};
use mri_data::source::{list_images, resolve_domains};
use ndarray::Array2;
use tempfile::{TempDir, tempdir};

fn ramp() -> Image {
    Image {
        pixels: Array2::from_shape_fn((12, 17), |(row, column)| (row * 17 + column) as f32),
        depth: BitDepth::Eight,
    }
}

fn saved(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

/// A folder with images, and among them everything that must be passed over.
fn folder_with_clutter() -> TempDir {
    let folder = tempdir().unwrap();
    for name in ["b/10.png", "b/9.png", "a.tif", ".hidden.png", "__MACOSX/b/9.png", ".git/x.png"] {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        write_image(&path, &ramp()).unwrap();
    }
    fs::write(folder.path().join("pairs.csv"), "t1,t2").unwrap();
    folder
}

fn zipped(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    for (name, bytes) in entries {
        zip.start_file(*name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn names(path: &Path) -> Vec<String> {
    list_images(path).unwrap().iter().map(|image| image.relative().display().to_string()).collect()
}

#[test]
fn a_folder_and_its_zip_list_the_same_images_in_natural_order() {
    let folder = folder_with_clutter();
    assert_eq!(names(folder.path()), ["a.tif", "b/9.png", "b/10.png"]);

    let kept = tempdir().unwrap();
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    let (nine, ten, tiff) = (read("b/9.png"), read("b/10.png"), read("a.tif"));
    let entries: [(&str, &[u8]); 6] = [
        ("b/10.png", &ten),
        ("b/9.png", &nine),
        ("__MACOSX/b/._9.png", b"x"),
        (".DS_Store.png", b"x"),
        ("a.tif", &tiff),
        ("pairs.csv", b"t1,t2"),
    ];
    let archive = saved(&kept, "set.zip", &zipped(&entries));
    assert_eq!(names(&archive), ["a.tif", "b/9.png", "b/10.png"]);
    for image in list_images(&archive).unwrap() {
        assert_eq!(image.read().unwrap(), ramp());
    }
    assert!(list_images(&archive).unwrap()[1].display().ends_with("set.zip/b/9.png"));
}

#[cfg(unix)]
#[test]
fn a_link_to_a_folder_above_does_not_go_round_for_ever() {
    let folder = folder_with_clutter();
    std::os::unix::fs::symlink(folder.path(), folder.path().join("b/up")).unwrap();
    assert_eq!(names(folder.path()).len(), 3);
}

#[test]
fn hostile_and_damaged_archives_are_refused() {
    let folder = tempdir().unwrap();
    let refusal = |name: &str, bytes: &[u8]| {
        let error = list_images(&saved(&folder, name, bytes)).expect_err(name).to_string();
        assert!(error.contains(name), "{error}");
        error
    };
    for name in ["../evil.png", "a/../../evil.png", "/etc/evil.png", "..\\evil.png", "C:/evil.png"] {
        // The writer will not write such names, so one of the same length takes its place.
        let placeholder = "x".repeat(name.len());
        let mut bytes = zipped(&[(&placeholder, b"x")]);
        while let Some(at) = bytes.windows(name.len()).position(|window| window == placeholder.as_bytes()) {
            bytes[at..at + name.len()].copy_from_slice(name.as_bytes());
        }
        assert!(refusal("slip.zip", &bytes).contains("names a place outside the archive"), "{name}");
    }
    let bomb = zipped(&[("bomb.png", &vec![0; (1 << 29) + 1])]);
    assert!(refusal("bomb.zip", &bomb).contains("a zip bomb"));
    let good = zipped(&[("a.png", b"not really")]);
    assert!(refusal("cut.zip", &good[..good.len() - 9]).contains("damaged or truncated zip archive"));
    assert!(refusal("text.zip", b"hello").contains("damaged or truncated zip archive"));
    assert!(
        refusal("bare.zip", &zipped(&[("notes.txt", b"x")]))
            .contains("no PNG, JPEG or TIFF image in it (1 other files)")
    );

    let mut lying = zipped(&[("a.png", &[7; 100])]);
    let central = lying.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    lying[central + 24..central + 28].copy_from_slice(&90_u32.to_le_bytes());
    let images = list_images(&saved(&folder, "lying.zip", &lying)).unwrap();
    assert!(images[0].read().unwrap_err().to_string().contains("lying.zip"));
}

#[test]
fn the_public_layout_is_recognized_when_one_root_is_given_twice() {
    let folder = tempdir().unwrap();
    for name in ["Tr1/TrainT1/Image #10.png", "Tr1/TrainT1/Image #9.png", "Tr2/TrainT2/Image #70.png"] {
        let path = folder.path().join("set").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        write_image(&path, &ramp()).unwrap();
    }
    let (t1, t2) = resolve_domains(folder.path(), folder.path()).unwrap();
    assert_eq!((t1.len(), t2.len()), (2, 1));
    assert!(t1[0].relative().ends_with("Image #9.png"));
    let inside = folder.path().join("set/Tr1");
    assert!(matches!(resolve_domains(&inside, &inside), Err(DataError::SamePlace { .. })));
    let (t1, t2) = resolve_domains(&inside, &folder.path().join("set/Tr2")).unwrap();
    assert_eq!((t1.len(), t2.len()), (2, 1));
    assert!(matches!(resolve_domains(&inside, &folder.path().join("gone")), Err(DataError::NotFound { .. })));
}
