//! Which DICOM series of a study is meant.

use std::collections::BTreeMap;

use super::{Study, VolumeRef};
use crate::DataError;

/// Of the DICOM series of one study (one examination of one patient) takes the one that is meant, and leaves all else as it
/// is. A study of a single series needs no choice; among several, `wanted` tells it by UID, by the whole description or
/// else by a part of it, upper and lower case alike. Where that leaves none or several, the study becomes an error that
/// lists what there is.
pub(super) fn with_chosen_series(studies: Vec<Study>, wanted: &[String]) -> Vec<Result<Study, DataError>> {
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, study) in studies.iter().enumerate() {
        if let Some(key) = study_of(study) {
            groups.entry(key).or_default().push(index);
        }
    }
    let mut verdicts: Vec<Option<Verdict>> = studies.iter().map(|_| None).collect();
    for indices in groups.into_values() {
        let series: Vec<&VolumeRef> =
            indices.iter().filter_map(|&index| studies.get(index)?.volume()).collect();
        let (chosen, problem) = match choose(&series, wanted) {
            Ok(chosen) => (chosen, None),
            Err(problem) => (0, Some(problem)),
        };
        for (place, &index) in indices.iter().enumerate() {
            let verdict = if place == chosen { Verdict::Taken } else { Verdict::Left };
            if let Some(slot) = verdicts.get_mut(index) {
                *slot = Some(verdict);
            }
        }
        // The first of them stands for the study.
        if let (Some(problem), Some(slot)) =
            (problem, indices.first().and_then(|&first| verdicts.get_mut(first)))
        {
            *slot = Some(Verdict::Problem(problem));
        }
    }
    studies
        .into_iter()
        .zip(verdicts)
        .filter_map(|(study, verdict)| match verdict {
            None | Some(Verdict::Taken) => Some(Ok(study)),
            Some(Verdict::Left) => None,
            Some(Verdict::Problem(problem)) => Some(Err(problem)),
        })
        .collect()
}

enum Verdict {
    Taken,
    Left,
    Problem(DataError),
}

/// What series of one study have in common; none for what is no series.
fn study_of(study: &Study) -> Option<String> {
    let volume = study.volume()?;
    let series = volume.series()?;
    match series.study_uid() {
        // Without a UID, the folder that holds the folders of the series.
        "" => Some(volume.relative().parent()?.to_string_lossy().into_owned()),
        uid => Some(uid.to_owned()),
    }
}

/// The place of the series that is meant.
fn choose(series: &[&VolumeRef], wanted: &[String]) -> Result<usize, DataError> {
    let fields = |volume: &VolumeRef| {
        let series = volume.series();
        let text = |field: Option<&str>| field.unwrap_or_default().trim().to_lowercase();
        (text(series.map(|one| one.uid())), text(series.map(|one| one.description())))
    };
    let wanted: Vec<String> = wanted.iter().map(|one| one.trim().to_lowercase()).collect();
    let matching = |fits: &dyn Fn(&(String, String), &String) -> bool| -> Vec<usize> {
        let is_wanted = |volume: &VolumeRef| wanted.iter().any(|one| fits(&fields(volume), one));
        series.iter().enumerate().filter(|(_, volume)| is_wanted(volume)).map(|(place, _)| place).collect()
    };
    let exact = matching(&|(uid, description), one| uid == one || description == one);
    let part = matching(&|(_, description), one| description.contains(one.as_str()));
    let candidates = match (wanted.is_empty(), exact.is_empty()) {
        (true, _) => (0..series.len()).collect(),
        (false, false) => exact,
        (false, true) => part,
    };
    match candidates.as_slice() {
        &[only] => Ok(only),
        several => Err(DataError::SeriesChoice {
            place: series.first().map(|volume| volume.display()).unwrap_or_default(),
            found: several.len(),
            asked: !wanted.is_empty(),
            series: series.iter().map(|volume| listed(volume)).collect::<Vec<_>>().join("; "),
        }),
    }
}

/// `"t1 mprage" (1.2.840.1, 176 slices)`
fn listed(volume: &VolumeRef) -> String {
    let Some(series) = volume.series() else { return String::new() };
    let slices = series.slices().map_or_else(|| "with a fault".into(), |slices| format!("{slices} slices"));
    let description = series.description().split_whitespace().collect::<Vec<_>>().join(" ");
    format!("\"{description}\" ({}, {slices})", series.uid())
}
