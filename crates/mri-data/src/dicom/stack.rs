//! Slices put in order along their normal, and checked to lie on a regular grid.
//!
//! Tolerances, for steps of `s`: slices nearer than `s/100` (or 0.001 mm) to each other are at one place; a gap of more than
//! `1.5 s` misses slices; a slice may lie `s/100` (or 0.01 mm) off its place in silence, and `s/10` with a warning. Directions
//! may differ by 0.001, pixel spacings by a thousandth.

use dicom_dictionary_std::tags;

use super::error::{DicomError, Field, PositionLps};
use super::frame::{Frame, Plane, distance, dot, minus};
use crate::volume::Affine;

const SAME_PLACE: f64 = 0.01;
const SAME_PLACE_MM: f64 = 1e-3;
const GAP: f64 = 1.5;
const EVEN: f64 = 0.01;
const EVEN_MM: f64 = 0.01;
const UNEVEN: f64 = 0.1;
const DIRECTION_TOLERANCE: f64 = 1e-3;
const SPACING_TOLERANCE: f64 = 1e-3;

/// Frames in the order of the slices.
#[derive(Debug, Clone)]
pub(super) struct Stack {
    pub(super) frames: Vec<Frame>,
    pub(super) affine: Affine,
    pub(super) warnings: Vec<String>,
}

pub(super) fn stack(mut frames: Vec<Frame>) -> Result<Stack, DicomError> {
    let Some(first) = frames.first() else { return Err(DicomError::NotAnImage) };
    let plane = first.plane;
    for frame in &frames {
        same_plane(&plane, frame)?;
    }
    let normal = plane.normal();
    frames.sort_by(|a, b| dot(a.position, normal).total_cmp(&dot(b.position, normal)));
    let mut warnings = Vec::new();
    let step = match frames.as_slice() {
        [] | [_] => {
            let declared = frames.iter().find_map(|frame| frame.declared_step_mm);
            if declared.is_none() {
                warnings.push("one slice without a declared thickness: taken as 1 mm".to_owned());
            }
            normal.map(|part| part * declared.unwrap_or(1.0))
        }
        several => regular_step(several, normal, &mut warnings)?,
    };
    let origin = frames.first().map_or([0.0; 3], |frame| frame.position);
    Ok(Stack { affine: affine(&plane, origin, step), frames, warnings })
}

fn same_plane(plane: &Plane, frame: &Frame) -> Result<(), DicomError> {
    let differ = |tag, reason: &str| {
        let position = PositionLps(frame.position);
        Err(DicomError::MixedSlices { field: Field(tag), position, reason: reason.to_owned() })
    };
    let turned = distance(plane.along_row, frame.plane.along_row)
        .max(distance(plane.along_column, frame.plane.along_column));
    if turned > DIRECTION_TOLERANCE {
        return differ(tags::IMAGE_ORIENTATION_PATIENT, "slices of several directions, as in a localizer");
    }
    let resized = plane
        .spacing_mm
        .iter()
        .zip(frame.plane.spacing_mm)
        .any(|(mm, other)| (mm - other).abs() > SPACING_TOLERANCE * mm);
    if resized { differ(tags::PIXEL_SPACING, "pixels of another size") } else { Ok(()) }
}

