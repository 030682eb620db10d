//! A CSV of true pairs: columns named by the two domains, optional columns `subject`, `labels` and `lesions`, others ignored.
//! Paths are relative to the CSV and name images, or volumes on one grid.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use mri_data::image::BitDepth;
use mri_data::source::ImageRef;
use mri_data::study::{Study, VolumeRef, list_studies};

use crate::anatomy_maps::{self, AnatomyRefs};
use crate::paired_slices::PairedSlices;
use crate::translator::DataSettings;

/// The lines of a CSV. Nothing is decoded yet.
pub struct Pairs {
    csv: PathBuf,
    domains: [String; 2],
    lines: Vec<std::result::Result<Line, BadPair>>,
}

/// What one line names.
#[derive(Debug)]
pub struct Line {
    number: u64,
    /// The first domain's path as the CSV has it.
    pub name: String,
    pub subject: Option<String>,
    /// Labels and lesions, which only `evaluate` reads.
    pub anatomy: AnatomyRefs,
    sources: Sources,
}

/// Both domains of a pair, in their order.
#[derive(Debug)]
enum Sources {
    /// Number `at` of the lines of one subject that follow each other.
    Images {
        stack: Arc<[[ImageRef; 2]]>,
        at: usize,
    },
    Volumes(Box<[VolumeRef; 2]>),
}

/// A line that gave no pair.
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

impl Pairs {
    /// Lists what `csv` names; what is wrong with one line costs that line alone.
    ///
    /// A CSV that cannot be read, lacks a column or names no pair at all is an error.
    pub fn list(csv: &Path, domains: [&str; 2]) -> Result<Self> {
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
        let columns = Columns {
            width: header.len(),
            domains,
            sources: [a, b],
            subject: column("subject"),
            anatomy: anatomy_maps::COLUMNS.map(column),
        };
        let folder = csv.parent().unwrap_or(Path::new(""));
        let number = |position: Option<&csv::Position>| position.map_or(0, csv::Position::line);
        let mut lines: Vec<_> = reader
            .records()
            .map(|record| match record {
                Ok(record) => {
                    let line = number(record.position());
                    columns.line(line, &record, folder).map_err(|error| BadPair { line, error })
                }
                Err(error) => {
                    let line = number(error.position());
                    let error = anyhow!("it is not UTF-8 text").context("cannot read the line");
                    Err(BadPair { line, error })
                }
            })
            .collect();
        if lines.is_empty() {
            bail!("{}: no pairs below its header", csv.display());
        }
        stack_images(&mut lines);
        Ok(Self { csv: csv.to_owned(), domains: domains.map(str::to_owned), lines })
    }

    /// How many lines there are below the header.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// The lines that could be understood.
    pub fn good(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter_map(|line| line.as_ref().ok())
    }

    /// Reads every line in order, and says what is wrong with it.
    pub fn read_each<'a>(
        &'a self,
        settings: &'a DataSettings,
    ) -> impl Iterator<Item = std::result::Result<(&'a Line, PairedSlices), BadPair>> {
        self.read_chosen(0..self.len(), settings)
    }

    /// Reads the lines at these indices, as [`Self::read_each`] reads all.
    pub fn read_chosen<'a>(
        &'a self,
        chosen: impl Iterator<Item = usize> + 'a,
        settings: &'a DataSettings,
    ) -> impl Iterator<Item = std::result::Result<(&'a Line, PairedSlices), BadPair>> {
        let domains = self.domains.each_ref().map(String::as_str);
        let mut depths = [None; 2];
        chosen.filter_map(|index| self.lines.get(index)).map(move |line| {
            let line =
                line.as_ref().map_err(|bad| BadPair { line: bad.line, error: anyhow!("{:#}", bad.error) })?;
            let slices = line.read(settings).and_then(|slices| {
                check_depths(slices.depths(), &mut depths, domains)?;
                Ok(slices)
            });
            slices.map(|slices| (line, slices)).map_err(|error| BadPair { line: line.number, error })
        })
    }

    /// Reads every line in order; the first bad one is an error.
    pub fn read_all(
        &self,
        settings: &DataSettings,
        mut look: impl FnMut(&Line, PairedSlices) -> Result<()>,
    ) -> Result<()> {
        for read in self.read_each(settings) {
            let named = |line| format!("{}, line {line}", self.csv.display());
            let (line, slices) = read.map_err(|bad| bad.error.context(named(bad.line)))?;
            look(line, slices).with_context(|| named(line.number))?;
        }
        Ok(())
    }
}

