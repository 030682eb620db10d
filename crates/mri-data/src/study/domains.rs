//! The studies of two domains.

use std::path::Path;

use super::{Study, list_chosen_studies, list_studies};
use crate::DataError;
use crate::source::resolve_domains;

/// Where the studies of a domain are.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Name of the domain.
    pub domain: &'a str,
    /// File, folder or archive.
    pub path: &'a Path,
    /// Tells the series that is meant where a DICOM study has several, as in [`list_chosen_studies`].
    pub series: &'a [String],
}

/// The studies of two domains. Where both are given as the same place, images are looked for in the layout of the public set
/// ([`resolve_domains`]), DICOM series by [`Place::series`] where both have it, and other volumes by their names: those of a
/// domain have its name as a word of their path, as `sub-01_T1w.nii.gz` or `0042/t1/scan.nii` for `t1`.
///
/// # Errors
/// As [`list_chosen_studies`], also for one study alone, and [`DataError::SamePlace`] for one place where the domains cannot
/// be told apart.
pub fn list_domains(places: [Place<'_>; 2]) -> Result<[Vec<Study>; 2], DataError> {
    let [a, b] = places;
    let canonical = |path: &Path| path.canonicalize().map_err(|error| DataError::io(path, "read", error));
    if canonical(a.path)? != canonical(b.path)? {
        return Ok([chosen(a)?, chosen(b)?]);
    }
    let by_series = !a.series.is_empty() && !b.series.is_empty();
    let domains = if by_series {
        [chosen(a)?, chosen(b)?]
    } else {
        let studies = list_studies(a.path)?;
        if studies.iter().any(|study| study.image().is_some()) {
            let (a, b) = resolve_domains(a.path, b.path)?;
            return Ok([a, b].map(|images| images.into_iter().map(Study::Image).collect()));
        }
        places.map(|place| studies.iter().filter(|study| is_named(study, place.domain)).cloned().collect())
    };
    let is_in_both = |study: &Study| domains[1].iter().any(|other| other.relative() == study.relative());
    if domains.iter().any(Vec::is_empty) || domains[0].iter().any(is_in_both) {
        return Err(DataError::SamePlace { path: a.path.to_owned() });
    }
    Ok(domains)
}

fn chosen(place: Place<'_>) -> Result<Vec<Study>, DataError> {
    list_chosen_studies(place.path, place.series)?.into_iter().collect()
}

fn is_named(study: &Study, domain: &str) -> bool {
    let domain = domain.to_ascii_lowercase();
    let path = study.relative().to_string_lossy().to_ascii_lowercase();
    let mut words = path.split(|c: char| !c.is_ascii_alphanumeric());
    words.any(|word| word == domain || word.strip_suffix('w') == Some(&domain))
}
