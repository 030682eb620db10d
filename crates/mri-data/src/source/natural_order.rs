//! Names in the order that people count: `slice 9` before `slice 10`.

use std::cmp::Ordering;

/// Compares names with runs of digits compared as numbers, and as plain text where that makes them equal.
///
/// ```
/// use mri_data::source::natural_order;
/// let mut names = ["Image #100.png", "Image #9.png", "Image #70.png"];
/// names.sort_by(|a, b| natural_order(a, b));
/// assert_eq!(names, ["Image #9.png", "Image #70.png", "Image #100.png"]);
/// ```
pub fn natural_order(a: &str, b: &str) -> Ordering {
    let (mut rest_a, mut rest_b) = (a, b);
    while !rest_a.is_empty() && !rest_b.is_empty() {
        let (run_a, run_b) = (leading_run(rest_a), leading_run(rest_b));
        let order = match (is_digits(run_a), is_digits(run_b)) {
            (true, true) => compare_numbers(run_a, run_b),
            _ => run_a.cmp(run_b),
        };
        if order != Ordering::Equal {
            return order;
        }
        rest_a = &rest_a[run_a.len()..];
        rest_b = &rest_b[run_b.len()..];
    }
    rest_a.len().cmp(&rest_b.len()).then_with(|| a.cmp(b))
}

fn is_digits(run: &str) -> bool {
    run.starts_with(|c: char| c.is_ascii_digit())
}

/// The longest start of `text` that is all digits or all other characters.
fn leading_run(text: &str) -> &str {
    let digits = is_digits(text);
    let end = text.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(text.len());
    &text[..end]
}

/// Without parsing: a run of digits may be longer than any integer.
fn compare_numbers(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}
