//! What can go wrong between a file and a training sample. Every message is one line that names the file.

use std::io;
use std::path::{Path, PathBuf};

use crate::dicom::DicomError;
use crate::nifti::NiftiError;

/// What is wrong with one image, whatever its name.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// No bytes at all.
    #[error("the file is empty (0 bytes)")]
    Empty,
    /// Neither PNG nor JPEG nor TIFF.
    #[error("not a PNG, JPEG or TIFF image: the content looks like {found}")]
    NotAnImage {
        /// What the first bytes look like, in words.
        found: &'static str,
    },
    /// The extension promises another format than the content is.
    #[error("named .{extension} but the content is {content}: rename the file")]
    WrongExtension {
        /// Extension of the file name, without the dot.
        extension: String,
        /// What the content is, in words.
        content: &'static str,
    },
    /// The data end before the image does.
    #[error("truncated: the {format} data end before the image does")]
    Truncated {
        /// Name of the format.
        format: &'static str,
    },
    /// The decoder found something that cannot be.
    #[error("damaged {format}: {reason}")]
    Damaged {
        /// Name of the format.
        format: &'static str,
        /// The decoder's words.
        reason: String,
    },
    /// A valid image of a kind that is not read here.
    #[error("unsupported {format}: {reason}")]
    Unsupported {
        /// Name of the format.
        format: &'static str,
        /// What is not supported.
        reason: String,
    },
    /// The header declares more pixels than the bytes of the file can hold, or than any slice has.
    #[error("the header declares {width} x {height} px, too many for a file of {file_bytes} bytes")]
    TooLarge {
        /// Declared width in pixels.
        width: u32,
        /// Declared height in pixels.
        height: u32,
        /// Length of the file in bytes.
        file_bytes: u64,
    },
    /// Red, green and blue differ.
    #[error(
        "a colour image (R, G, B = {red}, {green}, {blue} at row {row}, column {column}): MRI slices must be grey"
    )]
    Colour {
        /// Row of the first coloured pixel.
        row: usize,
        /// Column of the first coloured pixel.
        column: usize,
        /// Red, in file units.
        red: u16,
        /// Green, in file units.
        green: u16,
        /// Blue, in file units.
        blue: u16,
    },
    /// A TIFF of several pages: which one is the slice cannot be known.
    #[error("a TIFF stack of several pages: save each slice as its own file")]
    Stack,
    /// Every pixel has the same value, so that there is nothing to normalize.
    #[error("a constant image: every pixel is {value}")]
    Constant {
        /// The value, in file units.
        value: f32,
    },
    /// A pixel is NaN or infinite.
    #[error("the pixel at row {row}, column {column} is {value}")]
    NotFinite {
        /// Row of the pixel.
        row: usize,
        /// Column of the pixel.
        column: usize,
        /// Its value.
        value: f32,
    },
    /// The array has no pixels.
    #[error("the image has no pixels ({height} x {width})")]
    NoPixels {
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
}

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// Nothing at this path.
    #[error("{}: no such file or folder", path.display())]
    NotFound {
        /// The path asked for.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("{}: cannot {action}: {reason}", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// What was tried: a verb.
        action: &'static str,
        /// The system's error.
        reason: io::Error,
    },
    /// One image is unusable.
    #[error("{name}: {problem}")]
    Image {
        /// The file, or the archive and the name inside it.
        name: String,
        /// What is wrong with it.
        problem: ImageError,
    },
    /// One NIfTI file is unusable.
    #[error("{}: {problem}", path.display())]
    Nifti {
        /// The file; of a pair the half that is wrong.
        path: PathBuf,
        /// What is wrong with it, by the field of its header.
        problem: NiftiError,
    },
    /// A folder or archive without a single image.
    #[error("{}: no PNG, JPEG or TIFF image in it ({others} other files)", path.display())]
    NoImages {
        /// The folder or archive.
        path: PathBuf,
        /// How many files of other kinds it holds.
        others: usize,
    },
    /// A folder without a single image or volume.
    #[error(
        "{}: no image (PNG, JPEG, TIFF) and no volume (NIfTI, DICOM) in it ({others} other files)",
        path.display()
    )]
    NoStudies {
        /// The folder.
        path: PathBuf,
        /// How many files of other kinds it holds.
        others: usize,
    },
    /// A DICOM file or series is unusable.
    #[error("{name}: {problem}")]
    Dicom {
        /// The file, or the folder of the series.
        name: String,
        /// What is wrong with it.
        problem: DicomError,
    },
    /// A data set that does not follow the Brain Imaging Data Structure, or has nothing that is wanted.
    #[error("{}: {reason}", path.display())]
    Bids {
        /// The folder or its description.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A DICOM study of which it is not clear what series is meant.
    #[error(
        "{place}: {} of the series of this study {}; name one by its UID or description: {series}",
        if *found == 0 { "none".into() } else { found.to_string() },
        if *asked { "are what was asked for" } else { "could be meant" }
    )]
    SeriesChoice {
        /// Where the first of them lies.
        place: String,
        /// How many fit.
        found: usize,
        /// Whether one was asked for.
        asked: bool,
        /// All series of the study: their descriptions, UIDs and numbers of slices.
        series: String,
    },
    /// A zip archive that is damaged or that could do harm.
    #[error("{}: {reason}", path.display())]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Both domains were given the same place, and it does not hold the two of them.
    #[error(
        "{}: given for both domains, but it has neither folders Tr1/TrainT1 and Tr2/TrainT2 nor volumes named by the domains",
        path.display()
    )]
    SamePlace {
        /// The place.
        path: PathBuf,
    },
    /// A domain has nothing to learn from.
    #[error("domain {domain}: {reason}")]
    Domain {
        /// Name of the domain.
        domain: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An output name whose extension is not that of a supported format.
    #[error("{}: cannot write this extension: use .png, .tif or (8 bit) .jpg", path.display())]
    OutputFormat {
        /// The path asked for.
        path: PathBuf,
    },
    /// The file exists and was not to be replaced.
    #[error("{}: exists already", path.display())]
    Exists {
        /// The path.
        path: PathBuf,
    },
    /// A setting with no meaning.
    #[error("{setting}: {reason}")]
    Setting {
        /// Name of the setting.
        setting: &'static str,
        /// Why it has none.
        reason: String,
    },
}

impl DataError {
    /// `problem` with the name of the file that has it.
    pub fn image(name: impl Into<String>, problem: ImageError) -> Self {
        Self::Image { name: name.into(), problem }
    }

    pub(crate) fn dicom(path: &Path, problem: DicomError) -> Self {
        Self::dicom_named(path.display().to_string(), problem)
    }

    pub(crate) fn dicom_named(name: String, problem: DicomError) -> Self {
        Self::Dicom { name, problem }
    }

    pub(crate) fn io(path: &Path, action: &'static str, reason: io::Error) -> Self {
        if reason.kind() == io::ErrorKind::NotFound {
            Self::NotFound { path: path.to_owned() }
        } else {
            Self::Io { path: path.to_owned(), action, reason }
        }
    }

    pub(crate) fn nifti(path: &Path, problem: NiftiError) -> Self {
        Self::Nifti { path: path.to_owned(), problem }
    }

    pub(crate) fn domain(domain: &str, reason: impl Into<String>) -> Self {
        Self::Domain { domain: domain.to_owned(), reason: reason.into() }
    }
}