/// The step from slice to slice, of slices in order.
fn regular_step(
    frames: &[Frame],
    normal: [f64; 3],
    warnings: &mut Vec<String>,
) -> Result<[f64; 3], DicomError> {
    let heights: Vec<f64> = frames.iter().map(|frame| dot(frame.position, normal)).collect();
    let steps: Vec<f64> = heights.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let mut apart: Vec<f64> = steps.iter().copied().filter(|step| *step > SAME_PLACE_MM).collect();
    apart.sort_by(f64::total_cmp);
    let usual = apart.get(apart.len() / 2).copied().unwrap_or(0.0);
    let same_place = |step: f64| step <= SAME_PLACE_MM.max(SAME_PLACE * usual);
    if steps.iter().any(|step| same_place(*step)) {
        return Err(doubled(frames, &steps, same_place));
    }
    let gaps: Vec<usize> = (0..steps.len()).filter(|&at| steps[at] > GAP * usual).collect();
    if let Some(&at) = gaps.first() {
        return Err(DicomError::MissingSlices {
            count: ((steps[at] / usual).round() as usize).saturating_sub(1).max(1),
            before: PositionLps(frames[at].position),
            after: PositionLps(frames[at + 1].position),
            step_mm: usual,
            other_gaps: gaps.len() - 1,
        });
    }
    let (first, last) = (frames[0].position, frames[frames.len() - 1].position);
    let count = steps.len() as f64;
    let step = minus(last, first).map(|part| part / count);
    let step_mm = dot(step, step).sqrt();
    let deviation = |slice: usize| {
        let place = std::array::from_fn(|axis| first[axis] + step[axis] * slice as f64);
        distance(place, frames[slice].position)
    };
    let Some(farthest) = (0..frames.len()).max_by(|a, b| deviation(*a).total_cmp(&deviation(*b))) else {
        return Ok(step);
    };
    let deviation_mm = deviation(farthest);
    let position = PositionLps(frames[farthest].position);
    if deviation_mm > EVEN_MM.max(UNEVEN * step_mm) {
        return Err(DicomError::UnevenSlices { position, deviation_mm, step_mm });
    }
    if deviation_mm > EVEN_MM.max(EVEN * step_mm) {
        warnings.push(format!(
            "slices are not quite evenly spaced: the one at {position} lies {deviation_mm:.3} mm off in steps of {step_mm:.3} mm"
        ));
    }
    Ok(step)
}

fn doubled(frames: &[Frame], steps: &[f64], same_place: impl Fn(f64) -> bool) -> DicomError {
    let mut places: Vec<Vec<&Frame>> = Vec::new();
    for (at, frame) in frames.iter().enumerate() {
        match places.last_mut() {
            Some(place) if at > 0 && same_place(steps[at - 1]) => place.push(frame),
            _ => places.push(vec![frame]),
        }
    }
    let several: Vec<&Vec<&Frame>> = places.iter().filter(|place| place.len() > 1).collect();
    let place: &[&Frame] = several.first().map_or(&[], |place| place);
    DicomError::DoubledSlices {
        position: PositionLps(place.first().map_or([0.0; 3], |frame| frame.position)),
        count: place.len(),
        other_positions: several.len().saturating_sub(1),
        distinction: distinction(place),
    }
}

/// What the slices at one place differ in, in words.
fn distinction(place: &[&Frame]) -> String {
    let Some(first) = place.first() else { return String::new() };
    let differing = first.marks.iter().find(|(tag, value)| {
        place.iter().any(|frame| frame.marks.iter().any(|(other, there)| other == tag && there != value))
    });
    let Some((tag, _)) = differing else { return String::new() };
    let of_tag =
        |frame: &&Frame| frame.marks.iter().find(|(other, _)| other == tag).map(|(_, value)| value.clone());
    let mut values: Vec<String> = Vec::new();
    for value in place.iter().filter_map(of_tag) {
        if !values.contains(&value) {
            values.push(value);
        }
    }
    values.truncate(8);
    format!(" (they differ in {}: {})", Field(*tag), values.join(", "))
}

/// LPS to RAS: x and y point the other way.
fn affine(plane: &Plane, origin: [f64; 3], step: [f64; 3]) -> Affine {
    let [row_mm, column_mm] = plane.spacing_mm;
    let sign = [-1.0, -1.0, 1.0];
    let linear = std::array::from_fn(|axis| {
        [
            sign[axis] * plane.along_row[axis] * column_mm,
            sign[axis] * plane.along_column[axis] * row_mm,
            sign[axis] * step[axis],
        ]
    });
    Affine { linear, origin_mm: std::array::from_fn(|axis| sign[axis] * origin[axis]) }
}
