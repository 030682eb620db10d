//! The studies of two domains.

use std::path::Path;

use super::{Study, list_studies};
use crate::DataError;
use crate::source::resolve_domains;

/// The studies of two domains, named `names`. Where both are given as the same place, images are looked for in the layout
/// of the public set ([`resolve_domains`]), and volumes by their names: those of a domain have its name as a word of their
/// path, as `sub-01_T1w.nii.gz` or `0042/t1/scan.nii` for `t1`.
///
/// # Errors
/// As [`list_studies`], and [`DataError::SamePlace`] for one place where the domains cannot be told apart.
pub fn list_domains(names: [&str; 2], places: [&Path; 2]) -> Result<[Vec<Study>; 2], DataError> {
    let canonical = |path: &Path| path.canonicalize().map_err(|error| DataError::io(path, "read", error));
    if canonical(places[0])? != canonical(places[1])? {
        return Ok([list_studies(places[0])?, list_studies(places[1])?]);
    }
    let studies = list_studies(places[0])?;
    if studies.iter().any(|study| study.image().is_some()) {
        let (a, b) = resolve_domains(places[0], places[1])?;
        return Ok([a, b].map(|images| images.into_iter().map(Study::Image).collect()));
    }
    let of = |name: &str| -> Vec<Study> {
        let name = name.to_ascii_lowercase();
        let is_named = |study: &&Study| {
            let path = study.relative().to_string_lossy().to_ascii_lowercase();
            let mut words = path.split(|c: char| !c.is_ascii_alphanumeric());
            words.any(|word| word.strip_suffix('w').unwrap_or(word) == name || word == name)
        };
        studies.iter().filter(is_named).cloned().collect()
    };
    let domains = names.map(of);
    let is_in_both = |study: &Study| domains[1].iter().any(|other| other.relative() == study.relative());
    if domains.iter().any(Vec::is_empty) || domains[0].iter().any(is_in_both) {
        return Err(DataError::SamePlace { path: places[0].to_owned() });
    }
    Ok(domains)
}
