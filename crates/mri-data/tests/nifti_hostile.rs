//! Truncated, flipped and lying files: an error that names the file and the field or a volume, never a panic, never more
//! memory than the file warrants.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use mri_data::nifti::{NiftiHeader, read_nifti, read_nifti_header};
use mri_data::volume::Volume;
use tempfile::{TempDir, tempdir};

/// Counts what each thread holds.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    let held = HELD.get() + bytes;
    HELD.set(held);
    MOST.set(MOST.get().max(held));
}

// SAFETY: all is left to the system's allocator; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: as our caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as our caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The result and the most bytes held at a time.
fn measured<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    MOST.set(before);
    let result = work();
    (result, (MOST.get() - before) as usize)
}

/// Decoder, buffers, paths and messages.
const OVERHEAD_BYTES: usize = 160 << 10;

fn small(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nifti/files").join(name)).unwrap()
}

fn gunzipped(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
    plain
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Words of which an error must have one.
const PARTS: [&str; 16] = [
    "sizeof_hdr: ",
    "magic: ",
    "dim: ",
    "datatype: ",
    "vox_offset: ",
    "scl_inter: ",
    "qform_code: ",
    "sform_code: ",
    "quatern_b, quatern_c, quatern_d: ",
    "pixdim: ",
    "qoffset_x, qoffset_y, qoffset_z: ",
    "srow_x, srow_y, srow_z: ",
    "esize: ",
    "truncated: ",
    "the file is empty",
    "damaged gzip data: ",
];

/// Reads a file of these bytes, which is a valid volume or an error in one good line.
fn tried(path: &Path, bytes: &[u8]) -> Option<Volume<NiftiHeader>> {
    replace(path, bytes);
    let (result, most) = measured(|| read_nifti(path));
    // Voxels of one byte become four, beside the part that is read, and extensions are copied once.
    assert!(most <= OVERHEAD_BYTES + 8 * bytes.len(), "{most} bytes held for {}", bytes.len());
    let header = read_nifti_header(path);
    match result {
        Ok(volume) => {
            assert!(volume.affine.is_proper() && !volume.voxels.is_empty());
            assert_eq!(header.unwrap(), volume.header);
            Some(volume)
        }
        Err(error) => {
            let text = error.to_string();
            assert!(text.starts_with(&path.display().to_string()) && !text.contains('\n'), "{text}");
            assert!(PARTS.iter().any(|part| text.contains(part)), "{text}");
            None
        }
    }
}

/// A file that is overwritten goes to the disk at once, which takes as long as all the rest; a new one does not.
fn replace(path: &Path, bytes: &[u8]) {
    let _ = fs::remove_file(path);
    fs::write(path, bytes).unwrap();
}

fn place(folder: &TempDir, name: &str) -> PathBuf {
    folder.path().join(name)
}

const PLAIN: [&str; 7] = [
    "both_forms.nii",
    "qform_qfac_minus_1.nii",
    "neither.nii",
    "extensions_big.nii",
    "nifti2_little.nii",
    "nifti2_big.nii",
    "four_axes_one_volume.nii",
];
const FLIPS: [u8; 9] = [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff];

#[test]
fn files_cut_anywhere_are_errors() {
    let folder = tempdir().unwrap();
    for name in PLAIN {
        let whole = small(name);
        for length in 0..whole.len() {
            assert!(tried(&place(&folder, "cut.nii"), &whole[..length]).is_none(), "{name} at {length}");
        }
        assert!(tried(&place(&folder, "cut.nii"), &whole).is_some());
    }
    for name in ["sform_only.nii.gz", "two_gzip_members.nii.gz", "nifti2_extensions_little.nii.gz"] {
        let whole = small(name);
        for length in 0..whole.len() {
            assert!(tried(&place(&folder, "cut.nii.gz"), &whole[..length]).is_none(), "{name} at {length}");
        }
    }
}

#[test]
fn every_byte_of_a_header_can_be_flipped() {
    let folder = tempdir().unwrap();
    let (mut valid, mut errors) = (0, 0);
    let mut count = |volume: Option<Volume<NiftiHeader>>| {
        if volume.is_some() { valid += 1 } else { errors += 1 }
    };
    for name in PLAIN {
        let whole = small(name);
        let header_bytes = if name.starts_with("nifti2") { 544 } else { 352 };
        let extensions = if name.starts_with("extensions") { 80 } else { 0 };
        for at in 0..header_bytes + extensions {
            for flip in FLIPS {
                let mut bytes = whole.clone();
                bytes[at] ^= flip;
                count(tried(&place(&folder, "flipped.nii"), &bytes));
                if flip == 0xff {
                    count(tried(&place(&folder, "flipped.nii.gz"), &gzipped(&bytes)));
                }
            }
        }
    }
    // Most fields are not about the grid: names, timing, display.
    assert!(valid > 1000 && errors > 1000, "{valid} valid, {errors} errors");
}

#[test]
fn every_byte_of_a_compressed_file_can_be_flipped() {
    let folder = tempdir().unwrap();
    let whole = small("sform_only.nii.gz");
    let expected = tried(&place(&folder, "whole.nii.gz"), &whole).unwrap();
    for at in 0..whole.len() {
        for flip in FLIPS {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            if let Some(volume) = tried(&place(&folder, "flipped.nii.gz"), &bytes) {
                // As in the time in the gzip header; what changes the volume is under the checksum.
                assert_eq!(volume, expected, "byte {at} ^ {flip:#x} went unnoticed");
            }
        }
    }
}

#[test]
fn the_halves_of_a_pair_can_be_cut_and_flipped() {
    let folder = tempdir().unwrap();
    let (header, image) = (small("pair_offset_and_extension.hdr"), small("pair_offset_and_extension.img"));
    let (header_path, image_path) = (place(&folder, "pair.hdr"), place(&folder, "pair.img"));
    fs::write(&image_path, &image).unwrap();
    for at in 0..header.len() {
        let _ = tried_pair(&header_path, &header[..at], &header_path);
        for flip in FLIPS {
            let mut bytes = header.clone();
            bytes[at] ^= flip;
            let _ = tried_pair(&header_path, &bytes, &header_path);
        }
    }
    fs::write(&header_path, &header).unwrap();
    for length in 0..image.len() {
        assert!(tried_pair(&image_path, &image[..length], &header_path).is_err());
    }
}

fn tried_pair(changed: &Path, bytes: &[u8], header: &Path) -> Result<(), ()> {
    replace(changed, bytes);
    match read_nifti(header) {
        Ok(_) => Ok(()),
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains("pair.") && PARTS.iter().any(|part| text.contains(part)), "{text}");
            Err(())
        }
    }
}

