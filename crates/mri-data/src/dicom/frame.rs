//! Where the frames of a file lie and what their values mean, from the data set (classic) or its functional groups
//! (enhanced multi-frame).

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::error::DicomError;
use super::pixels::Rescale;
use super::value::Fields;

/// One slice: a frame of a file.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    /// Index of the file in its series.
    pub(super) file: usize,
    /// Index of the frame in its file.
    pub(super) index: usize,
    /// Centre of the first pixel, LPS.
    pub(super) position: [f64; 3],
    pub(super) plane: Plane,
    pub(super) rescale: Rescale,
    /// Distance between slices that the file declares, for a series of one.
    pub(super) declared_step_mm: Option<f64>,
    /// What tells slices at one position apart, as (keyword, value).
    pub(super) marks: Vec<(Tag, String)>,
}

/// How pixels lie in space, but for the position.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Plane {
    /// Unit vector along a row, with growing column: LPS.
    pub(super) along_row: [f64; 3],
    /// Unit vector along a column, with growing row: LPS.
    pub(super) along_column: [f64; 3],
    /// From row to row, and from column to column.
    pub(super) spacing_mm: [f64; 2],
}

/// Attributes that may tell slices at one position apart: (functional group, attribute).
const MARKS: [(Tag, Tag); 7] = [
    (tags::MR_ECHO_SEQUENCE, tags::EFFECTIVE_ECHO_TIME),
    (tags::MR_ECHO_SEQUENCE, tags::ECHO_TIME),
    (tags::FRAME_CONTENT_SEQUENCE, tags::TEMPORAL_POSITION_INDEX),
    (tags::FRAME_CONTENT_SEQUENCE, tags::TEMPORAL_POSITION_IDENTIFIER),
    (tags::MR_DIFFUSION_SEQUENCE, tags::DIFFUSION_B_VALUE),
    (tags::MR_TIMING_AND_RELATED_PARAMETERS_SEQUENCE, tags::INVERSION_TIME),
    (tags::FRAME_CONTENT_SEQUENCE, tags::ACQUISITION_NUMBER),
];

/// Unit vectors and right angles are met to within this.
const ORTHONORMAL_TOLERANCE: f64 = 1e-3;

pub(super) fn frames(header: &InMemDicomObject, file: usize, count: usize) -> Result<Vec<Frame>, DicomError> {
    let per_frame = header.items(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE);
    let shared = header.items(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE).first();
    if per_frame.is_empty() && count > 1 {
        return Err(DicomError::missing(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE));
    }
    if !per_frame.is_empty() && per_frame.len() != count {
        return Err(DicomError::value(
            tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE,
            format!("{} items for {count} frames", per_frame.len()),
        ));
    }
    (0..count).map(|index| Groups { own: per_frame.get(index), shared, header }.frame(file, index)).collect()
}

/// Where attributes of a frame are looked for, in this order.
struct Groups<'a> {
    own: Option<&'a InMemDicomObject>,
    shared: Option<&'a InMemDicomObject>,
    header: &'a InMemDicomObject,
}

impl Groups<'_> {
    fn frame(&self, file: usize, index: usize) -> Result<Frame, DicomError> {
        let position = self
            .holder(tags::PLANE_POSITION_SEQUENCE, tags::IMAGE_POSITION_PATIENT)
            .exactly(tags::IMAGE_POSITION_PATIENT)?
            .ok_or_else(|| DicomError::missing(tags::IMAGE_POSITION_PATIENT))?;
        let measures = |tag| self.holder(tags::PIXEL_MEASURES_SEQUENCE, tag);
        let between = measures(tags::SPACING_BETWEEN_SLICES).numbers(tags::SPACING_BETWEEN_SLICES)?;
        let thickness = measures(tags::SLICE_THICKNESS).numbers(tags::SLICE_THICKNESS)?;
        let length = |numbers: Option<Vec<f64>>| {
            numbers.and_then(|numbers| numbers.first().map(|mm| mm.abs())).filter(|mm| *mm > 0.0)
        };
        let declared_step_mm = length(between).or(length(thickness));
        let rescale = |tag| {
            let holder = self.holder(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE, tag);
            holder.exactly::<1>(tag).map(|value| value.map(|[number]| number))
        };
        if !self.header.items(tags::MODALITY_LUT_SEQUENCE).is_empty() {
            return Err(DicomError::unsupported(tags::MODALITY_LUT_SEQUENCE, "values by a table"));
        }
        let slope = rescale(tags::RESCALE_SLOPE)?.unwrap_or(1.0);
        if slope == 0.0 {
            return Err(DicomError::value(tags::RESCALE_SLOPE, "0"));
        }
        let rescale = Rescale { slope, intercept: rescale(tags::RESCALE_INTERCEPT)?.unwrap_or(0.0) };
        let marks = MARKS.iter().filter_map(|&(group, tag)| {
            let value = self.holder(group, tag).numbers(tag).ok()??;
            Some((tag, value.first()?.to_string()))
        });
        Ok(Frame {
            file,
            index,
            position,
            plane: self.plane()?,
            rescale,
            declared_step_mm,
            marks: marks.collect(),
        })
    }

    fn plane(&self) -> Result<Plane, DicomError> {
        let tag = tags::IMAGE_ORIENTATION_PATIENT;
        let [rx, ry, rz, cx, cy, cz] = self
            .holder(tags::PLANE_ORIENTATION_SEQUENCE, tag)
            .exactly(tag)?
            .ok_or_else(|| DicomError::missing(tag))?;
        let (along_row, along_column) = ([rx, ry, rz], [cx, cy, cz]);
        let off = |length: f64, wanted: f64| (length - wanted).abs() > ORTHONORMAL_TOLERANCE;
        if off(dot(along_row, along_row), 1.0)
            || off(dot(along_column, along_column), 1.0)
            || off(dot(along_row, along_column), 0.0)
        {
            return Err(DicomError::value(tag, "not two unit vectors at a right angle"));
        }
        let tag = tags::PIXEL_SPACING;
        let spacing_mm: [f64; 2] = self
            .holder(tags::PIXEL_MEASURES_SEQUENCE, tag)
            .exactly(tag)?
            .ok_or_else(|| DicomError::missing(tag))?;
        if spacing_mm.iter().any(|mm| !(1e-6..1e6).contains(mm)) {
            return Err(DicomError::value(tag, "not two lengths in millimetres"));
        }
        Ok(Plane { along_row, along_column, spacing_mm })
    }

    /// The data set that has `tag`: the frame's own group, the shared one, or the whole.
    fn holder(&self, group: Tag, tag: Tag) -> &InMemDicomObject {
        [self.own, self.shared]
            .into_iter()
            .flatten()
            .filter_map(|groups| groups.items(group).first())
            .find(|item| item.get(tag).is_some())
            .unwrap_or(self.header)
    }
}

impl Plane {
    /// Unit vector that slices are stacked along: rows, columns and slices make a right-handed system.
    pub(super) fn normal(&self) -> [f64; 3] {
        let ([a, b, c], [d, e, f]) = (self.along_row, self.along_column);
        let normal = [b * f - c * e, c * d - a * f, a * e - b * d];
        let length = dot(normal, normal).sqrt();
        normal.map(|part| part / length)
    }
}

pub(super) fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

pub(super) fn minus(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    std::array::from_fn(|axis| a[axis] - b[axis])
}

pub(super) fn distance(a: [f64; 3], b: [f64; 3]) -> f64 {
    let between = minus(a, b);
    dot(between, between).sqrt()
}
