//! The first look at one's data: each domain's images, and what connects the domains.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use mri_data::describe::{Description, describe};
use mri_data::pairing::suspected_pairs;
use mri_data::source::{ImageRef, list_images, resolve_domains};
use serde::Serialize;

use super::count;
use crate::exit::SomeFailed;

#[derive(Serialize)]
pub(super) struct Found {
    kind: &'static str,
    path: PathBuf,
    pub(super) domains: Vec<Domain>,
    suspected_pairs: Vec<Suspicion>,
}

#[derive(Serialize)]
pub(super) struct Domain {
    pub(super) name: String,
    #[serde(flatten)]
    pub(super) description: Description,
    #[serde(skip)]
    pub(super) images: Vec<ImageRef>,
}

/// Two domains with images that seem to show the same slice of the same head.
#[derive(Serialize)]
struct Suspicion {
    domains: [String; 2],
    pairs: Vec<PairOfPaths>,
}

#[derive(Serialize)]
struct PairOfPaths {
    paths: [String; 2],
    nmi: f64,
}

/// Named pairs in the words; the JSON has all.
const PAIRS_SHOWN: usize = 5;
/// Unreadable and near-blank files named in the words; the JSON has all.
const PATHS_SHOWN: usize = 10;

pub(super) fn look(path: &Path) -> anyhow::Result<Found> {
    if path.is_file() {
        let images = list_images(path)?;
        if let [only] = images.as_slice() {
            only.read()?; // one image that cannot be read is a failure, not a finding
        }
    }
    let domains: Vec<Domain> = domains(path)?
        .into_iter()
        .map(|(name, images)| Domain { name, description: describe(&images), images })
        .collect();
    let suspected_pairs = suspicions(&domains);
    Ok(Found { kind: "images", path: path.to_path_buf(), domains, suspected_pairs })
}

/// The two domains of the public layout, or else each folder that holds images.
fn domains(path: &Path) -> anyhow::Result<Vec<(String, Vec<ImageRef>)>> {
    if let Ok((t1, t2)) = resolve_domains(path, path) {
        return Ok(vec![("t1".into(), t1), ("t2".into(), t2)]);
    }
    let mut folders: BTreeMap<String, Vec<ImageRef>> = BTreeMap::new();
    for image in list_images(path)? {
        let folder = image.relative().parent().map(|folder| folder.display().to_string()).unwrap_or_default();
        folders.entry(if folder.is_empty() { ".".into() } else { folder }).or_default().push(image);
    }
    Ok(folders.into_iter().collect())
}

/// Compares every two domains; of more than three only those that lie side by side (`test/t1` and `test/t2`).
fn suspicions(domains: &[Domain]) -> Vec<Suspicion> {
    let mut suspicions = Vec::new();
    for (number, a) in domains.iter().enumerate() {
        for b in domains.iter().skip(number + 1) {
            if domains.len() > 3 && Path::new(&a.name).parent() != Path::new(&b.name).parent() {
                continue;
            }
            let thumbnails = |domain: &Domain| -> Vec<_> {
                domain.description.thumbnails.iter().map(|(_, thumbnail)| thumbnail.clone()).collect()
            };
            let path = |domain: &Domain, index: usize| {
                domain.description.thumbnails.get(index).map(|(path, _)| path.clone()).unwrap_or_default()
            };
            let pairs: Vec<_> = suspected_pairs(&thumbnails(a), &thumbnails(b))
                .into_iter()
                .map(|pair| PairOfPaths { paths: [path(a, pair.a), path(b, pair.b)], nmi: pair.nmi })
                .collect();
            if !pairs.is_empty() {
                suspicions.push(Suspicion { domains: [a.name.clone(), b.name.clone()], pairs });
            }
        }
    }
    suspicions
}

impl Found {
    /// An error where some images could not be read.
    pub(super) fn complete(&self) -> anyhow::Result<()> {
        let failed: usize = self.domains.iter().map(|domain| domain.description.unreadable.len()).sum();
        let total = failed + self.domains.iter().map(|domain| domain.description.images).sum::<usize>();
        if failed > 0 { Err(SomeFailed { failed, total }.into()) } else { Ok(()) }
    }
}

