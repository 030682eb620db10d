//! Images kept on the disk while a program runs, so that memory does not grow with their number: written once, read back
//! by position from any thread. The file has no name and ends with the program.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use ndarray::{Array2, ArrayView2};

use crate::DataError;

/// A file of images in a folder.
#[derive(Debug)]
pub struct Scratch {
    file: File,
    folder: PathBuf,
    end: AtomicU64,
}

/// Where an image lies in a [`Scratch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    at: u64,
    size: (usize, usize),
}

impl Kept {
    /// (rows, columns).
    pub fn size(&self) -> (usize, usize) {
        self.size
    }
}

/// Where programs should keep what is large and temporary: `TMPDIR` where it is set; else `/var/tmp`, which lies on a disk
/// where `/tmp` may lie in memory; else the system's folder for temporary files.
pub fn default_folder() -> PathBuf {
    match std::env::var_os("TMPDIR").filter(|folder| !folder.is_empty()) {
        Some(folder) => folder.into(),
        None if cfg!(unix) && Path::new("/var/tmp").is_dir() => "/var/tmp".into(),
        None => std::env::temp_dir(),
    }
}

impl Scratch {
    /// An empty one, on the disk of `folder`.
    ///
    /// # Errors
    /// [`DataError::NotFound`] or [`DataError::Io`].
    pub fn in_folder(folder: &Path) -> Result<Self, DataError> {
        let file = tempfile::tempfile_in(folder)
            .map_err(|error| DataError::io(folder, "make a temporary file in it", error))?;
        Ok(Self { file, folder: folder.to_owned(), end: AtomicU64::new(0) })
    }

    /// Writes an image: 4 bytes a pixel.
    ///
    /// # Errors
    /// [`DataError::Io`] with the folder, as for a full disk.
    pub fn keep(&self, image: ArrayView2<'_, f32>) -> Result<Kept, DataError> {
        let bytes: Vec<u8> = image.iter().flat_map(|value| value.to_ne_bytes()).collect();
        let at = self.end.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        write_at(&self.file, &bytes, at)
            .map_err(|error| DataError::io(&self.folder, "keep temporary images in it", error))?;
        Ok(Kept { at, size: image.dim() })
    }

    /// Reads an image that [`Self::keep`] wrote here.
    ///
    /// # Errors
    /// [`DataError::Io`] with the folder.
    pub fn read(&self, kept: Kept) -> Result<Array2<f32>, DataError> {
        let failed = |error| DataError::io(&self.folder, "read a temporary image in it", error);
        let mut bytes = vec![0; kept.size.0 * kept.size.1 * size_of::<f32>()];
        read_at(&self.file, &mut bytes, kept.at).map_err(failed)?;
        let values = bytes.as_chunks().0.iter().map(|&chunk| f32::from_ne_bytes(chunk)).collect();
        Array2::from_shape_vec(kept.size, values).map_err(|error| failed(std::io::Error::other(error)))
    }
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], at: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], at: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, at)
}

#[cfg(windows)]
fn write_at(file: &File, mut bytes: &[u8], mut at: u64) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let written = std::os::windows::fs::FileExt::seek_write(file, bytes, at)?;
        if written == 0 {
            return Err(std::io::ErrorKind::WriteZero.into());
        }
        (bytes, at) = (&bytes[written..], at + written as u64);
    }
    Ok(())
}

#[cfg(windows)]
fn read_at(file: &File, mut bytes: &mut [u8], mut at: u64) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let read = std::os::windows::fs::FileExt::seek_read(file, bytes, at)?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        (bytes, at) = (&mut bytes[read..], at + read as u64);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_of_any_size_come_back_from_any_thread() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = Scratch::in_folder(folder.path()).unwrap();
        let image =
            |n: usize| Array2::from_shape_fn((n % 5 + 1, n % 3 + 2), |(r, c)| (n * 100 + r * 10 + c) as f32);
        let kept: Vec<Kept> = std::thread::scope(|scope| {
            let keep =
                |part: usize| (0..50).map(|n| scratch.keep(image(50 * part + n).view()).unwrap()).collect();
            let threads: Vec<_> =
                (0..4).map(|part| scope.spawn(move || -> Vec<Kept> { keep(part) })).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        for (n, kept) in kept.into_iter().enumerate().rev() {
            assert_eq!(scratch.read(kept).unwrap(), image(n));
        }
        assert_eq!(folder.path().read_dir().unwrap().count(), 0, "the file has no name");
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = Scratch::in_folder(Path::new("nowhere/at/all")).unwrap_err().to_string();
        assert!(error.contains("nowhere/at/all"), "{error}");
    }
}