impl Line {
    /// Whether it names volumes.
    pub fn is_of_volumes(&self) -> bool {
        matches!(self.sources, Sources::Volumes(_))
    }

    fn read(&self, settings: &DataSettings) -> Result<PairedSlices> {
        match &self.sources {
            Sources::Images { stack, at } => PairedSlices::of_images(stack, *at, settings),
            Sources::Volumes(volumes) => PairedSlices::of_volumes(volumes, settings),
        }
    }
}

/// Where a row has what.
struct Columns<'a> {
    width: usize,
    domains: [&'a str; 2],
    sources: [usize; 2],
    subject: Option<usize>,
    anatomy: [Option<usize>; 2],
}

impl Columns<'_> {
    fn line(&self, number: u64, record: &csv::StringRecord, folder: &Path) -> Result<Line> {
        if record.len() != self.width {
            bail!("{} fields where the header has {}", record.len(), self.width);
        }
        let field = |column: usize| record.get(column).unwrap_or_default();
        let study = |domain: usize| -> Result<Study> {
            let name = field(self.sources[domain]);
            if name.is_empty() {
                bail!("no {} image is named", self.domains[domain]);
            }
            let path = folder.join(name);
            let mut studies = list_studies(&path)?;
            match studies.pop() {
                Some(study) if studies.is_empty() => Ok(study),
                _ => bail!("{}: holds {} images or volumes: name one", path.display(), studies.len() + 1),
            }
        };
        let sources = match [study(0)?, study(1)?] {
            [Study::Image(a), Study::Image(b)] => Sources::Images { stack: [[a, b]].into(), at: 0 },
            [Study::Volume(a), Study::Volume(b)] => Sources::Volumes(Box::new([a, b])),
            _ => bail!("one is an image and the other a volume"),
        };
        let subject = self.subject.map(field).filter(|subject| !subject.is_empty()).map(str::to_owned);
        let anatomy =
            AnatomyRefs::list(self.anatomy.map(|column| column.map(field).unwrap_or_default()), folder)?;
        if !anatomy.is_empty() && matches!(sources, Sources::Volumes(_)) {
            bail!("`labels` and `lesions` are for images; of volumes they cannot be used");
        }
        Ok(Line { number, name: field(self.sources[0]).to_owned(), subject, anatomy, sources })
    }
}

/// Joins the images of lines that follow each other and name the same subject: each sees the others as neighbours.
fn stack_images(lines: &mut [std::result::Result<Line, BadPair>]) {
    type Read = std::result::Result<Line, BadPair>;
    let subject = |line: &Read| line.as_ref().ok().and_then(|line| line.subject.clone());
    for lines in lines.chunk_by_mut(|a, b| subject(a).is_some() && subject(a) == subject(b)) {
        let images = |line: &Read| match line.as_ref().ok().map(|line| &line.sources) {
            Some(Sources::Images { stack, at }) => stack.get(*at).cloned(),
            _ => None,
        };
        let Some(joined) = lines.iter().map(images).collect::<Option<Arc<[_]>>>() else { continue };
        for (index, line) in lines.iter_mut().flatten().enumerate() {
            line.sources = Sources::Images { stack: Arc::clone(&joined), at: index };
        }
    }
}

/// All images of a domain have the depth of its first: their grey levels are averaged together.
fn check_depths(found: [BitDepth; 2], depths: &mut [Option<BitDepth>; 2], domains: [&str; 2]) -> Result<()> {
    for (domain, found) in found.into_iter().enumerate() {
        let first = depths[domain].unwrap_or(found);
        if found == first {
            continue;
        }
        if [found, first].contains(&BitDepth::Float) {
            bail!("the {} file is of another kind, image or volume, than those before it", domains[domain]);
        }
        bail!("the {} image has {} bits, those before it {}", domains[domain], found.bits(), first.bits());
    }
    *depths = found.map(Some);
    Ok(())
}

#[cfg(test)]
mod tests;
