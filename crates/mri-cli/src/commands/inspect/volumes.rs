//! Volumes and series: grid, orientation, values, and what tells the contrast. Nothing of whose they are.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use mri_data::DataError;
use mri_data::study::{Contrast, Study, Survey, VolumeDescription};
use serde::Serialize;

use super::{count, images};
use crate::exit::SomeFailed;

#[derive(Serialize)]
pub(super) struct Found {
    kind: &'static str,
    path: PathBuf,
    volumes: Vec<VolumeDescription>,
    /// Volumes and DICOM files that cannot be read, each with the reason.
    unreadable: Vec<String>,
    /// Where there are images too.
    #[serde(skip_serializing_if = "Option::is_none")]
    images: Option<images::Found>,
}

/// Reads one volume after the other; only one is in memory.
pub(super) fn look(path: &Path, survey: Survey) -> anyhow::Result<Found> {
    let Survey { studies, unreadable, .. } = survey;
    let total = studies.len();
    let mut problems: Vec<DataError> = unreadable;
    let mut volumes = Vec::new();
    let bar = ProgressBar::new(total as u64);
    for study in studies {
        if let Study::Volume(volume) = study {
            match volume.describe() {
                Ok(description) => volumes.push(description),
                Err(problem) => problems.push(problem),
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    if path.is_file()
        && let Some(problem) = problems.pop()
    {
        return Err(problem.into());
    }
    let has_images = volumes.len() + problems.len() < total;
    Ok(Found {
        kind: "volumes",
        path: path.to_path_buf(),
        volumes,
        unreadable: problems.iter().map(ToString::to_string).collect(),
        images: has_images.then(|| images::look(path)).transpose()?,
    })
}

impl Found {
    /// An error where some could not be read.
    pub(super) fn complete(&self) -> anyhow::Result<()> {
        if let Some(images) = &self.images {
            images.complete()?;
        }
        let failed = self.unreadable.len();
        let total = failed + self.volumes.len();
        if failed > 0 { Err(SomeFailed { failed, total }.into()) } else { Ok(()) }
    }
}

pub(super) fn words(found: &Found) -> String {
    let mut text = format!("{}: {}\n", found.path.display(), count(found.volumes.len(), "volume"));
    for volume in &found.volumes {
        describe(&mut text, volume);
    }
    if !found.unreadable.is_empty() {
        let _ = writeln!(text, "\nunreadable  {}", found.unreadable.len());
        found.unreadable.iter().for_each(|problem| {
            let _ = writeln!(text, "  {problem}");
        });
    }
    if let Some(images) = &found.images {
        let _ = write!(text, "\n{}", images::words(images));
    }
    text
}

fn describe(text: &mut String, volume: &VolumeDescription) {
    let by = |numbers: &[String]| numbers.join(" x ");
    let files = match volume.files {
        1 => String::new(),
        files => format!(", {}", count(files, "file")),
    };
    let _ = writeln!(text, "\n{}", volume.path);
    let number = volume.series_number.map(|number| format!(", series {number}")).unwrap_or_default();
    let modality = volume.modality.as_ref().map(|modality| format!(", {modality}")).unwrap_or_default();
    let datatype = volume.datatype.as_ref().map(|datatype| format!(", {datatype}")).unwrap_or_default();
    let _ = writeln!(text, "  format      {}{modality}{number}{datatype}{files}", volume.format);
    let _ = writeln!(
        text,
        "  grid        {} voxels of {} mm",
        by(&volume.shape.map(|length| length.to_string())),
        by(&volume.voxel_mm.map(|mm| format!("{}", (mm * 1000.0).round() / 1000.0)))
    );
    let oblique = match volume.oblique_degrees {
        degrees if degrees < 0.05 => String::new(),
        degrees => format!(", oblique by {degrees:.1} degrees"),
    };
    let form = volume.form.as_ref().map(|form| format!(", from {form}")).unwrap_or_default();
    let _ = writeln!(text, "  axes        {}{oblique}{form}", volume.orientation);
    let intensity = &volume.intensity;
    let _ = writeln!(
        text,
        "  intensity   {} to {}; percentiles 1, 50, 99: {:.1}, {:.1}, {:.1}",
        intensity.min, intensity.max, intensity.p1, intensity.median, intensity.p99
    );
    if intensity.not_finite > 0 {
        let _ = writeln!(text, "  not finite  {}", count(intensity.not_finite, "voxel"));
    }
    if !volume.contrast.is_empty() {
        let _ = writeln!(text, "  contrast    {}", contrast(&volume.contrast));
    }
    for warning in &volume.warnings {
        let _ = writeln!(text, "  warning     {warning}");
    }
}

fn contrast(found: &Contrast) -> String {
    let fields = [
        ("echo time", found.echo_time_ms, " ms"),
        ("repetition time", found.repetition_time_ms, " ms"),
        ("inversion time", found.inversion_time_ms, " ms"),
        ("flip angle", found.flip_angle_degrees, " degrees"),
        ("field", found.field_strength_tesla, " T"),
    ];
    let said = fields.into_iter().filter_map(|(name, value, unit)| Some(format!("{name} {}{unit}", value?)));
    said.collect::<Vec<_>>().join(", ")
}
