//! What can be wrong with a network's description or with the tensors offered to it.

use candle_core::Shape;

/// Why a network could not be built or filled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// A configuration value outside its range.
    #[error("{key} = {found}: expected {expected}")]
    Config {
        /// The key, as it is written in a configuration.
        key: &'static str,
        /// What is allowed.
        expected: &'static str,
        /// The value that was given.
        found: String,
    },
    /// A tensor that the network has was not offered.
    #[error("tensor {name} of shape {expected:?} is missing")]
    MissingTensor {
        /// The tensor's name.
        name: String,
        /// The shape that the network needs.
        expected: Shape,
    },
    /// A tensor was offered that the network does not have.
    #[error("tensor {name} of shape {found:?} belongs to no layer of this network")]
    UnknownTensor {
        /// The tensor's name.
        name: String,
        /// Its shape.
        found: Shape,
    },
    /// A tensor of the right name and the wrong shape.
    #[error("tensor {name}: expected shape {expected:?}, found {found:?}")]
    TensorShape {
        /// The tensor's name.
        name: String,
        /// The shape that the network needs.
        expected: Shape,
        /// The shape that was offered.
        found: Shape,
    },
    /// An image that leaves nothing for a discriminator to judge.
    #[error("an image of {height_px} x {width_px} px is too small: each side needs at least {minimum_px} px")]
    ImageTooSmall {
        /// The smallest side that works.
        minimum_px: usize,
        /// Height of the image.
        height_px: usize,
        /// Width of the image.
        width_px: usize,
    },
    /// A tensor operation failed.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

impl From<NetworkError> for candle_core::Error {
    fn from(error: NetworkError) -> Self {
        match error {
            NetworkError::Candle(error) => error,
            other => candle_core::Error::wrap(other),
        }
    }
}

/// `Ok`, or a [`NetworkError`].
pub type Result<T> = std::result::Result<T, NetworkError>;