#[test]
fn headers_that_promise_too_much_cost_nothing() {
    let folder = tempdir().unwrap();
    let path = place(&folder, "promise.nii");
    let mut one = small("both_forms.nii");
    one[42..48].copy_from_slice(&[0xff, 0x7f, 0xff, 0x7f, 0xff, 0x7f]);
    assert!(tried(&path, &one).is_none());
    let mut two = small("nifti2_little.nii");
    for length in [1_i64 << 21, 1 << 40, i64::MAX] {
        for axis in 1..4 {
            two[16 + 8 * axis..24 + 8 * axis].copy_from_slice(&length.to_le_bytes());
        }
        assert!(tried(&path, &two).is_none());
    }
    for offset in [0_i64, 543, 1 << 40, i64::MAX, -16] {
        let mut two = small("nifti2_little.nii");
        two[168..176].copy_from_slice(&offset.to_le_bytes());
        assert!(tried(&path, &two).is_none(), "{offset}");
    }
    for offset in [0.0_f32, 348.0, 351.0, 352.5, 1e30, f32::NAN, f32::INFINITY, -352.0] {
        let mut one = small("both_forms.nii");
        one[108..112].copy_from_slice(&offset.to_le_bytes());
        assert!(tried(&path, &one).is_none(), "{offset}");
    }
}

#[test]
fn what_inflates_beyond_the_header_or_short_of_it_stays_small() {
    let folder = tempdir().unwrap();
    let path = place(&folder, "bomb.nii.gz");
    // 64 MiB of zeros behind a small volume, in 64 KiB.
    let mut bytes = small("both_forms.nii");
    bytes.resize(64 << 20, 0);
    let bomb = gzipped(&bytes);
    assert!(bomb.len() < 80 << 10);
    let volume = tried(&path, &bomb).unwrap();
    assert_eq!(volume.voxels.len(), 60);
    // The same with the 64 MiB as extensions, and with voxels that are promised and not there.
    bytes[348] = 1;
    bytes[108..112].copy_from_slice(&(60_f32 * (1 << 20) as f32).to_le_bytes());
    assert!(tried(&path, &gzipped(&bytes[..1 << 20])).is_none());
    let mut promise = small("both_forms.nii");
    promise[42..48].copy_from_slice(&[0, 1, 0, 1, 100, 0]);
    promise.extend((0..40_000_u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8));
    assert!(tried(&path, &gzipped(&promise)).is_none());
}

#[test]
fn an_honest_volume_is_held_once() {
    let folder = tempdir().unwrap();
    let path = place(&folder, "volume.nii.gz");
    let mut bytes = small("both_forms.nii")[..352].to_vec();
    bytes[42..48].copy_from_slice(&[200, 0, 150, 0, 100, 0]);
    let voxels = 200 * 150 * 100;
    bytes.extend(
        (0..voxels as u32)
            .flat_map(|index| (index.wrapping_mul(2_654_435_761) >> 20).to_le_bytes()[..2].to_vec()),
    );
    fs::write(&path, gzipped(&bytes)).unwrap();
    let (volume, most) = measured(|| read_nifti(&path).unwrap());
    assert_eq!(volume.voxels.len(), voxels);
    assert!(most <= 4 * voxels + OVERHEAD_BYTES + (256 << 10), "{most}");
}

#[test]
fn what_is_no_nifti_file_is_said_to_be_none() {
    let folder = tempdir().unwrap();
    for bytes in
        [b"".to_vec(), b"\x89PNG\r\n\x1a\n".to_vec(), vec![0; 1000], vec![0xff; 1000], b"text".repeat(200)]
    {
        assert!(tried(&place(&folder, "other.nii"), &bytes).is_none());
    }
    assert!(read_nifti(&place(&folder, "missing.nii")).unwrap_err().to_string().contains("no such file"));
    let error = read_nifti(folder.path()).unwrap_err().to_string();
    assert!(error.contains("cannot read"), "{error}");
    // An Analyze header is a NIfTI header without magic.
    let mut analyze = small("both_forms.nii");
    analyze[344..348].fill(0);
    fs::write(place(&folder, "analyze.nii"), analyze).unwrap();
    let error = read_nifti(&place(&folder, "analyze.nii")).unwrap_err().to_string();
    assert!(error.contains("magic: not n+1, n+2, ni1 or ni2: an Analyze file"), "{error}");
    // Compressed under a plain name is read, plain under a compressed name is damage.
    assert!(tried(&place(&folder, "zipped.nii"), &small("sform_only.nii.gz")).is_some());
    assert!(tried(&place(&folder, "plain.nii.gz"), &gunzipped(&small("sform_only.nii.gz"))).is_none());
}
