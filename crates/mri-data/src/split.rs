//! Which slices train and which are held out, so that neither a subject nor a neighbouring slice is on both sides.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::DataError;
use crate::manifest::{Domain, Slice};

/// How much is held out of a domain: a whole number counts, a number with a point between 0 and 1 is a fraction.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Amount {
    /// So many.
    Count(usize),
    /// This part, between 0 and 1.
    Fraction(f64),
}

/// A setting that is the same for every domain, or a table with one for each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PerDomain<T> {
    /// The same for all.
    Same(T),
    /// By the name of the domain.
    Each(BTreeMap<String, T>),
}

/// The rule of a split. In a configuration a table with `by` and the settings of the variant.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Split {
    /// Nothing is held out.
    #[default]
    None,
    /// Whole subjects: the last ones of each domain. A subject held out of one domain is held out of all.
    Subject {
        /// How many subjects of each domain.
        held_out: PerDomain<Amount>,
    },
    /// A contiguous block at the end of each subject (of each volume), in the order of the slices.
    Block {
        /// How many slices of each subject.
        held_out: PerDomain<Amount>,
    },
    /// The slices numbered `first` and above: by their names, or from 0 along the axis of a volume.
    FromSlice {
        /// Number of the first slice that is held out.
        first: PerDomain<u32>,
    },
}

/// The two sides of one domain.
#[derive(Debug, Clone)]
pub struct Parts {
    /// For training.
    pub train: Vec<Slice>,
    /// For validation or testing, never trained on.
    pub held_out: Vec<Slice>,
}

/// Splits all domains together; the parts are in the order of `domains`.
///
/// # Errors
/// [`DataError::Setting`] for an amount without meaning, [`DataError::Domain`] where a side would be left empty or a
/// slice has no number to split by.
pub fn split(domains: &[Domain], rule: &Split) -> Result<Vec<Parts>, DataError> {
    let parts: Vec<Parts> = match rule {
        Split::None => domains.iter().map(|domain| partition(domain, |_| false)).collect(),
        Split::Subject { held_out } => by_subject(domains, held_out)?,
        Split::Block { held_out } => {
            domains.iter().map(|domain| by_block(domain, held_out)).collect::<Result<_, _>>()?
        }
        Split::FromSlice { first } => {
            domains.iter().map(|domain| from_slice(domain, first)).collect::<Result<_, _>>()?
        }
    };
    for (domain, part) in domains.iter().zip(&parts) {
        if part.train.is_empty() {
            return Err(DataError::domain(&domain.name, "the split leaves no slice to train on"));
        }
        if part.held_out.is_empty() && *rule != Split::None {
            return Err(DataError::domain(&domain.name, "the split holds out no slice"));
        }
    }
    Ok(parts)
}

fn by_subject(domains: &[Domain], held_out: &PerDomain<Amount>) -> Result<Vec<Parts>, DataError> {
    let mut chosen: BTreeSet<&str> = BTreeSet::new();
    for domain in domains {
        let subjects = subjects(domain);
        if subjects.len() < 2 {
            let reason = format!(
                "all {} slices are of one subject ({}), so none can be held out: split by block",
                domain.slices.len(),
                subjects.first().copied().unwrap_or_default()
            );
            return Err(DataError::domain(&domain.name, reason));
        }
        let count = held_out.of(domain)?.of(subjects.len())?;
        chosen.extend(&subjects[subjects.len() - count..]);
    }
    Ok(domains
        .iter()
        .map(|domain| partition(domain, |slice| chosen.contains(slice.entry.subject.as_str())))
        .collect())
}

fn by_block(domain: &Domain, held_out: &PerDomain<Amount>) -> Result<Parts, DataError> {
    let amount = held_out.of(domain)?;
    let mut parts = Parts { train: Vec::new(), held_out: Vec::new() };
    for of_subject in domain.slices.chunk_by(Slice::is_of_stack_of) {
        let (train, block) = of_subject.split_at(of_subject.len() - amount.of(of_subject.len())?);
        parts.train.extend_from_slice(train);
        parts.held_out.extend_from_slice(block);
    }
    Ok(parts)
}

fn from_slice(domain: &Domain, first: &PerDomain<u32>) -> Result<Parts, DataError> {
    let first = *first.of(domain)?;
    if let Some(slice) = domain.slices.iter().find(|slice| slice.number().is_none()) {
        return Err(DataError::domain(
            &domain.name,
            format!("{} has no slice number in its name", slice.entry.path),
        ));
    }
    Ok(partition(domain, |slice| slice.number().is_some_and(|number| number >= first)))
}

fn partition(domain: &Domain, is_held_out: impl Fn(&Slice) -> bool) -> Parts {
    let (held_out, train) = domain.slices.iter().cloned().partition(|slice| is_held_out(slice));
    Parts { train, held_out }
}

/// The subjects of a domain in the order of its slices.
fn subjects(domain: &Domain) -> Vec<&str> {
    let mut subjects: Vec<&str> = domain.slices.iter().map(|slice| slice.entry.subject.as_str()).collect();
    subjects.dedup();
    subjects
}

impl Amount {
    fn of(self, total: usize) -> Result<usize, DataError> {
        match self {
            Self::Count(count) if count > 0 => Ok(count.min(total)),
            Self::Fraction(part) if part > 0.0 && part < 1.0 => Ok((part * total as f64).ceil() as usize),
            other => {
                let reason = format!("{other:?} is neither a count above 0 nor a fraction between 0 and 1");
                Err(DataError::Setting { setting: "split.held_out", reason })
            }
        }
    }
}

impl<T> PerDomain<T> {
    fn of(&self, domain: &Domain) -> Result<&T, DataError> {
        match self {
            Self::Same(value) => Ok(value),
            Self::Each(values) => values
                .get(&domain.name)
                .ok_or_else(|| DataError::domain(&domain.name, "the split gives no amount for this domain")),
        }
    }
}
