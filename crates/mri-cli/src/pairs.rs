//! A CSV of true pairs: columns named by the two domains, an optional column `subject`, others ignored. Paths are relative
//! to the CSV.

use std::fmt;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use mri_data::image::{Image, read_image};

/// One slice in both domains, of one size.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The first domain's path as the CSV has it.
    pub name: String,
    pub subject: Option<String>,
    /// In the order of the domains.
    pub images: [Image; 2],
}

/// A line of the CSV that gave no pair.
#[derive(Debug)]
pub struct BadPair {
    pub line: u64,
    pub error: anyhow::Error,
}

impl fmt::Display for BadPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {:#}", self.line, self.error)
    }
}

/// Reads every pair that `csv` names; what is wrong with one line costs that line alone.
///
/// A CSV that cannot be read, lacks a column or names no pair at all is an error.
pub fn read_pairs(csv: &Path, domains: [&str; 2]) -> Result<Vec<std::result::Result<Pair, BadPair>>> {
    let bytes = std::fs::read(csv).with_context(|| format!("cannot read {}", csv.display()))?;
    let mut reader =
        csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(bytes.as_slice());
    let header = reader.headers().with_context(|| format!("{}: no CSV file", csv.display()))?.clone();
    let column = |name: &str| header.iter().position(|field| field == name);
    let [Some(a), Some(b)] = domains.map(column) else {
        let missing = domains.iter().find(|name| column(name).is_none()).unwrap_or(&"");
        let found = header.iter().collect::<Vec<_>>().join(", ");
        bail!("{}: no column `{missing}`; its columns are: {found}", csv.display());
    };
    let columns = Columns { width: header.len(), domains, images: [a, b], subject: column("subject") };

    let folder = csv.parent().unwrap_or(Path::new(""));
    let mut depths = [None; 2];
    let pairs: Vec<_> = reader
        .records()
        .map(|record| {
            let position = |record: &csv::StringRecord| record.position().map_or(0, csv::Position::line);
            match record {
                Ok(record) => columns
                    .read(&record, folder)
                    .and_then(|pair| check_depths(pair, &mut depths, domains))
                    .map_err(|error| BadPair { line: position(&record), error }),
                Err(error) => {
                    let line = error.position().map_or(0, csv::Position::line);
                    Err(BadPair {
                        line,
                        error: anyhow!("it is not UTF-8 text").context("cannot read the line"),
                    })
                }
            }
        })
        .collect();
    if pairs.is_empty() {
        bail!("{}: no pairs below its header", csv.display());
    }
    Ok(pairs)
}

/// The images of `csv`, all of them: the first bad line is an error.
pub fn read_images(csv: &Path, domains: &[String; 2]) -> Result<Vec<(Image, Image)>> {
    read_pairs(csv, domains.each_ref().map(String::as_str))?
        .into_iter()
        .map(|pair| match pair {
            Ok(Pair { images: [a, b], .. }) => Ok((a, b)),
            Err(BadPair { line, error }) => Err(error.context(format!("{}, line {line}", csv.display()))),
        })
        .collect()
}

/// Where a row has what.
struct Columns<'a> {
    width: usize,
    domains: [&'a str; 2],
    images: [usize; 2],
    subject: Option<usize>,
}

impl Columns<'_> {
    fn read(&self, record: &csv::StringRecord, folder: &Path) -> Result<Pair> {
        if record.len() != self.width {
            bail!("{} fields where the header has {}", record.len(), self.width);
        }
        let field = |column: usize| record.get(column).unwrap_or_default();
        let read = |domain: usize| -> Result<Image> {
            let name = field(self.images[domain]);
            if name.is_empty() {
                bail!("no {} image is named", self.domains[domain]);
            }
            Ok(read_image(&folder.join(name))?)
        };
        let images = [read(0)?, read(1)?];
        let [(rows_a, columns_a), (rows_b, columns_b)] = images.each_ref().map(|image| image.pixels.dim());
        if (rows_a, columns_a) != (rows_b, columns_b) {
            let [a, b] = self.images.map(field);
            bail!("the sizes differ: {a} is {columns_a}x{rows_a} px, {b} is {columns_b}x{rows_b} px");
        }
        let subject = self.subject.map(field).filter(|subject| !subject.is_empty());
        Ok(Pair { name: field(self.images[0]).to_owned(), subject: subject.map(str::to_owned), images })
    }
}