pub(super) fn words(found: &Found) -> String {
    let images: usize = found.domains.iter().map(|domain| domain.description.images).sum();
    let mut text = format!("{}: {}\n", found.path.display(), count(images, "image"));
    for domain in &found.domains {
        describe_domain(&mut text, domain);
    }
    for Suspicion { domains: [a, b], pairs } in &found.suspected_pairs {
        let _ = writeln!(
            text,
            "\n{a} and {b} look paired: {} of {a} seem to show the same slice as one of {b}",
            count(pairs.len(), "image")
        );
        for PairOfPaths { paths: [a, b], nmi } in pairs.iter().take(PAIRS_SHOWN) {
            let _ = writeln!(text, "  {a} = {b}  (normalized mutual information {nmi:.3})");
        }
        if pairs.len() > PAIRS_SHOWN {
            let _ = writeln!(text, "  and {} more (all of them with --json)", pairs.len() - PAIRS_SHOWN);
        }
    }
    text
}

fn describe_domain(text: &mut String, domain: &Domain) {
    let Domain { name, description, .. } = domain;
    // The images of PATH itself, in no folder below it, need no heading.
    let _ = if name == "." { Ok(()) } else { writeln!(text, "\n{name}") };
    let subjects = if description.subjects > 1 {
        format!(" of {} by their names", count(description.subjects, "subject"))
    } else {
        String::new()
    };
    let _ = writeln!(text, "  images      {}{subjects}", description.images);
    if description.images > 0 {
        let several =
            |number: usize| if number == description.images { String::new() } else { format!(" ({number})") };
        let sizes = description.sizes.iter().take(PATHS_SHOWN);
        let sizes =
            sizes.map(|((rows, columns), number)| format!("{columns} x {rows} px{}", several(*number)));
        let depths =
            description.bit_depths.iter().map(|(bits, number)| format!("{bits} bit{}", several(*number)));
        let _ = writeln!(text, "  sizes       {}", sizes.collect::<Vec<_>>().join(", "));
        let _ = writeln!(text, "  depth       {}", depths.collect::<Vec<_>>().join(", "));
        let intensity = &description.intensity;
        let _ = writeln!(
            text,
            "  intensity   {} to {}; mean {:.1}, median {:.1}, 99th percentile {:.1}",
            intensity.min, intensity.max, intensity.mean, intensity.median, intensity.p99
        );
        let deepest = description.bit_depths.iter().map(|(bits, _)| *bits).max().unwrap_or(8);
        let full = 2u64.pow(deepest) - 1;
        let _ = writeln!(
            text,
            "  histogram   {} 0 to {full}, square root scale",
            sparkline(&intensity.histogram)
        );
    }
    list(text, "near-blank", description.near_blank.iter().cloned());
    list(text, "unreadable", description.unreadable.iter().map(|(path, reason)| with_reason(path, reason)));
}

/// The reason, which mostly names the file already.
fn with_reason(path: &str, reason: &str) -> String {
    if reason.contains(path) { reason.to_owned() } else { format!("{path}: {reason}") }
}

fn list(text: &mut String, heading: &str, lines: impl ExactSizeIterator<Item = String>) {
    let total = lines.len();
    let _ = writeln!(text, "  {heading}  {}", if total == 0 { "none".into() } else { total.to_string() });
    for line in lines.take(PATHS_SHOWN) {
        let _ = writeln!(text, "    {line}");
    }
    if total > PATHS_SHOWN {
        let _ = writeln!(text, "    and {} more", total - PATHS_SHOWN);
    }
}

/// Counts as a line of bars, two counts a bar; the square root keeps the tissues visible beside the air.
fn sparkline(counts: &[u64]) -> String {
    const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let heights: Vec<f64> = counts.chunks(2).map(|pair| (pair.iter().sum::<u64>() as f64).sqrt()).collect();
    let highest = heights.iter().copied().fold(1.0, f64::max);
    let bar = |height: f64| BARS.get((8.0 * height / highest).ceil() as usize).copied().unwrap_or('█');
    heights.into_iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparkline_shows_what_is_there_and_leaves_empty_bins_blank() {
        assert_eq!(sparkline(&[50, 50, 0, 0, 1, 0, 25, 0]), "█ ▁▄");
        assert_eq!(sparkline(&[0, 0]), " ");
    }
}
