//! Pictures of the lesions that are furthest from the truth, and of what was invented.

use std::fmt::Write;

use anyhow::Result;
use mri_data::scratch::Kept;
use ndarray::{ArrayView2, s};

use super::{Evaluation, data_uri};
use crate::pictures::{Role, Tile, grey, sheet};

/// Pictures of so many lesions, and of so many spots, in each direction at most.
const MOST_PICTURES: usize = 6;

/// Side of a picture, in pixels of the image.
const SIDE_PX: usize = 48;

/// How many times a picture is enlarged.
const ENLARGED: u32 = 3;

/// A place in a case, with what is said of it.
struct Finding {
    index: usize,
    row: usize,
    column: usize,
    said: String,
}

/// Nothing where no case has a mask of lesions.
pub(super) fn pictures(evaluation: &Evaluation) -> Result<String> {
    let mut html = String::new();
    for (direction, (from, to)) in evaluation.report.directions.iter().zip([(0, 1), (1, 0)]) {
        let Some(lesions) = &direction.lesions else { continue };
        let mut worst: Vec<_> = lesions.each.iter().collect();
        worst.sort_by(|a, b| (b.model - 1.0).abs().total_cmp(&(a.model - 1.0).abs()));
        let worst = worst.iter().map(|lesion| Finding {
            index: lesion.index,
            row: lesion.row,
            column: lesion.column,
            said: format!("kept {:.2}", lesion.model),
        });
        let mut strongest: Vec<_> = lesions.invented.iter().collect();
        strongest.sort_by(|a, b| b.spot.deviation.abs().total_cmp(&a.spot.deviation.abs()));
        let invented = strongest.iter().map(|outcome| Finding {
            index: outcome.index,
            row: outcome.spot.row,
            column: outcome.spot.column,
            said: "invented".into(),
        });
        let shown: Vec<_> = worst.take(MOST_PICTURES).chain(invented.take(MOST_PICTURES)).collect();
        if shown.is_empty() {
            continue;
        }
        let rows =
            shown.iter().map(|finding| row(evaluation, finding, from, to)).collect::<Result<Vec<_>>>()?;
        let (a, b) = (&direction.direction.from, &direction.direction.to);
        writeln!(
            html,
            "<h3>{a} to {b}: the lesions furthest from the truth, and what is invented</h3>\n\
             <p>Source, synthetic with the contrast kept, true; the place is in the middle.</p>\n<img alt=\"lesions\" src=\"{}\">",
            data_uri(&sheet("", rows))?
        )?;
    }
    Ok(html)
}

fn row(evaluation: &Evaluation, finding: &Finding, from: usize, to: usize) -> Result<Vec<Tile>> {
    let case = &evaluation.cases[finding.index];
    let tile = |label: &str, kept: Kept, domain: usize| -> Result<Tile> {
        let image = evaluation.scratch.read(kept)?;
        let (rows, columns) = image.dim();
        let from_middle = |middle: usize, side: usize| {
            let start = middle.saturating_sub(SIDE_PX / 2).min(side.saturating_sub(SIDE_PX));
            start..(start + SIDE_PX).min(side)
        };
        let window: ArrayView2<'_, f32> =
            image.slice(s![from_middle(finding.row, rows), from_middle(finding.column, columns)]);
        let picture = grey(window, (0.0, case.depths[domain].max_value()));
        let (width, height) = picture.dimensions();
        let filter = image::imageops::FilterType::Nearest;
        let picture = image::imageops::resize(&picture, ENLARGED * width, ENLARGED * height, filter);
        Ok(Tile { label: label.to_owned(), role: Role::Plain, picture })
    };
    Ok(vec![
        tile("source", case.images[from], from)?,
        tile(&finding.said, case.outputs[to], to)?,
        tile("true", case.images[to], to)?,
    ])
}
