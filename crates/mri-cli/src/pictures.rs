//! Panels (input | translated | cycled | target) and contact sheets, as grey PNG files.
//!
//! A sheet carries the place of each of its tiles in a PNG text chunk, so that the report can cut them out again.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;

use anyhow::Context;
use image::{GrayImage, Luma};
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use crate::font;
use crate::whole_file;

const GAP_PX: u32 = 4;
const PAPER: Luma<u8> = Luma([32]);
const PLACES_KEY: &str = "tiles";

/// One translated image with what belongs beside it, all in the same unit.
pub struct Row {
    /// Domain of `input`, as the configuration names it (`t1`).
    pub from: String,
    /// Domain of `translated` and `target`.
    pub to: String,
    pub input: Array2<f32>,
    pub translated: Array2<f32>,
    /// `translated` brought back to `from`.
    pub cycled: Option<Array2<f32>>,
    /// The true image of `to`, where it is known.
    pub target: Option<Array2<f32>>,
}

/// What a tile shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Input,
    Translated,
    Cycled,
    Target,
    /// An image of a contact sheet.
    Plain,
}

/// A labelled picture.
pub struct Tile {
    pub label: String,
    pub role: Role,
    pub picture: GrayImage,
}

/// Where a tile lies in its sheet, in pixels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Place {
    pub row: usize,
    pub role: Role,
    pub label: String,
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

/// Rows of tiles under a title, with the tiles' places.
pub struct Sheet {
    pub picture: GrayImage,
    pub places: Vec<Place>,
}

/// Shows `pixels` with the value `window.0` black and `window.1` white; what is not finite is black.
pub fn grey(pixels: ArrayView2<'_, f32>, window: (f32, f32)) -> GrayImage {
    let (height, width) = pixels.dim();
    let scale = 255.0 / (window.1 - window.0).max(f32::MIN_POSITIVE);
    GrayImage::from_fn(width as u32, height as u32, |x, y| {
        let value = (pixels[[y as usize, x as usize]] - window.0) * scale;
        Luma([value.round().clamp(0.0, 255.0) as u8])
    })
}

/// The panel of some translations. `window` is what is shown black and white: (-1, 1) for images as the network
/// sees them.
pub fn panel(title: &str, rows: &[Row], window: (f32, f32)) -> Sheet {
    let rows = rows.iter().map(|row| {
        let (from, to) = (&row.from, &row.to);
        let tiles = [
            (Role::Input, format!("{from} input"), Some(&row.input)),
            (Role::Translated, format!("synthetic {to}"), Some(&row.translated)),
            (Role::Cycled, format!("{from} cycled"), row.cycled.as_ref()),
            (Role::Target, format!("true {to}"), row.target.as_ref()),
        ];
        let known = tiles.into_iter().filter_map(|(role, label, pixels)| {
            Some(Tile { label, role, picture: grey(pixels?.view(), window) })
        });
        known.collect()
    });
    sheet(title, rows.collect())
}

/// Lays tiles out in a grid whose cells have the size of the largest tile. A label is cut to its cell.
pub fn sheet(title: &str, rows: Vec<Vec<Tile>>) -> Sheet {
    let tiles = || rows.iter().flatten();
    let cell_width = tiles().map(|tile| tile.picture.width()).max().unwrap_or(0);
    let cell_height = tiles().map(|tile| tile.picture.height()).max().unwrap_or(0);
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0) as u32;
    let scale = if cell_width >= 160 { 2 } else { 1 };
    let line = font::LINE_PX * scale + GAP_PX;

    let title_line = if title.is_empty() { 0 } else { line };
    let width = (GAP_PX + columns * (cell_width + GAP_PX)).max(font::width_px(title, scale) + 2 * GAP_PX);
    let height = GAP_PX + title_line + rows.len() as u32 * (line + cell_height + GAP_PX);
    let mut picture = GrayImage::from_pixel(width, height, PAPER);
    let mut places = Vec::new();
    font::draw(&mut picture, title, GAP_PX, GAP_PX, scale);

    for (row, tiles) in rows.into_iter().enumerate() {
        let top = GAP_PX + title_line + row as u32 * (line + cell_height + GAP_PX);
        for (column, tile) in (0u32..).zip(tiles) {
            let x = GAP_PX + column * (cell_width + GAP_PX);
            let room = (cell_width / (font::ADVANCE_PX * scale)) as usize;
            let label: String = tile.label.chars().take(room).collect();
            font::draw(&mut picture, &label, x, top, scale);
            image::imageops::replace(&mut picture, &tile.picture, i64::from(x), i64::from(top + line));
            places.push(Place {
                row,
                role: tile.role,
                label: tile.label,
                x,
                y: top + line,
                width: tile.picture.width(),
                height: tile.picture.height(),
            });
        }
    }
    Sheet { picture, places }
}

