//! Reads `RUN/metrics.jsonl` back: what a run measured of itself.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use serde_json::Value;

/// Curves by name, the points of each in ascending order of the x value.
pub type Curves = BTreeMap<String, Vec<(f64, f64)>>;

/// The curves of a run.
#[derive(Debug, Default, PartialEq)]
pub struct History {
    /// Loss terms over images seen.
    pub losses: Curves,
    /// Validation values over epochs; nested names are joined with a space (`t1_to_t2 ssim`).
    pub validation: Curves,
    /// The signs of a collapse at the last validation, in words.
    pub collapse: Vec<String>,
}

/// Reads the metrics of a run. No file is an empty history; a last line cut short is left out; of two records of the
/// same step (a run that was resumed from an earlier checkpoint) the later counts.
pub fn read(run: &Path) -> anyhow::Result<History> {
    let path = run.join("metrics.jsonl");
    if !path.exists() {
        return Ok(History::default());
    }
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut losses: BTreeMap<String, BTreeMap<u64, f64>> = BTreeMap::new();
    let mut validation = losses.clone();
    let mut collapse = Vec::new();
    let last = text.lines().count();
    for (number, line) in (1..).zip(text.lines()) {
        let record: Value = match serde_json::from_str(line) {
            Ok(record) => record,
            Err(_) if number == last || line.trim().is_empty() => continue,
            Err(error) => anyhow::bail!("{} line {number} is no JSON: {error}", path.display()),
        };
        let at = |key: &str| record.get(key).and_then(Value::as_u64);
        if let (Some(images), Some(terms)) = (at("images").or(at("step")), record.get("loss")) {
            insert(&mut losses, "", terms, images);
        }
        if let (Some(epoch), Some(values)) = (at("epoch"), record.get("validation")) {
            insert(&mut validation, "", values, epoch);
            let signs = record.get("collapse").and_then(Value::as_array).into_iter().flatten();
            collapse = signs.filter_map(Value::as_str).map(str::to_owned).collect();
        }
    }
    Ok(History { losses: curves(losses), validation: curves(validation), collapse })
}

/// Every finite number below `value`, under its joined name.
fn insert(into: &mut BTreeMap<String, BTreeMap<u64, f64>>, name: &str, value: &Value, x: u64) {
    if let Value::Object(fields) = value {
        for (key, value) in fields {
            let name = if name.is_empty() { key.clone() } else { format!("{name} {key}") };
            insert(into, &name, value, x);
        }
    } else if let Some(number) = value.as_f64().filter(|number| number.is_finite()) {
        into.entry(name.to_owned()).or_default().insert(x, number);
    }
}

fn curves(points: BTreeMap<String, BTreeMap<u64, f64>>) -> Curves {
    let sorted = |by_x: BTreeMap<u64, f64>| by_x.into_iter().map(|(x, y)| (x as f64, y)).collect();
    points.into_iter().map(|(name, by_x)| (name, sorted(by_x))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resumed_run_with_a_cut_last_line_reads_as_one_history() {
        let run = tempfile::tempdir().unwrap();
        let lines = [
            r#"{"step":1,"epoch":1,"images":1,"loss":{"cycle":0.5,"adversarial":1.0},"lr":2e-4}"#,
            r#"{"step":2,"epoch":1,"images":2,"loss":{"cycle":9.0}}"#,
            r#"{"epoch":1,"validation":{"t1_to_t2":{"ssim":0.5},"t2_to_t1":{"ssim":null}}}"#,
            r#"{"step":2,"epoch":1,"images":2,"loss":{"cycle":0.25}}"#,
            r#"{"epoch":2,"validation":{},"collapse":["flat","far"]}"#,
            r#"{"step":3,"epo"#,
        ];
        std::fs::write(run.path().join("metrics.jsonl"), lines.join("\n")).unwrap();
        let history = read(run.path()).unwrap();
        assert_eq!(history.losses["cycle"], [(1.0, 0.5), (2.0, 0.25)]);
        assert_eq!(history.losses["adversarial"], [(1.0, 1.0)]);
        assert_eq!(history.validation["t1_to_t2 ssim"], [(1.0, 0.5)]);
        assert_eq!(history.validation.len(), 1);
        assert_eq!(history.collapse, ["flat", "far"]);
    }

    #[test]
    fn a_collapse_that_passed_is_none() {
        let run = tempfile::tempdir().unwrap();
        let lines = [r#"{"epoch":1,"validation":{},"collapse":["flat"]}"#, r#"{"epoch":2,"validation":{}}"#];
        std::fs::write(run.path().join("metrics.jsonl"), lines.join("\n")).unwrap();
        assert!(read(run.path()).unwrap().collapse.is_empty());
    }

    #[test]
    fn a_broken_line_in_the_middle_is_named() {
        let run = tempfile::tempdir().unwrap();
        std::fs::write(run.path().join("metrics.jsonl"), "{}\nnonsense\n{}\n").unwrap();
        assert!(read(run.path()).unwrap_err().to_string().contains("line 2"));
    }
}
