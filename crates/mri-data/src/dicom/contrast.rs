//! What the headers tell of the contrast.

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use serde::Serialize;

use super::value::Fields;

/// Times and angles of the acquisition, as far as the first header of a series tells them.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Contrast {
    /// `EchoTime`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub echo_time_ms: Option<f64>,
    /// `RepetitionTime`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repetition_time_ms: Option<f64>,
    /// `InversionTime`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inversion_time_ms: Option<f64>,
    /// `FlipAngle`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flip_angle_degrees: Option<f64>,
    /// `MagneticFieldStrength`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field_strength_tesla: Option<f64>,
}

impl Contrast {
    /// Whether the headers tell nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// From the data set, or of an enhanced image from its functional groups.
    pub(super) fn of(header: &InMemDicomObject) -> Self {
        let groups: Vec<&InMemDicomObject> =
            [tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE]
                .into_iter()
                .filter_map(|sequence| header.items(sequence).first())
                .collect();
        // A hint that is damaged is no hint.
        let number = |holder: &InMemDicomObject, tag: Tag| holder.numbers(tag).ok()??.first().copied();
        let find = |tag: Tag, group: Tag, in_group: Tag| {
            let grouped = || groups.iter().find_map(|one| number(one.items(group).first()?, in_group));
            number(header, tag).or_else(grouped).filter(|value| value.is_finite())
        };
        let timing = tags::MR_TIMING_AND_RELATED_PARAMETERS_SEQUENCE;
        Self {
            echo_time_ms: find(tags::ECHO_TIME, tags::MR_ECHO_SEQUENCE, tags::EFFECTIVE_ECHO_TIME),
            repetition_time_ms: find(tags::REPETITION_TIME, timing, tags::REPETITION_TIME),
            inversion_time_ms: find(tags::INVERSION_TIME, tags::MR_MODIFIER_SEQUENCE, tags::INVERSION_TIMES),
            flip_angle_degrees: find(tags::FLIP_ANGLE, timing, tags::FLIP_ANGLE),
            field_strength_tesla: number(header, tags::MAGNETIC_FIELD_STRENGTH),
        }
    }
}
