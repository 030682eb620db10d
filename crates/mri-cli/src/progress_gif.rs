//! `RUN/progress.gif`: the panels of `RUN/samples`, one frame an epoch.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use anyhow::Context;
use image::GrayImage;

use crate::whole_file;

/// More panels than this are thinned out evenly, the first and the last kept.
const MOST_FRAMES: usize = 60;
const FRAME_CENTISECONDS: u16 = 40;
const LAST_FRAME_CENTISECONDS: u16 = 250;

/// Writes the animation of all panels of a run; without panels there is nothing to write.
pub fn write(run: &Path) -> anyhow::Result<()> {
    let panels = thinned(samples(run)?);
    let Some(last) = panels.last() else { return Ok(()) };
    let (width, height) = open(last)?.dimensions();
    let size = |px: u32| u16::try_from(px).context("the panels are too large for a GIF");
    let (width, height) = (size(width)?, size(height)?);

    whole_file::write(&run.join("progress.gif"), |file| {
        let greys: Vec<u8> = (0..=255).flat_map(|grey| [grey; 3]).collect();
        let mut encoder = gif::Encoder::new(std::io::BufWriter::new(file), width, height, &greys)?;
        encoder.set_repeat(gif::Repeat::Infinite)?;
        for path in &panels {
            let picture = open(path)?;
            if picture.dimensions() != (width.into(), height.into()) {
                continue; // a panel from before a resume with other settings
            }
            let delay = if path == last { LAST_FRAME_CENTISECONDS } else { FRAME_CENTISECONDS };
            let buffer = Cow::Owned(picture.into_raw());
            encoder.write_frame(&gif::Frame { width, height, delay, buffer, ..Default::default() })?;
        }
        Ok(())
    })
}

/// The panels of a run, `samples/epoch_*.png`, in the order of their epochs.
pub fn samples(run: &Path) -> anyhow::Result<Vec<PathBuf>> {
    Ok(numbered_samples(run)?.into_iter().map(|(_, path)| path).collect())
}

/// Deletes the panels of epochs after `epoch`, which will be done again.
pub fn drop_samples_after(run: &Path, epoch: usize) -> anyhow::Result<()> {
    for (_, path) in numbered_samples(run)?.into_iter().filter(|(number, _)| *number > epoch as u64) {
        std::fs::remove_file(&path).with_context(|| format!("cannot delete {}", path.display()))?;
    }
    Ok(())
}

/// The panels with their epochs, which they are sorted by.
fn numbered_samples(run: &Path) -> anyhow::Result<Vec<(u64, PathBuf)>> {
    let folder = run.join("samples");
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut panels = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry.with_context(|| format!("cannot read {}", folder.display()))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let number = name.strip_prefix("epoch_").and_then(|rest| rest.strip_suffix(".png")?.parse().ok());
        panels.extend(number.map(|number| (number, path)));
    }
    panels.sort();
    Ok(panels)
}

/// At most [`MOST_FRAMES`] of `panels`, evenly.
fn thinned(panels: Vec<PathBuf>) -> Vec<PathBuf> {
    let (count, most) = (panels.len(), MOST_FRAMES);
    if count <= most {
        return panels;
    }
    (0..most).filter_map(|frame| panels.get(frame * (count - 1) / (most - 1)).cloned()).collect()
}

fn open(path: &Path) -> anyhow::Result<GrayImage> {
    Ok(image::open(path).with_context(|| format!("cannot read {}", path.display()))?.into_luma8())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_animation_shows_each_panel_in_the_order_of_epochs() {
        let run = tempfile::tempdir().unwrap();
        std::fs::create_dir(run.path().join("samples")).unwrap();
        for epoch in [10u8, 5, 100] {
            let picture = GrayImage::from_pixel(6, 4, image::Luma([epoch]));
            picture.save(run.path().join(format!("samples/epoch_{epoch:04}.png"))).unwrap();
        }
        write(run.path()).unwrap();

        let mut options = gif::DecodeOptions::new();
        options.set_color_output(gif::ColorOutput::RGBA);
        let file = std::fs::File::open(run.path().join("progress.gif")).unwrap();
        let mut decoder = options.read_info(file).unwrap();
        let mut shades = Vec::new();
        while let Some(frame) = decoder.read_next_frame().unwrap() {
            shades.push(frame.buffer[0]);
        }
        assert_eq!(shades, [5, 10, 100]);
    }

    #[test]
    fn panels_of_epochs_to_come_are_deleted_and_nothing_else() {
        let run = tempfile::tempdir().unwrap();
        let folder = run.path().join("samples");
        std::fs::create_dir(&folder).unwrap();
        for name in ["epoch_0004.png", "epoch_0005.png", "epoch_10000.png", "epoch_mine.png"] {
            std::fs::write(folder.join(name), "").unwrap();
        }
        drop_samples_after(run.path(), 4).unwrap();
        assert_eq!(samples(run.path()).unwrap(), [folder.join("epoch_0004.png")]);
        assert!(folder.join("epoch_mine.png").exists());
    }

    #[test]
    fn many_panels_are_thinned_with_the_first_and_last_kept() {
        let panels: Vec<PathBuf> = (0..500).map(|epoch| PathBuf::from(epoch.to_string())).collect();
        let kept = thinned(panels.clone());
        assert_eq!(kept.len(), MOST_FRAMES);
        assert_eq!((kept.first(), kept.last()), (panels.first(), panels.last()));
    }
}
