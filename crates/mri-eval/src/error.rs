/// Why a metric, a baseline or an evaluation could not be computed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// Two images that are compared pixel by pixel differ in shape.
    #[error("shapes differ: expected {expected:?}, found {found:?}")]
    ShapeMismatch {
        /// Shape of the truth (or of the first image).
        expected: Vec<usize>,
        /// Shape of the other one.
        found: Vec<usize>,
    },
    /// There is nothing to compute on: no pixel, no image, or a mask that selects nothing.
    #[error("{what} is empty")]
    Empty {
        /// What is empty.
        what: &'static str,
    },
    /// A pixel is NaN or infinite.
    #[error("{what} holds a value that is not finite ({value})")]
    NotFinite {
        /// Which image.
        what: &'static str,
        /// The first such value.
        value: f32,
    },
    /// The image is smaller than the windows of the metric.
    #[error("{metric} needs sides of at least {minimum_px} px, found {height_px} x {width_px}")]
    TooSmall {
        /// The metric.
        metric: &'static str,
        /// Smallest side that it accepts.
        minimum_px: usize,
        /// Rows of the image.
        height_px: usize,
        /// Columns of the image.
        width_px: usize,
    },
    /// A declared intensity range is empty, reversed or not finite.
    #[error("an intensity range needs finite bounds with min < max, found {min}..{max}")]
    BadRange {
        /// Declared minimum.
        min: f32,
        /// Declared maximum.
        max: f32,
    },
    /// The formula has no value for this input (0/0), for example the correlation with a constant image.
    #[error("{metric} is undefined: {reason}")]
    Undefined {
        /// The metric.
        metric: &'static str,
        /// What makes it so.
        reason: &'static str,
    },
    /// An image could not be read.
    #[error("{reason}")]
    Unreadable {
        /// Why, in one line.
        reason: String,
    },
    /// An error in one case of an evaluation.
    #[error("case {name}: {source}")]
    InCase {
        /// Name of the case.
        name: String,
        /// What went wrong with it.
        source: Box<EvalError>,
    },
}
