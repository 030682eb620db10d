use std::path::PathBuf;

/// What can go wrong while training or while reading and writing checkpoints.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A tensor operation failed.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
    /// A network or its parameters could not be built.
    #[error(transparent)]
    Network(#[from] mri_unet::NetworkError),
    /// A loss term became infinite or not a number. It is found when losses are read: the model in memory may have gone
    /// some steps further, so go on from a checkpoint.
    #[error(
        "step {step}: loss term `{term}` is {value}; training stopped; a checkpoint written before is intact"
    )]
    NonFinite {
        /// Step that failed, counted from 1.
        step: u64,
        /// Name of the loss term.
        term: &'static str,
        /// The value: infinite or NaN.
        value: f32,
    },
    /// A setting is out of its range.
    #[error("setting {key}: {problem}")]
    Setting {
        /// Name of the setting, as in the configuration file.
        key: &'static str,
        /// What is wrong with its value.
        problem: String,
    },
    /// The source of training batches failed or gave none.
    #[error("training data: {0}")]
    Data(String),
    /// The validation or an observer failed.
    #[error(transparent)]
    Outside(Box<dyn std::error::Error + Send + Sync>),
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A file is not a whole safetensors file.
    #[error("{}: not a whole safetensors file: {source}", path.display())]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: safetensors::SafeTensorError,
    },
    /// A file is a safetensors file, but not one of ours, or not one that fits.
    #[error("{}: {problem}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        problem: String,
    },
}

/// Result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn io(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Error + '_ {
        move |source| Error::Io { path: path.to_path_buf(), source }
    }

    pub(crate) fn checkpoint(path: &std::path::Path, problem: impl Into<String>) -> Error {
        Error::Checkpoint { path: path.to_path_buf(), problem: problem.into() }
    }
}