/// All images of a domain have the depth of its first: their grey levels are averaged together.
fn check_depths(
    pair: Pair,
    depths: &mut [Option<mri_data::image::BitDepth>; 2],
    domains: [&str; 2],
) -> Result<Pair> {
    for (domain, image) in pair.images.iter().enumerate() {
        let first = depths[domain].unwrap_or(image.depth);
        if image.depth != first {
            let (found, first) = (image.depth.bits(), first.bits());
            bail!("the {} image has {found} bits, those before it {first}", domains[domain]);
        }
    }
    *depths = pair.images.each_ref().map(|image| Some(image.depth));
    Ok(pair)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mri_data::image::{BitDepth, write_image};
    use ndarray::Array2;

    fn folder_with(csv: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let save = |name: &str, size: (usize, usize), depth| {
            let image = Image { pixels: Array2::from_elem(size, 7.0), depth };
            write_image(&folder.path().join(name), &image).unwrap();
        };
        save("a.png", (20, 30), BitDepth::Eight);
        save("b.png", (20, 30), BitDepth::Eight);
        save("small.png", (20, 29), BitDepth::Eight);
        save("deep.png", (20, 30), BitDepth::Sixteen);
        std::fs::write(folder.path().join("pairs.csv"), csv).unwrap();
        folder
    }

    fn read(csv: &str) -> Result<Vec<String>> {
        let folder = folder_with(csv);
        let pairs = read_pairs(&folder.path().join("pairs.csv"), ["t1", "t2"])?;
        let text = |pair: std::result::Result<Pair, BadPair>| match pair {
            Ok(pair) => format!("{} of {:?}", pair.name, pair.subject),
            Err(bad) => bad.to_string().replace(&format!("{}/", folder.path().display()), ""),
        };
        Ok(pairs.into_iter().map(text).collect())
    }

    #[test]
    fn columns_are_found_by_name_and_others_ignored() {
        let pairs = read("\u{feff}z, t2 ,subject,t1\n3,b.png,s-1,a.png\n4,b.png,,a.png\n").unwrap();
        assert_eq!(pairs, ["a.png of Some(\"s-1\")", "a.png of None"]);
    }

    #[test]
    fn a_bad_line_is_named_and_the_others_are_read() {
        let pairs = read(
            "t1,t2\na.png,b.png\na.png,b.png,c.png\na.png,missing.png\na.png,small.png\na.png,\na.png,deep.png\nb.png,a.png\n",
        )
        .unwrap();
        assert_eq!(pairs[0], "a.png of None");
        assert_eq!(pairs[1], "line 3: 3 fields where the header has 2");
        assert!(pairs[2].starts_with("line 4: ") && pairs[2].contains("missing.png"), "{}", pairs[2]);
        assert_eq!(pairs[3], "line 5: the sizes differ: a.png is 30x20 px, small.png is 29x20 px");
        assert_eq!(pairs[4], "line 6: no t2 image is named");
        assert_eq!(pairs[5], "line 7: the t2 image has 16 bits, those before it 8");
        assert_eq!(pairs[6], "b.png of None");
    }

    #[test]
    fn a_csv_without_the_columns_or_without_pairs_is_an_error() {
        let error = read("t1,T3\na.png,b.png\n").unwrap_err().to_string();
        assert!(error.ends_with("pairs.csv: no column `t2`; its columns are: t1, T3"), "{error}");
        let error = read("t1,t2\n").unwrap_err().to_string();
        assert!(error.ends_with("pairs.csv: no pairs below its header"), "{error}");
        let error = read("").unwrap_err().to_string();
        assert!(error.contains("no column `t1`"), "{error}");
        let error = read_pairs(Path::new("nowhere/pairs.csv"), ["t1", "t2"]).unwrap_err();
        assert!(error.to_string().contains("cannot read nowhere/pairs.csv"));
    }

    #[test]
    fn reading_all_images_stops_at_the_first_bad_line() {
        let folder = folder_with("t1,t2\na.png,b.png\na.png,small.png\n");
        let domains = ["t1".to_owned(), "t2".to_owned()];
        let csv = folder.path().join("pairs.csv");
        let error = format!("{:#}", read_images(&csv, &domains).unwrap_err());
        assert!(error.contains("pairs.csv, line 3: the sizes differ"), "{error}");
    }
}
