//! One case after the other: the output of the model and of each baseline against the truth.

use super::anatomy::{Anatomies, KnownAnatomy};
use super::fits::Fits;
use super::{Cases, Direction, Images, Label};
use crate::EvalError;
use crate::baselines::{ToneCurve, copy, invert};
use crate::flicker::{MeanErrors, mean_error};
use crate::foreground::Regions;
use crate::lesions::{self, LesionFindings, LesionReport};
use crate::report::{Baselines, CaseReport};
use crate::scores::{Scores, score};
use crate::tissues::{TissueReport, Tissues};
use ndarray::{ArrayView2, CowArray, Ix2};

/// What every case is judged by.
pub(super) struct Judge<'a, C: ?Sized> {
    pub(super) direction: &'a Direction,
    pub(super) cases: &'a C,
    pub(super) groups: &'a [usize],
    pub(super) fits: &'a Fits<'a>,
    pub(super) anatomies: &'a Anatomies,
}

/// One output against its truth.
pub(super) struct Judged {
    scores: Scores<Option<f64>>,
    /// Over the foreground, as a fraction of the range.
    mean_error: Option<f64>,
    lesions: Option<LesionFindings>,
    dice: Option<Tissues<Option<f64>>>,
}

/// All outputs of one case.
pub(super) struct JudgedCase {
    pub(super) index: usize,
    model: Judged,
    /// `None` where one could not be fitted or found.
    baselines: Baselines<Option<Judged>>,
    /// Of the true image.
    dice_ceiling: Option<Tissues<Option<f64>>>,
    searched_px: usize,
}

impl<C: Cases + ?Sized> Judge<'_, C> {
    pub(super) fn case(&self, index: usize) -> Result<JudgedCase, EvalError> {
        let Images { source, truth, output } = self.cases.images(index)?;
        let (source, truth) = (source.view(), truth.view());
        let regions = match Regions::of(truth) {
            Ok(regions) => Some(regions),
            Err(EvalError::Undefined { .. }) => None,
            Err(error) => return Err(error),
        };
        let regions = regions.as_ref();
        let group = self.groups[index];
        let known = self.cases.anatomy(index)?;
        let anatomy = self.anatomies.of(index, group, truth, &known, regions)?;
        let outputs = self.baselines(source, group);
        let judge = |output: ArrayView2<'_, f32>| self.output(output, truth, regions, &anatomy);
        let judge_fitted =
            |output: Option<CowArray<'_, f32, Ix2>>| output.map(|output| judge(output.view())).transpose();
        Ok(JudgedCase {
            index,
            model: judge(output.view())?,
            baselines: outputs.map(judge_fitted).transpose()?,
            dice_ceiling: anatomy.dice_of(truth)?,
            searched_px: anatomy.searched_px(),
        })
    }

    fn baselines<'s>(
        &'s self,
        source: ArrayView2<'s, f32>,
        group: usize,
    ) -> Baselines<Option<CowArray<'s, f32, Ix2>>> {
        let Direction { source_range, target_range, .. } = *self.direction;
        let tone = |curve: &Option<ToneCurve>| curve.as_ref().map(|curve| curve.apply(source).into());
        Baselines {
            copy: Some(copy(source, source_range, target_range).into()),
            invert: Some(invert(source, source_range, target_range).into()),
            histogram: tone(&self.fits.histogram[group]),
            lut: tone(&self.fits.lut[group]),
            retrieval: self.fits.retrieve(source, group).map(CowArray::from),
        }
    }

    fn output(
        &self,
        output: ArrayView2<'_, f32>,
        truth: ArrayView2<'_, f32>,
        regions: Option<&Regions>,
        anatomy: &KnownAnatomy<'_>,
    ) -> Result<Judged, EvalError> {
        let range = self.direction.target_range;
        let scores = score(output, truth, regions, range)?;
        let error =
            regions.map(|regions| mean_error(output, truth, regions.foreground.view())).transpose()?;
        Ok(Judged {
            scores,
            mean_error: error.map(|error| error / range.width()),
            lesions: anatomy.lesions_in(output)?,
            dice: anatomy.dice_of(output)?,
        })
    }

    /// Of the cases with a mask of lesions; `None` where none has.
    pub(super) fn lesions(&self, judged: &[JudgedCase]) -> Option<LesionReport> {
        let with_mask = judged.iter().filter_map(|case| {
            Some(lesions::JudgedCase {
                index: case.index,
                name: self.cases.label(case.index).name,
                lesions: self.anatomies.lesions[case.index].as_deref()?,
                searched_px: case.searched_px,
                model: case.model.lesions.as_ref()?,
                baselines: case.baselines.as_ref().map(|judged| judged.as_ref()?.lesions.as_ref()),
            })
        });
        let with_mask: Vec<_> = with_mask.collect();
        (!with_mask.is_empty()).then(|| lesions::report(&with_mask, self.anatomies.typical))
    }
}

impl JudgedCase {
    pub(super) fn report(&self, Label { name, subject, .. }: Label<'_>) -> CaseReport {
        CaseReport {
            name: name.to_owned(),
            subject: subject.map(str::to_owned),
            model: self.model.scores.clone(),
            baselines: self
                .baselines
                .as_ref()
                .map(|judged| judged.as_ref().map(|judged| judged.scores.clone())),
        }
    }

    pub(super) fn mean_errors(&self) -> MeanErrors {
        MeanErrors {
            model: self.model.mean_error,
            baselines: self.baselines.as_ref().map(|judged| judged.as_ref()?.mean_error),
        }
    }
}

/// Of the cases with labels; `None` where none has, or where there was nothing to take the classes from.
pub(super) fn tissues(judged: &[JudgedCase], fitted_on: &str) -> Option<TissueReport> {
    let ceiling: Vec<_> = judged.iter().map(|case| case.dice_ceiling).collect();
    let model: Vec<_> = judged.iter().map(|case| case.model.dice).collect();
    let baselines: Vec<_> = judged.iter().map(|case| &case.baselines).collect();
    Some(TissueReport {
        cases: ceiling.iter().flatten().count(),
        fitted_on: fitted_on.to_owned(),
        ceiling: Tissues::of(&ceiling)?,
        model: Tissues::of(&model)?,
        baselines: Baselines::gather(&baselines, |of_cases| {
            let dice: Vec<_> = of_cases.iter().map(|judged| judged.as_ref()?.dice).collect();
            Tissues::of(&dice)
        }),
    })
}
