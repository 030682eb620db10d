//! What the truth says of lesions and tissues, before any output is looked at.

use super::{Anatomy, Cases, Direction, in_case};
use crate::EvalError;
use crate::foreground::Regions;
use crate::lesions::{Lesion, LesionFindings, SearchArea, TypicalLesion, find_lesions};
use crate::tissues::{Classifier, GreyValues, Tissues};
use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

/// Of all cases of a direction.
pub(super) struct Anatomies {
    /// Of each case that has a mask.
    pub(super) lesions: Vec<Option<Vec<Lesion>>>,
    pub(super) typical: Option<TypicalLesion>,
    /// For each group of cases, made from the true images of the others; `None` where there are none.
    classifiers: Vec<Option<Classifier>>,
}

impl Anatomies {
    /// Looks at the truth of every case that has labels or lesions.
    pub(super) fn new(
        direction: &Direction,
        cases: &(impl Cases + ?Sized),
        groups: &[usize],
    ) -> Result<Self, EvalError> {
        let look = |index: usize| -> Result<(Option<Vec<Lesion>>, GreyValues), EvalError> {
            let Anatomy { labels, lesions } = cases.anatomy(index)?;
            let mut grey_values = GreyValues::default();
            if labels.is_none() && lesions.is_none() {
                return Ok((None, grey_values));
            }
            let truth = cases.images(index)?.truth;
            let labels = labels.as_ref().map(|labels| labels.view());
            if let Some(labels) = labels {
                grey_values.add(truth.view(), labels)?;
            }
            let find =
                |mask: ArrayView2<'_, bool>| find_lesions(truth.view(), mask, labels, direction.target_range);
            Ok((lesions.map(|mask| find(mask.view())).transpose()?, grey_values))
        };
        let looked = (0..cases.count())
            .into_par_iter()
            .map(|index| look(index).map_err(|error| in_case(cases, index, error)))
            .collect::<Result<Vec<_>, _>>()?;
        let (lesions, grey_values): (Vec<_>, Vec<_>) = looked.into_iter().unzip();
        let of_others = |group: usize| {
            let mut others = GreyValues::default();
            let of_others = grey_values.iter().zip(groups).filter(|(_, own)| **own != group);
            of_others.for_each(|(values, _)| others.join(values));
            others.classifier(direction.target_range)
        };
        let count = groups.iter().max().map_or(0, |last| last + 1);
        Ok(Self {
            typical: TypicalLesion::of(lesions.iter().flatten().flatten()),
            classifiers: (0..count).into_par_iter().map(of_others).collect(),
            lesions,
        })
    }

    /// What outputs of case `index` are to be compared with.
    pub(super) fn of<'a>(
        &'a self,
        index: usize,
        group: usize,
        truth: ArrayView2<'a, f32>,
        anatomy: &'a Anatomy<'_>,
        regions: Option<&Regions>,
    ) -> Result<KnownAnatomy<'a>, EvalError> {
        let nothing = Array2::from_elem(truth.dim(), false);
        let head = regions.map_or(&nothing, |regions| &regions.foreground);
        let search = |(mask, typical): (ArrayView2<'_, bool>, TypicalLesion)| {
            SearchArea::new(truth, mask, head.view(), typical)
        };
        let mask = anatomy.lesions.as_ref().map(|mask| mask.view());
        Ok(KnownAnatomy {
            lesions: self.lesions[index].as_deref(),
            search: mask.zip(self.typical).map(search).transpose()?,
            tissues: self.classifiers[group]
                .as_ref()
                .zip(anatomy.labels.as_ref().map(|labels| labels.view())),
        })
    }
}

/// Of one case.
pub(super) struct KnownAnatomy<'a> {
    lesions: Option<&'a [Lesion]>,
    search: Option<SearchArea<'a>>,
    tissues: Option<(&'a Classifier, ArrayView2<'a, u8>)>,
}

impl KnownAnatomy<'_> {
    pub(super) fn lesions_in(
        &self,
        output: ArrayView2<'_, f32>,
    ) -> Result<Option<LesionFindings>, EvalError> {
        let Some(lesions) = self.lesions else { return Ok(None) };
        let clear = lesions.iter().filter(|lesion| lesion.is_clear);
        Ok(Some(LesionFindings {
            kept: clear.map(|lesion| lesion.contrast_in(output) / lesion.contrast).collect(),
            spots: self.search.as_ref().map(|search| search.spots(output)).transpose()?,
        }))
    }

    pub(super) fn dice_of(
        &self,
        output: ArrayView2<'_, f32>,
    ) -> Result<Option<Tissues<Option<f64>>>, EvalError> {
        self.tissues.as_ref().map(|(classifier, labels)| classifier.dice(output, *labels)).transpose()
    }

    pub(super) fn searched_px(&self) -> usize {
        self.search.as_ref().map_or(0, SearchArea::area_px)
    }
}
