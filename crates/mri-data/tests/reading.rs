//! Every kind of file that must be read, and every kind that must be refused in words that help.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use image::{DynamicImage, ImageFormat, RgbImage};
use mri_data::image::{BitDepth, Image, read_image, write_image, write_new_image};
use mri_data::source::{list_images, resolve_domains};
use mri_data::{DataError, ImageError};
use ndarray::Array2;
use tempfile::{TempDir, tempdir};

fn ramp(depth: BitDepth) -> Image {
    let step = depth.max_value() / 255.0;
    Image {
        pixels: Array2::from_shape_fn((12, 17), |(row, column)| (row * 17 + column) as f32 * step),
        depth,
    }
}

fn message(path: &Path) -> String {
    let text = read_image(path).expect_err("must be refused").to_string();
    assert!(!text.contains('\n'), "one line: {text}");
    assert!(text.contains(path.file_name().unwrap().to_str().unwrap()), "names the file: {text}");
    text
}

fn saved(folder: &TempDir, name: &str, bytes: &[u8]) -> std::path::PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

#[test]
fn lossless_formats_keep_every_value_at_both_depths() {
    let folder = tempdir().unwrap();
    for depth in [BitDepth::Eight, BitDepth::Sixteen] {
        for name in ["a.png", "a.tif", "a.TIFF"] {
            let path = folder.path().join(name);
            write_image(&path, &ramp(depth)).unwrap();
            assert_eq!(read_image(&path).unwrap(), ramp(depth), "{name} {depth:?}");
        }
    }
}

#[test]
fn jpeg_comes_back_nearly_the_same() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("a.jpg");
    write_image(&path, &ramp(BitDepth::Eight)).unwrap();
    let back = read_image(&path).unwrap();
    let worst = (&back.pixels - &ramp(BitDepth::Eight).pixels).fold(0.0_f32, |worst, d| worst.max(d.abs()));
    assert!(worst <= 6.0, "{worst}");
}

#[test]
fn values_are_rounded_and_clipped() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("a.png");
    let pixels = ndarray::array![[-3.0, 0.4, 0.6], [254.5, 255.4, 9999.0]];
    write_image(&path, &Image { pixels, depth: BitDepth::Eight }).unwrap();
    assert_eq!(read_image(&path).unwrap().pixels, ndarray::array![[0.0, 0.0, 1.0], [255.0, 255.0, 255.0]]);
}

#[test]
fn colour_is_accepted_only_where_it_is_grey() {
    let folder = tempdir().unwrap();
    let grey = RgbImage::from_fn(9, 5, |x, y| image::Rgb([(x * 5 + y) as u8; 3]));
    let expected = Array2::from_shape_fn((5, 9), |(row, column)| (column * 5 + row) as f32);
    for (name, format) in [("a.png", ImageFormat::Png), ("a.tif", ImageFormat::Tiff)] {
        let rgb = DynamicImage::ImageRgb8(grey.clone());
        let path = saved(&folder, name, &encoded(&rgb, format));
        assert_eq!(read_image(&path).unwrap().pixels, expected);
        let rgba = saved(&folder, name, &encoded(&DynamicImage::ImageRgba16(rgb.to_rgba16()), format));
        assert_eq!(read_image(&rgba).unwrap().pixels, expected.mapv(|value| value * 257.0));
    }
    let jpeg = saved(&folder, "a.jpg", &encoded(&DynamicImage::ImageRgb8(grey.clone()), ImageFormat::Jpeg));
    assert_eq!(read_image(&jpeg).unwrap().pixels.dim(), (5, 9));

    let mut coloured = grey;
    coloured.put_pixel(7, 3, image::Rgb([200, 10, 10]));
    for (name, format) in
        [("c.png", ImageFormat::Png), ("c.tif", ImageFormat::Tiff), ("c.jpg", ImageFormat::Jpeg)]
    {
        let path = saved(&folder, name, &encoded(&DynamicImage::ImageRgb8(coloured.clone()), format));
        assert!(message(&path).contains("a colour image"), "{}", message(&path));
    }
    assert!(message(&folder.path().join("c.png")).contains("200, 10, 10 at row 3, column 7"));
}

