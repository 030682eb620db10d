//! Every kind of file that must be read, and every kind that must be refused in words that help.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, ImageFormat, RgbImage};
use mri_data::image::{BitDepth, Image, read_image, write_image, write_new_image};
use mri_data::source::list_images;
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
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
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

#[test]
fn a_constant_image_is_an_error_of_normalization_not_of_reading() {
    let flat = Image { pixels: Array2::from_elem((3, 4), 7.0), depth: BitDepth::Eight };
    let normalizer = mri_data::normalize::Normalization::default().fit([ramp(BitDepth::Eight)]).unwrap();
    let refused = normalizer.map_for(&flat).unwrap_err();
    assert!(matches!(refused, ImageError::Constant { value: 7.0 }));
    assert_eq!(refused.to_string(), "a constant image: every pixel is 7");
}
