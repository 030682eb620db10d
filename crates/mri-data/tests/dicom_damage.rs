//! Damaged DICOM files give an error that names the file, or are read; never a panic, never more memory than they warrant.

#![allow(clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use mri_data::DataError;
use mri_data::dicom::{DicomError, list_series, read_frames, read_series};

/// Counts what is held, so that a test can see the peak.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
/// One test at a time, so that the count is of one.
static ALONE: Mutex<()> = Mutex::new(());

// SAFETY: every call is passed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(held, Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Of a file of a few kilobytes: 4 Mi pixels in the decoder of JPEG 2000.
const MOST_BYTES: usize = 100 << 20;

struct Outcome {
    read: usize,
    refused: usize,
}

/// Reads every variant of a file.
fn try_all(name: &str, variants: impl Iterator<Item = (String, Vec<u8>)>) -> Outcome {
    // In memory where that is possible: these are tens of thousands of files.
    let memory = Some(Path::new("/dev/shm")).filter(|memory| memory.is_dir());
    let folder = memory.map_or_else(tempfile::tempdir, tempfile::tempdir_in).unwrap();
    let path = folder.path().join("variant.dcm");
    let mut outcome = Outcome { read: 0, refused: 0 };
    for (what, bytes) in variants {
        std::fs::write(&path, &bytes).unwrap();
        let before = HELD.load(Relaxed);
        PEAK.store(before, Relaxed);
        let result = catch_unwind(|| read(&path)).unwrap_or_else(|_| panic!("{name}: {what}: panicked"));
        let peak = PEAK.load(Relaxed).saturating_sub(before);
        assert!(peak < MOST_BYTES, "{name}: {what}: {peak} bytes for a file of {}", bytes.len());
        match result {
            Ok(()) => outcome.read += 1,
            Err(error) => {
                let text = error.to_string();
                assert!(text.contains("variant.dcm") && !text.contains('\n'), "{name}: {what}: {text}");
                assert!(text.is_ascii() && !text.contains("Nobody"), "{name}: {what}: {text}");
                outcome.refused += 1;
            }
        }
    }
    outcome
}

fn read(path: &Path) -> Result<(), DataError> {
    match list_series(path) {
        Ok(series) => read_series(&series[0]).map(drop),
        // Values are looked at where the geometry is damaged, too.
        Err(error) => read_frames(path).map(drop).and(Err(error)),
    }
}

/// One of each encoding.
const NAMES: [&str; 11] = [
    "explicit_s16.dcm",
    "implicit_u8.dcm",
    "big_s12.dcm",
    "deflated_u12.dcm",
    "rle_u8.dcm",
    "jpeg_baseline_u8.dcm",
    "jpeg_lossless_u8.dcm",
    "jpeg_ls_u8.dcm",
    "jpeg_ls_near_u16.dcm",
    "jpeg2000_u8.dcm",
    "enhanced_rle.dcm",
];

fn files() -> Vec<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/dicom");
    let mut files: Vec<PathBuf> = NAMES.iter().map(|name| beside.join(name)).collect();
    match std::env::var_os("MRI_TEST_DATA") {
        Some(shared) => {
            let shared = Path::new(&shared).join("dicom/pydicom");
            files.extend(["MR_small_implicit.dcm", "MR_small_bigendian.dcm"].map(|name| shared.join(name)));
        }
        None => eprintln!("MRI_TEST_DATA is not set: skipping the files in it"),
    }
    files
}

/// Where the pixels begin, counted from the end.
fn header_length(bytes: &[u8]) -> usize {
    let tag = |little: bool| if little { [0xE0, 0x7F, 0x10, 0x00] } else { [0x7F, 0xE0, 0x00, 0x10] };
    let find = |tag: [u8; 4]| bytes.windows(4).rposition(|window| window == tag);
    find(tag(true)).or(find(tag(false))).map_or(bytes.len(), |at| (at + 64).min(bytes.len()))
}

