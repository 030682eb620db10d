//! Lesions over all cases of a direction.

use super::{CLEAR_FRACTION, CLEAR_STANDARD_ERRORS, ERASED_BELOW, INVENTED_ABOVE, MIN_LESION_PX};
use super::{Lesion, Spot, TypicalLesion, median};
use crate::report::Baselines;
use serde::{Serialize, Serializer};

/// What became of the lesions, by the model and by the baselines.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LesionReport {
    /// Cases with a mask of lesions, be it empty.
    pub cases: usize,
    /// Lesions that are judged.
    pub judged: usize,
    /// Lesions left out, as their contrast in the truth is too small to have a sign.
    pub unclear: usize,
    /// Of those that are judged; `None` where there is none.
    pub typical: Option<TypicalLesion>,
    /// Pixels that were searched for inventions.
    pub searched_px: usize,
    /// What the counts go by.
    pub thresholds: Thresholds,
    /// The model's outputs.
    pub model: LesionScores,
    /// The baselines' outputs.
    pub baselines: Baselines<Option<LesionScores>>,
    /// Every lesion that is judged.
    pub each: Vec<LesionOutcome>,
    /// Every spot that the model invented.
    pub invented: Vec<SpotOutcome>,
}

/// The constants of [`lesions`](crate::lesions) that the counts go by.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Thresholds {
    min_lesion_px: usize,
    clear_standard_errors: f64,
    clear_fraction_of_range: f64,
    erased_below: f64,
    invented_above: f64,
}

const THRESHOLDS: Thresholds = Thresholds {
    min_lesion_px: MIN_LESION_PX,
    clear_standard_errors: CLEAR_STANDARD_ERRORS,
    clear_fraction_of_range: CLEAR_FRACTION,
    erased_below: ERASED_BELOW,
    invented_above: INVENTED_ABOVE,
};

/// Of one method.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LesionScores {
    /// Median over lesions of the contrast in the output over that in the truth; `None` without lesions.
    pub contrast_kept: Option<f64>,
    /// Lesions that are bright where they should be and dark where they should be.
    pub sign_kept: Share,
    /// Lesions with less than [`ERASED_BELOW`] of their contrast left.
    pub erased: Share,
    /// Spots that the truth has not; `None` without lesions to measure by.
    pub invented: Option<usize>,
}

/// Some of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// How many.
    pub count: usize,
    /// Of how many.
    pub of: usize,
}

impl Share {
    /// 0 to 1; `None` of nothing.
    pub fn share(&self) -> Option<f64> {
        (self.of > 0).then(|| self.count as f64 / self.of as f64)
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Fields {
            count: usize,
            share: Option<f64>,
        }
        Fields { count: self.count, share: self.share() }.serialize(serializer)
    }
}

/// A lesion with what is left of its contrast.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LesionOutcome {
    /// Index of its case.
    #[serde(skip)]
    pub index: usize,
    /// Name of its case.
    pub case: String,
    /// Row of its middle.
    pub row: usize,
    /// Column of its middle.
    pub column: usize,
    /// How many pixels it has.
    pub area_px: usize,
    /// In the truth, in units of the images.
    pub contrast: f64,
    /// Contrast in the model's output over that in the truth.
    pub model: f64,
    /// The same of the baselines' outputs.
    pub baselines: Baselines<Option<f64>>,
}

/// A spot that the model invented.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SpotOutcome {
    /// Index of its case.
    #[serde(skip)]
    pub index: usize,
    /// Name of its case.
    pub case: String,
    /// Where, and how much.
    #[serde(flatten)]
    pub spot: Spot,
}

/// What one output made of the lesions of one case.
#[derive(Debug, Clone)]
pub(crate) struct LesionFindings {
    /// Contrast kept of each clear lesion.
    pub(crate) kept: Vec<f64>,
    pub(crate) spots: Option<Vec<Spot>>,
}

/// A case with a mask of lesions.
pub(crate) struct JudgedCase<'a> {
    pub(crate) index: usize,
    pub(crate) name: &'a str,
    pub(crate) lesions: &'a [Lesion],
    pub(crate) searched_px: usize,
    pub(crate) model: &'a LesionFindings,
    pub(crate) baselines: Baselines<Option<&'a LesionFindings>>,
}

pub(crate) fn report(cases: &[JudgedCase<'_>], typical: Option<TypicalLesion>) -> LesionReport {
    let model: Vec<_> = cases.iter().map(|case| Some(case.model)).collect();
    let baselines: Vec<_> = cases.iter().map(|case| &case.baselines).collect();
    let each = |case: &JudgedCase<'_>| {
        let clear = case.lesions.iter().filter(|lesion| lesion.is_clear).enumerate();
        let outcomes = clear.map(|(place, lesion)| LesionOutcome {
            index: case.index,
            case: case.name.to_owned(),
            row: lesion.centre.0,
            column: lesion.centre.1,
            area_px: lesion.area_px(),
            contrast: lesion.contrast,
            model: case.model.kept[place],
            baselines: case.baselines.clone().map(|findings| findings.map(|findings| findings.kept[place])),
        });
        outcomes.collect::<Vec<_>>()
    };
    let each: Vec<_> = cases.iter().flat_map(each).collect();
    let spots = |case: &JudgedCase<'_>| {
        let outcome =
            |spot: &Spot| SpotOutcome { index: case.index, case: case.name.to_owned(), spot: *spot };
        case.model.spots.iter().flatten().map(outcome).collect::<Vec<_>>()
    };
    LesionReport {
        cases: cases.len(),
        judged: each.len(),
        unclear: cases.iter().flat_map(|case| case.lesions).filter(|lesion| !lesion.is_clear).count(),
        typical,
        searched_px: cases.iter().map(|case| case.searched_px).sum(),
        thresholds: THRESHOLDS,
        model: scores(&model).unwrap_or(LesionScores::NONE),
        baselines: Baselines::gather(&baselines, |of| scores(&of.into_iter().copied().collect::<Vec<_>>())),
        each,
        invented: cases.iter().flat_map(spots).collect(),
    }
}

/// Over the cases that the method has an output for; `None` where it has none.
fn scores(cases: &[Option<&LesionFindings>]) -> Option<LesionScores> {
    let found: Vec<_> = cases.iter().copied().flatten().collect();
    let kept: Vec<f64> = found.iter().flat_map(|findings| &findings.kept).copied().collect();
    let share =
        |is: fn(&f64) -> bool| Share { count: kept.iter().filter(|kept| is(kept)).count(), of: kept.len() };
    let spots: Vec<usize> =
        found.iter().filter_map(|findings| Some(findings.spots.as_ref()?.len())).collect();
    (!found.is_empty()).then(|| LesionScores {
        contrast_kept: median(kept.iter().copied()),
        sign_kept: share(|kept| *kept > 0.0),
        erased: share(|kept| kept.abs() < ERASED_BELOW),
        invented: (!spots.is_empty()).then(|| spots.iter().sum()),
    })
}

impl LesionScores {
    const NONE: Self = Self {
        contrast_kept: None,
        sign_kept: Share { count: 0, of: 0 },
        erased: Share { count: 0, of: 0 },
        invented: None,
    };
}
