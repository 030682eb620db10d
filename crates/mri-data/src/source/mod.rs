//! Where images come from: a file, a folder searched through, or a zip archive read as a folder.
//!
//! Hidden files (a leading dot) and the `__MACOSX` folder of archives are passed over, links are followed, and the
//! order is that of [`natural_order`] on every platform.

mod archive;
mod folder;
mod natural_order;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use folder::files_in;
pub use natural_order::natural_order;

use crate::image::{Image, decode_image, extension_of, has_image_extension};
use crate::{DataError, ImageError};
use archive::Archive;

/// No file that holds one slice is larger: 1 GiB.
const MAX_FILE_BYTES: u64 = 1 << 30;

/// An image that can be read: a file, or an entry of an archive.
#[derive(Debug, Clone)]
pub struct ImageRef {
    root: PathBuf,
    relative: PathBuf,
    archive: Option<Arc<Archive>>,
}

impl ImageRef {
    /// The path inside the folder or archive that was listed (for a single file its name): good as an output name. It
    /// never climbs out of where it is put: it is relative and has no `..`.
    pub fn relative(&self) -> &Path {
        &self.relative
    }

    /// The full name for messages.
    pub fn display(&self) -> String {
        self.root.join(&self.relative).display().to_string()
    }

    /// The name of the folder that holds the image.
    pub(crate) fn folder_name(&self) -> String {
        let inside = self.relative.parent().and_then(Path::file_name);
        inside.or_else(|| self.root.file_stem()).unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The bytes of the file.
    ///
    /// # Errors
    /// [`DataError::NotFound`], [`DataError::Io`], or [`DataError::Archive`] for a damaged entry.
    pub fn read_bytes(&self) -> Result<Vec<u8>, DataError> {
        match &self.archive {
            Some(archive) => archive.read(&self.relative),
            None => read_file(&self.root.join(&self.relative)),
        }
    }

    /// Reads and decodes the image.
    ///
    /// # Errors
    /// As [`read_image`](crate::image::read_image).
    pub fn read(&self) -> Result<Image, DataError> {
        self.decode(&self.read_bytes()?)
    }

    pub(crate) fn decode(&self, bytes: &[u8]) -> Result<Image, DataError> {
        decode_image(bytes, extension_of(&self.relative).as_deref())
            .map_err(|problem| DataError::image(self.display(), problem))
    }
}

/// All images at `path`, in natural order: the file itself, or those of a folder (searched through) or zip archive that
/// are named `.png`, `.jpg`, `.jpeg`, `.tif` or `.tiff`. Nothing is decoded yet.
///
/// # Errors
/// [`DataError::NotFound`], [`DataError::Io`], [`DataError::NoImages`], or [`DataError::Archive`] for an archive that
/// is damaged, names files outside itself, or inflates beyond reason.
pub fn list_images(path: &Path) -> Result<Vec<ImageRef>, DataError> {
    let metadata = path.metadata().map_err(|error| DataError::io(path, "read", error))?;
    let (names, archive) = if metadata.is_dir() {
        (files_in(path)?, None)
    } else if archive::is_archive(path)? {
        let archive = Archive::open(path)?;
        (archive.names().map(Path::to_path_buf).collect(), Some(Arc::new(archive)))
    } else {
        let relative = path.file_name().map(PathBuf::from).unwrap_or_default();
        let root = path.parent().map(Path::to_path_buf).unwrap_or_default();
        return Ok(vec![ImageRef { root, relative, archive: None }]);
    };
    let (mut images, others): (Vec<_>, Vec<_>) =
        names.into_iter().partition(|name| has_image_extension(name));
    if images.is_empty() {
        return Err(DataError::NoImages { path: path.to_owned(), others: others.len() });
    }
    images.sort_by(|a, b| natural_order(&a.to_string_lossy(), &b.to_string_lossy()));
    let to_ref = |relative| ImageRef { root: path.to_owned(), relative, archive: archive.clone() };
    Ok(images.into_iter().map(to_ref).collect())
}

/// The images of the two domains. Where both are given as the same folder or archive, the layout of the public set is
/// looked for in it: `Tr1/TrainT1` and `Tr2/TrainT2`.
///
/// # Errors
/// As [`list_images`], and [`DataError::SamePlace`] for one place without that layout.
pub fn resolve_domains(t1: &Path, t2: &Path) -> Result<(Vec<ImageRef>, Vec<ImageRef>), DataError> {
    let canonical = |path: &Path| path.canonicalize().map_err(|error| DataError::io(path, "read", error));
    if canonical(t1)? != canonical(t2)? {
        return Ok((list_images(t1)?, list_images(t2)?));
    }
    let images = list_images(t1)?;
    let within = |folders: [&str; 2]| -> Vec<ImageRef> {
        let lies_within = |image: &&ImageRef| {
            let parts: Vec<_> = image.relative.iter().collect();
            parts.windows(2).any(|pair| pair[0] == folders[0] && pair[1] == folders[1])
        };
        images.iter().filter(lies_within).cloned().collect()
    };
    let (first, second) = (within(["Tr1", "TrainT1"]), within(["Tr2", "TrainT2"]));
    if first.is_empty() || second.is_empty() {
        return Err(DataError::SamePlace { path: t1.to_owned() });
    }
    Ok((first, second))
}

/// The bytes of an ordinary file.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, DataError> {
    let failed = |error| DataError::io(path, "read", error);
    let metadata = path.metadata().map_err(failed)?;
    // A named pipe would block for ever.
    if !metadata.is_file() {
        let what = if metadata.is_dir() { "it is a folder" } else { "it is not an ordinary file" };
        return Err(failed(std::io::Error::other(what)));
    }
    if metadata.len() > MAX_FILE_BYTES {
        return Err(failed(std::io::Error::other(format!(
            "{} bytes are too many for one slice",
            metadata.len()
        ))));
    }
    if metadata.len() == 0 {
        return Err(DataError::image(path.display().to_string(), ImageError::Empty));
    }
    std::fs::read(path).map_err(failed)
}
