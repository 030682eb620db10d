//! What is evaluated: all in memory, or read one at a time.

use crate::EvalError;
use ndarray::{ArrayView2, CowArray, Ix2};

/// What is known of the anatomy of a case: images of its shape.
#[derive(Debug, Clone, Default)]
pub struct Anatomy<'a> {
    /// A label for each pixel, as in [`tissues`](crate::tissues): 1 fluid, 2 grey matter, 3 white matter, others anything
    /// else.
    pub labels: Option<CowArray<'a, u8, Ix2>>,
    /// True in lesions; false everywhere in a case that is known to have none.
    pub lesions: Option<CowArray<'a, bool, Ix2>>,
}

/// A source, its truth and what the model made of it: three images of one shape (rows, columns).
#[derive(Debug, Clone)]
pub struct Case<'a> {
    /// Names the case in the report.
    pub name: String,
    /// Whose head it is; cases of one subject are left out together.
    pub subject: Option<String>,
    /// In units of the source range.
    pub source: ArrayView2<'a, f32>,
    /// In units of the target range.
    pub truth: ArrayView2<'a, f32>,
    /// In units of the target range.
    pub output: ArrayView2<'a, f32>,
    /// Labels and lesions, where they are known.
    pub anatomy: Anatomy<'a>,
}

/// Cases that are looked at one at a time, so that not all need be in memory.
pub trait Cases: Sync {
    /// How many.
    fn count(&self) -> usize;

    /// Names case `index`, from 0.
    fn label(&self, index: usize) -> Label<'_>;

    /// The images of case `index`.
    ///
    /// # Errors
    /// [`EvalError::Unreadable`].
    fn images(&self, index: usize) -> Result<Images<'_>, EvalError>;

    /// What is known of the anatomy of case `index`: nothing, unless a type knows more.
    ///
    /// # Errors
    /// [`EvalError::Unreadable`].
    fn anatomy(&self, _index: usize) -> Result<Anatomy<'_>, EvalError> {
        Ok(Anatomy::default())
    }
}

/// What is known of a case without its images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label<'a> {
    /// Names the case in the report.
    pub name: &'a str,
    /// Whose head it is; cases of one subject are left out together.
    pub subject: Option<&'a str>,
    /// The volume that the case is a slice of, and its place there. Cases of one volume follow each other.
    pub slice_of: Option<(&'a str, usize)>,
}

/// The images of a case, as in [`Case`].
#[derive(Debug, Clone)]
pub struct Images<'a> {
    /// In units of the source range.
    pub source: CowArray<'a, f32, Ix2>,
    /// In units of the target range.
    pub truth: CowArray<'a, f32, Ix2>,
    /// In units of the target range.
    pub output: CowArray<'a, f32, Ix2>,
}

impl Cases for [Case<'_>] {
    fn count(&self) -> usize {
        self.len()
    }

    fn label(&self, index: usize) -> Label<'_> {
        let case = &self[index];
        Label { name: &case.name, subject: case.subject.as_deref(), slice_of: None }
    }

    fn images(&self, index: usize) -> Result<Images<'_>, EvalError> {
        let case = &self[index];
        Ok(Images { source: case.source.into(), truth: case.truth.into(), output: case.output.into() })
    }

    fn anatomy(&self, index: usize) -> Result<Anatomy<'_>, EvalError> {
        let Anatomy { labels, lesions } = &self[index].anatomy;
        Ok(Anatomy {
            labels: labels.as_ref().map(|labels| labels.view().into()),
            lesions: lesions.as_ref().map(|lesions| lesions.view().into()),
        })
    }
}