impl Sheet {
    /// Writes the sheet as a PNG, whole or not at all. An existing file is replaced.
    pub fn save(&self, path: &Path) -> anyhow::Result<()> {
        let places = serde_json::to_string(&self.places)?;
        whole_file::write(path, |file| {
            let (width, height) = self.picture.dimensions();
            let mut encoder = png::Encoder::new(BufWriter::new(file), width, height);
            encoder.set_color(png::ColorType::Grayscale);
            encoder.add_itxt_chunk(PLACES_KEY.into(), places)?;
            let mut writer = encoder.write_header()?;
            writer.write_image_data(self.picture.as_raw())?;
            Ok(writer.finish()?)
        })
    }

    /// Reads a sheet that [`Sheet::save`] wrote. A PNG without places is a sheet without tiles.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let reading = || format!("cannot read {}", path.display());
        let picture = image::open(path).with_context(reading)?.into_luma8();
        let file = File::open(path).with_context(reading)?;
        let mut chunks = png::Decoder::new(BufReader::new(file)).read_info().with_context(reading)?;
        chunks.finish().with_context(reading)?;
        let text = chunks.info().utf8_text.iter().find(|chunk| chunk.keyword == PLACES_KEY);
        let places = match text {
            Some(chunk) => serde_json::from_str(&chunk.get_text()?).with_context(reading)?,
            None => Vec::new(),
        };
        Ok(Self { picture, places })
    }

    /// The pixels of one tile.
    pub fn tile(&self, place: &Place) -> GrayImage {
        image::imageops::crop_imm(&self.picture, place.x, place.y, place.width, place.height).to_image()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(target: Option<Array2<f32>>) -> Row {
        let input = Array2::from_shape_fn((20, 30), |(y, x)| (x as f32 + y as f32) / 25.0 - 1.0);
        let translated = input.mapv(|value| -value);
        Row { from: "t1".into(), to: "t2".into(), cycled: Some(input.clone()), input, translated, target }
    }

    #[test]
    fn the_window_goes_from_black_to_white_and_clips() {
        let pixels = ndarray::array![[-1.0, 0.0, 1.0], [-7.0, f32::NAN, 9.0]];
        assert_eq!(grey(pixels.view(), (-1.0, 1.0)).into_raw(), [0, 128, 255, 0, 0, 255]);
    }

    #[test]
    fn tiles_come_back_out_of_a_saved_panel() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("epoch_0005.png");
        let rows = [row(None), row(Some(Array2::zeros((20, 30))))];
        panel("epoch 5", &rows, (-1.0, 1.0)).save(&path).unwrap();

        let sheet = Sheet::open(&path).unwrap();
        let roles: Vec<_> = sheet.places.iter().map(|place| (place.row, place.role)).collect();
        use Role::{Cycled, Input, Target, Translated};
        assert_eq!(
            roles,
            [(0, Input), (0, Translated), (0, Cycled), (1, Input), (1, Translated), (1, Cycled), (1, Target)]
        );
        assert_eq!(sheet.tile(&sheet.places[1]), grey(rows[0].translated.view(), (-1.0, 1.0)));
        assert_eq!(sheet.places[6].label, "true t2");
    }

    #[test]
    fn labels_are_drawn_above_the_tiles() {
        let sheet = panel("", &[row(None)], (-1.0, 1.0));
        let place = &sheet.places[0];
        let above = image::imageops::crop_imm(&sheet.picture, place.x, 0, place.width, place.y).to_image();
        assert!(above.pixels().any(|pixel| pixel.0 == [255]), "the label is missing");
    }
}