#[test]
fn a_file_cut_anywhere_is_refused_or_read() {
    let _alone = ALONE.lock();
    let (mut cuts, mut read) = (0, 0);
    for path in files() {
        let bytes = std::fs::read(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // Each length of the header, and some of the pixels.
        let header = header_length(&bytes);
        let lengths = (0..header).chain((header..bytes.len()).step_by(7));
        let outcome =
            try_all(&name, lengths.map(|length| (format!("cut at {length}"), bytes[..length].to_vec())));
        cuts += outcome.refused;
        read += outcome.read;
        // What is cut before the pixels has none.
        assert!(outcome.refused >= header - 64, "{name}: {} of {header} refused", outcome.refused);
    }
    eprintln!("{cuts} cuts refused, {read} read");
}

#[test]
fn a_file_with_any_byte_changed_is_refused_or_read() {
    let _alone = ALONE.lock();
    let (mut refused, mut read) = (0, 0);
    for path in files() {
        let bytes = std::fs::read(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let end = if name.starts_with("MR_small") { header_length(&bytes) } else { bytes.len() };
        // The preamble says nothing.
        let variants = (128..end).flat_map(|at| {
            [0x01, 0x80, 0xFF].map(|flip| {
                let mut changed = bytes.clone();
                changed[at] ^= flip;
                (format!("byte {at} ^ {flip:#x}"), changed)
            })
        });
        let outcome = try_all(&name, variants);
        refused += outcome.refused;
        read += outcome.read;
    }
    eprintln!("{refused} changed files refused, {read} read");
    assert!(refused > 1000 && read > 1000);
}

#[test]
fn lengths_beyond_the_file_are_not_believed() {
    let _alone = ALONE.lock();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/dicom/explicit_s16.dcm");
    let bytes = std::fs::read(path).unwrap();
    let element = |tag: [u8; 4], vr: &[u8; 2], length: u32| {
        let mut element = tag.to_vec();
        element.extend(vr);
        element.extend([0, 0]);
        element.extend(length.to_le_bytes());
        element
    };
    let start = bytes.windows(8).position(|window| window == b"\x08\0\x16\0UI\x1a\0").unwrap();
    let inserted = |insert: Vec<u8>| [&bytes[..start], &insert, &bytes[start..]].concat();
    let nested = |depth: usize| {
        let one = [element([0x08, 0, 0x15, 0], b"SQ", u32::MAX), b"\xFE\xFF\0\xE0\xFF\xFF\xFF\xFF".to_vec()]
            .concat();
        inserted(one.repeat(depth))
    };
    let variants = [
        ("a value of 4 GB", inserted(element([0x08, 0, 0x15, 0], b"OB", u32::MAX - 1))),
        ("a private value of 4 GB", inserted(element([0x09, 0, 0x15, 0], b"OB", u32::MAX - 1))),
        ("a sequence of 4 GB", inserted(element([0x08, 0, 0x15, 0], b"SQ", u32::MAX - 1))),
        ("one hundred thousand sequences in each other", nested(100_000)),
    ];
    let count = variants.len();
    let outcome = try_all("lengths", variants.into_iter().map(|(what, bytes)| (what.to_owned(), bytes)));
    assert_eq!(outcome.refused, count);
}

#[test]
fn sizes_beyond_the_pixels_are_not_believed() {
    let _alone = ALONE.lock();
    let folder = tempfile::tempdir().unwrap();
    for name in
        ["explicit_s16.dcm", "rle_u8.dcm", "jpeg_ls_u8.dcm", "jpeg2000_u8.dcm", "jpeg_lossless_u8.dcm"]
    {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/dicom").join(name);
        let mut bytes = std::fs::read(path).unwrap();
        for tag in [b"\x28\0\x10\0US\x02\0", b"\x28\0\x11\0US\x02\0"] {
            let at = bytes.windows(8).position(|window| window == tag).unwrap();
            bytes[at + 8..at + 10].copy_from_slice(&u16::MAX.to_le_bytes());
        }
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        PEAK.store(HELD.load(Relaxed), Relaxed);
        let before = HELD.load(Relaxed);
        let problem = match list_series(&path).and_then(|series| read_series(&series[0])) {
            Err(DataError::Dicom { problem, .. }) => problem,
            other => panic!("{name}: {other:?}"),
        };
        assert!(
            matches!(problem, DicomError::PixelBytes { rows: 65535, columns: 65535, .. }),
            "{name}: {problem}"
        );
        assert!(PEAK.load(Relaxed) - before < 8 << 20, "{name}");
    }
}