#[test]
fn truncated_files_of_each_format_are_called_truncated() {
    let folder = tempdir().unwrap();
    let noise = DynamicImage::ImageLuma8(image::GrayImage::from_fn(64, 64, |x, y| {
        image::Luma([(x * x * 7 + y * 31) as u8])
    }));
    for (name, format) in
        [("t.png", ImageFormat::Png), ("t.jpg", ImageFormat::Jpeg), ("t.tif", ImageFormat::Tiff)]
    {
        let bytes = encoded(&noise, format);
        for kept in [bytes.len() / 2, bytes.len() * 9 / 10, 6] {
            let text = message(&saved(&folder, name, &bytes[..kept]));
            assert!(text.contains("truncated"), "{kept} of {} bytes: {text}", bytes.len());
        }
    }
}

#[test]
fn a_huge_header_is_refused_before_memory_is_taken() {
    let folder = tempdir().unwrap();
    let png = encoded(&DynamicImage::new_luma8(8, 8), ImageFormat::Png);
    let mut huge_png = png.clone();
    huge_png[16..20].copy_from_slice(&60_000_u32.to_be_bytes());
    huge_png[20..24].copy_from_slice(&60_000_u32.to_be_bytes());
    let crc = crc32(&huge_png[12..29]);
    huge_png[29..33].copy_from_slice(&crc.to_be_bytes());

    let mut huge_jpeg = encoded(&DynamicImage::new_luma8(8, 8), ImageFormat::Jpeg);
    let frame = huge_jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    huge_jpeg[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xdc, 0xff, 0xdc]);

    let mut huge_tiff = encoded(&DynamicImage::new_luma8(8, 8), ImageFormat::Tiff);
    for tag in [256_u16, 257, 278] {
        let directory = u32::from_le_bytes(huge_tiff[4..8].try_into().unwrap()) as usize;
        let at = (directory + 2..huge_tiff.len())
            .step_by(12)
            .find(|&at| huge_tiff[at..at + 2] == tag.to_le_bytes())
            .unwrap();
        huge_tiff[at + 2..at + 12].copy_from_slice(&[4, 0, 1, 0, 0, 0, 0x60, 0xea, 0, 0]);
    }
    for (name, bytes) in [("h.png", huge_png), ("h.jpg", huge_jpeg), ("h.tif", huge_tiff)] {
        let text = message(&saved(&folder, name, &bytes));
        assert!(text.contains("the header declares 6") && text.contains("too many for a file of"), "{text}");
    }
}

/// CRC-32 of a PNG chunk (ISO 3309), bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, &byte| {
        (0..8).fold(
            crc ^ u32::from(byte),
            |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 },
        )
    })
}

#[test]
fn what_is_no_readable_image_says_what_it_is() {
    let folder = tempdir().unwrap();
    let png = encoded(&DynamicImage::new_luma8(8, 8), ImageFormat::Png);
    let mut dicom = vec![0; 128];
    dicom.extend_from_slice(b"DICM....");
    let mut damaged = png.clone();
    damaged[45] ^= 0x55;
    for (name, bytes, expected) in [
        ("empty.png", Vec::new(), "the file is empty (0 bytes)"),
        (
            "text.png",
            b"hello, I am no image".to_vec(),
            "not a PNG, JPEG or TIFF image: the content looks like text",
        ),
        ("brain.tif", dicom, "looks like a DICOM file"),
        ("zeros.jpg", vec![0; 4000], "looks like zeros"),
        ("really_png.jpg", png.clone(), "named .jpg but the content is PNG"),
        ("flipped.png", damaged, "damaged PNG"),
    ] {
        let text = message(&saved(&folder, name, &bytes));
        assert!(text.contains(expected), "{text}");
    }
    assert!(message(&folder.path().join("nothing.png")).contains("no such file or folder"));
    fs::create_dir(folder.path().join("folder.png")).unwrap();
    assert!(message(&folder.path().join("folder.png")).contains("it is a folder"));
}

