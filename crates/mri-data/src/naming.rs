//! Who and where a slice is, read from its name.

use std::path::Path;

/// Words that a subject's label follows: `sub-01` (BIDS), `subject-003`, `patient 12`, `case_7`.
const SUBJECT_WORDS: [&str; 7] = ["subject", "subj", "sub", "patient", "pat", "case", "pt"];
/// Folders that tell the contrast and not the subject.
const CONTRASTS: [&str; 10] = ["t1", "t2", "t1w", "t2w", "t1ce", "t1c", "t1gd", "pd", "flair", "anat"];
/// How names of volumes end.
const VOLUME_ENDINGS: [&str; 7] = [".nii.gz", ".nii", ".hdr.gz", ".hdr", ".img.gz", ".img", ".dcm"];

/// The subject and slice number that the name of an image tells.
///
/// The subject is a labelled part of the path (`sub-01`, `subject-003_slice-041`, `patient12/5.png`). Without one, all
/// images of a folder are one subject, named by the folders (those that name a contrast aside) or else by `folder`, the
/// folder that the image lies in. The slice is the last number of the file name that is not the subject's.
///
/// ```
/// use mri_data::naming::subject_and_slice;
/// use std::path::Path;
/// assert_eq!(subject_and_slice(Path::new("sub-01/anat/sub-01_slice-041_T1w.png"), ""), ("sub-01".into(), Some(41)));
/// assert_eq!(subject_and_slice(Path::new("Image #48.png"), "TrainT1"), ("TrainT1".into(), Some(48)));
/// ```
pub fn subject_and_slice(relative: &Path, folder: &str) -> (String, Option<u32>) {
    let stem = relative.file_stem().unwrap_or_default().to_string_lossy();
    let folders: Vec<String> = relative
        .parent()
        .map(|parent| parent.iter().map(|part| part.to_string_lossy().into_owned()).collect())
        .unwrap_or_default();
    let in_stem = labelled_subject(&stem);
    let subject = match &in_stem {
        Some((subject, _)) => subject.clone(),
        None => folders.iter().rev().find_map(|part| labelled_subject(part)).map_or_else(
            || {
                let is_contrast = |part: &str| CONTRASTS.contains(&part.to_ascii_lowercase().as_str());
                let telling: Vec<_> = folders.iter().filter(|part| !is_contrast(part)).cloned().collect();
                if telling.is_empty() { folder.to_owned() } else { telling.join("/") }
            },
            |(subject, _)| subject,
        ),
    };
    let rest = in_stem.map_or_else(|| stem.to_string(), |(_, rest)| rest);
    (subject, slice_number(&rest))
}

/// The subject that the name of a volume tells: a labelled part of the path (`sub-01`), or else the name of the file without
/// its extension and without words for a contrast, after the folders that do not name one. `folder` is the folder that the
/// volume lies in, for names that tell only the contrast.
///
/// ```
/// use mri_data::naming::volume_subject;
/// use std::path::Path;
/// assert_eq!(volume_subject(Path::new("sub-01/anat/sub-01_ses-2_T1w.nii.gz"), ""), "sub-01");
/// assert_eq!(volume_subject(Path::new("IXI002-Guys-0828-T1.nii.gz"), "t1"), "IXI002-Guys-0828");
/// assert_eq!(volume_subject(Path::new("T1.nii.gz"), "0042"), "0042");
/// ```
pub fn volume_subject(relative: &Path, folder: &str) -> String {
    let parts: Vec<String> = relative.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let Some((name, folders)) = parts.split_last() else { return folder.to_owned() };
    let lower = name.to_ascii_lowercase();
    let ending =
        VOLUME_ENDINGS.iter().find(|ending| lower.ends_with(*ending)).map_or(0, |ending| ending.len());
    let stem = &name[..name.len() - ending];
    let labelled = std::iter::once(stem).chain(folders.iter().rev().map(String::as_str));
    if let Some((subject, _)) = labelled.into_iter().find_map(labelled_subject) {
        return subject;
    }
    let tells = |word: &&str| !CONTRASTS.contains(&word.to_ascii_lowercase().as_str());
    let words: Vec<&str> =
        stem.split(['-', '_', ' ', '.']).filter(|word| !word.is_empty()).filter(tells).collect();
    let mut telling: Vec<&str> = folders.iter().map(String::as_str).filter(tells).collect();
    let words = words.join("-");
    if !words.is_empty() {
        telling.push(&words);
    }
    if telling.is_empty() { folder.to_owned() } else { telling.join("/") }
}

/// A labelled subject, as `word-label`, and the text without it.
fn labelled_subject(text: &str) -> Option<(String, String)> {
    let lower = text.to_ascii_lowercase();
    for word in SUBJECT_WORDS {
        for (start, _) in lower.match_indices(word) {
            let begins = !lower[..start].ends_with(|c: char| c.is_ascii_alphanumeric());
            let after = &text[start + word.len()..];
            let unlabelled = after.trim_start_matches(['-', '_', ' ', '#']);
            let separator = after.len() - unlabelled.len();
            let label: &str = &unlabelled
                [..unlabelled.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(unlabelled.len())];
            let dashed = after.starts_with('-') && !label.is_empty();
            let numbered = separator <= 2 && label.starts_with(|c: char| c.is_ascii_digit());
            if begins && (dashed || numbered) {
                let end = start + word.len() + separator + label.len();
                return Some((format!("{word}-{label}"), format!("{} {}", &text[..start], &text[end..])));
            }
        }
    }
    None
}

/// The last number in `text`, names of contrasts (`T1w`) aside.
fn slice_number(text: &str) -> Option<u32> {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .rev()
        .filter(|token| !CONTRASTS.contains(&token.to_ascii_lowercase().as_str()))
        .find_map(last_digits)
        .and_then(|digits| digits.parse().ok())
}

fn last_digits(token: &str) -> Option<&str> {
    let end = token.rfind(|c: char| c.is_ascii_digit())? + 1;
    let start = token[..end].rfind(|c: char| !c.is_ascii_digit()).map_or(0, |before| before + 1);
    Some(&token[start..end])
}
