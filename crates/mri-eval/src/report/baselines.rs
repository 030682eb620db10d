//! One value per baseline.

use serde::Serialize;

/// One value per baseline.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Baselines<T> {
    /// [`copy`](crate::baselines::copy) of the source.
    pub copy: T,
    /// [`invert`](crate::baselines::invert)ed source.
    pub invert: T,
    /// [`fit_histogram_match`](crate::baselines::fit_histogram_match), unpaired.
    pub histogram: T,
    /// [`LookupFit`](crate::baselines::LookupFit), an oracle that saw training pairs.
    pub lut: T,
    /// Partner of the [`nearest`](crate::baselines::nearest) training source, an oracle too.
    pub retrieval: T,
}

impl<T> Baselines<T> {
    /// What `of` makes of each.
    pub fn map<U>(self, mut of: impl FnMut(T) -> U) -> Baselines<U> {
        Baselines {
            copy: of(self.copy),
            invert: of(self.invert),
            histogram: of(self.histogram),
            lut: of(self.lut),
            retrieval: of(self.retrieval),
        }
    }

    /// References to each.
    pub fn as_ref(&self) -> Baselines<&T> {
        Baselines {
            copy: &self.copy,
            invert: &self.invert,
            histogram: &self.histogram,
            lut: &self.lut,
            retrieval: &self.retrieval,
        }
    }

    /// For each baseline, what `of` makes of its values in all of `many`.
    pub fn gather<U>(many: &[&Baselines<T>], of: impl Fn(Vec<&T>) -> U) -> Baselines<U> {
        let all = |value: fn(&Baselines<T>) -> &T| of(many.iter().map(|one| value(one)).collect());
        Baselines {
            copy: all(|one| &one.copy),
            invert: all(|one| &one.invert),
            histogram: all(|one| &one.histogram),
            lut: all(|one| &one.lut),
            retrieval: all(|one| &one.retrieval),
        }
    }

    /// In the order of the report, with their names.
    pub fn named(self) -> [(&'static str, T); 5] {
        [
            ("copy", self.copy),
            ("invert", self.invert),
            ("histogram", self.histogram),
            ("lut", self.lut),
            ("retrieval", self.retrieval),
        ]
    }
}

impl<T, E> Baselines<Result<T, E>> {
    /// The values, or the first error.
    pub fn transpose(self) -> Result<Baselines<T>, E> {
        Ok(Baselines {
            copy: self.copy?,
            invert: self.invert?,
            histogram: self.histogram?,
            lut: self.lut?,
            retrieval: self.retrieval?,
        })
    }
}