#[test]
fn a_tiff_stack_is_refused_instead_of_read_in_part() {
    let folder = tempdir().unwrap();
    let mut bytes = encoded(&DynamicImage::new_luma8(8, 8), ImageFormat::Tiff);
    let directory = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
    let entries = usize::from(u16::from_le_bytes(bytes[directory..directory + 2].try_into().unwrap()));
    let next = directory + 2 + 12 * entries;
    bytes[next..next + 4].copy_from_slice(&(directory as u32).to_le_bytes());
    assert!(message(&saved(&folder, "stack.tif", &bytes)).contains("a TIFF stack of several pages"));
}

#[cfg(unix)]
#[test]
fn a_file_without_permission_and_a_pipe_are_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempdir().unwrap();
    let path = folder.path().join("secret.png");
    write_image(&path, &ramp(BitDepth::Eight)).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o400, 0o400);
    fs::set_permissions(&path, fs::Permissions::from_mode(0)).unwrap();
    if fs::File::open(&path).is_ok() {
        println!("not checked: this user may read everything");
    } else {
        assert!(message(&path).contains("cannot read"));
    }
    let null =
        list_images(Path::new("/dev/null")).and_then(|images| images[0].read()).unwrap_err().to_string();
    assert!(null.contains("not an ordinary file"), "{null}");
}

#[test]
fn nothing_is_half_written_or_replaced_unasked() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("a.png");
    write_new_image(&path, &ramp(BitDepth::Eight)).unwrap();
    let before = fs::read(&path).unwrap();
    let refused = write_new_image(&path, &ramp(BitDepth::Sixteen)).unwrap_err();
    assert!(matches!(refused, DataError::Exists { .. }));
    assert_eq!(fs::read(&path).unwrap(), before);
    write_image(&path, &ramp(BitDepth::Sixteen)).unwrap();
    assert_eq!(read_image(&path).unwrap().depth, BitDepth::Sixteen);

    fs::create_dir(folder.path().join("taken.png")).unwrap();
    assert!(write_image(&folder.path().join("taken.png"), &ramp(BitDepth::Eight)).is_err());
    assert!(matches!(
        write_image(&folder.path().join("no/a.png"), &ramp(BitDepth::Eight)),
        Err(DataError::NotFound { .. })
    ));
    let nan = Image { pixels: Array2::from_elem((2, 2), f32::NAN), depth: BitDepth::Eight };
    assert!(write_image(&folder.path().join("nan.png"), &nan).is_err());
    for name in ["a.bmp", "a", "deep.jpg"] {
        let refused = write_image(&folder.path().join(name), &ramp(BitDepth::Sixteen)).unwrap_err();
        assert!(refused.to_string().contains("use .png, .tif or (8 bit) .jpg"));
    }
    let mut names: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["a.png", "taken.png"]);
}

/// A folder with images, and among them everything that must be passed over.
fn folder_with_clutter() -> TempDir {
    let folder = tempdir().unwrap();
    for name in ["b/10.png", "b/9.png", "a.tif", ".hidden.png", "__MACOSX/b/9.png", ".git/x.png"] {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        write_image(&path, &ramp(BitDepth::Eight)).unwrap();
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
        assert_eq!(image.read().unwrap(), ramp(BitDepth::Eight));
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
        write_image(&path, &ramp(BitDepth::Eight)).unwrap();
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

#[test]
fn a_constant_image_is_an_error_of_normalization_not_of_reading() {
    let flat = Image { pixels: Array2::from_elem((3, 4), 7.0), depth: BitDepth::Eight };
    let normalizer = mri_data::normalize::Normalization::default().fit([ramp(BitDepth::Eight)]).unwrap();
    let refused = normalizer.map_for(&flat).unwrap_err();
    assert!(matches!(refused, ImageError::Constant { value: 7.0 }));
    assert_eq!(refused.to_string(), "a constant image: every pixel is 7");
}
