//! A contact sheet: some images of each domain, evenly chosen, small, all of a domain in one window.

use std::path::Path;

use image::imageops::FilterType;

use super::images::{Domain, Found};
use crate::pictures::{Role, Sheet, Tile, grey, sheet};

/// Of a longer name the end is shown, which has the slice number.
const LABEL_CHARS: usize = 13;
const COLUMNS: usize = 8;
const ROWS_OF_A_DOMAIN: usize = 3;
const TILE_PX: u32 = 112;

pub(super) fn write(found: &Found, path: &Path) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for domain in &found.domains {
        let mut tiles = tiles(domain)?.into_iter().peekable();
        while tiles.peek().is_some() {
            rows.push(tiles.by_ref().take(COLUMNS).collect());
        }
    }
    let sheet: Sheet = sheet("", rows);
    sheet.save(path)
}

/// Images that can be read, from the domain's least value, black, to its 99th percentile, white.
fn tiles(domain: &Domain) -> anyhow::Result<Vec<Tile>> {
    let intensity = &domain.description.intensity;
    let window = (intensity.min as f32, (intensity.p99 as f32).max(intensity.min as f32 + 1.0));
    let unreadable = &domain.description.unreadable;
    let readable: Vec<_> = domain
        .images
        .iter()
        .filter(|image| !unreadable.iter().any(|(path, _)| Path::new(path) == image.relative()))
        .collect();
    let shown = readable.len().min(COLUMNS * ROWS_OF_A_DOMAIN);
    let mut tiles = Vec::new();
    for place in 0..shown {
        let Some(source) = readable.get(place * (readable.len() - 1) / (shown - 1).max(1)) else { continue };
        let picture = grey(source.read()?.pixels.view(), window);
        let scale = f64::from(TILE_PX) / f64::from(picture.width().max(picture.height()));
        let size = |px: u32| ((f64::from(px) * scale).round() as u32).max(1);
        let (width, height) = (size(picture.width()), size(picture.height()));
        let stem = source.relative().file_stem().unwrap_or_default().to_string_lossy();
        let name: String = stem.chars().skip(stem.chars().count().saturating_sub(LABEL_CHARS)).collect();
        tiles.push(Tile {
            label: if place == 0 { format!("{}: {name}", domain.name) } else { name },
            role: Role::Plain,
            picture: image::imageops::resize(&picture, width, height, FilterType::Triangle),
        });
    }
    Ok(tiles)
}
