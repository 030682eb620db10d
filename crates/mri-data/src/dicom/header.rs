//! What a series keeps of its source, so that a derived series can stand beside it in the same study.

use std::fmt;

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::frame::Frame;
use super::uid::uid_of;
use super::value::Fields;

/// Of the study: kept as they are.
const STUDY: [Tag; 21] = [
    tags::SPECIFIC_CHARACTER_SET,
    tags::TIMEZONE_OFFSET_FROM_UTC,
    tags::STUDY_INSTANCE_UID,
    tags::STUDY_DATE,
    tags::STUDY_TIME,
    tags::STUDY_ID,
    tags::STUDY_DESCRIPTION,
    tags::ACCESSION_NUMBER,
    tags::ISSUER_OF_ACCESSION_NUMBER_SEQUENCE,
    tags::REFERRING_PHYSICIAN_NAME,
    tags::REFERRING_PHYSICIAN_IDENTIFICATION_SEQUENCE,
    tags::CONSULTING_PHYSICIAN_NAME,
    tags::PHYSICIANS_OF_RECORD,
    tags::PHYSICIANS_OF_RECORD_IDENTIFICATION_SEQUENCE,
    tags::NAME_OF_PHYSICIANS_READING_STUDY,
    tags::REQUESTING_SERVICE,
    tags::PROCEDURE_CODE_SEQUENCE,
    tags::ADMITTING_DIAGNOSES_DESCRIPTION,
    tags::ADMITTING_DIAGNOSES_CODE_SEQUENCE,
    tags::ADMISSION_ID,
    tags::SERVICE_EPISODE_ID,
];
/// Of the series and its images: true of any image on the same grid of the same body.
const PLACE: [Tag; 7] = [
    tags::FRAME_OF_REFERENCE_UID,
    tags::POSITION_REFERENCE_INDICATOR,
    tags::PATIENT_POSITION,
    tags::BODY_PART_EXAMINED,
    tags::ANATOMIC_REGION_SEQUENCE,
    tags::LATERALITY,
    tags::SLICE_THICKNESS,
];

/// The header of a series: patient, study and place, and which image each slice came from.
///
/// All else of the source is left behind, so that nothing stale (private groups, overlays, curves, acquisition parameters,
/// device and operator) can come along. It holds patient data: its `Debug` shows none.
#[derive(Clone, PartialEq)]
pub struct DicomSeries {
    /// Attributes that derived images share with their source.
    pub(super) kept: InMemDicomObject,
    pub(super) series_uid: String,
    pub(super) series_number: Option<i64>,
    /// The source of each slice; empty for a volume that came from another format.
    pub(super) sources: Vec<SourceImage>,
    /// SOP class and instance of each file.
    files: Vec<[String; 2]>,
}

/// A reference to the image that a slice was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SourceImage {
    pub(super) class_uid: String,
    pub(super) instance_uid: String,
    /// From 1, of a multi-frame image.
    pub(super) frame: Option<usize>,
}

impl fmt::Debug for DicomSeries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DicomSeries").field("sources", &self.sources.len()).finish_non_exhaustive()
    }
}

impl DicomSeries {
    pub(super) fn empty() -> Self {
        Self {
            kept: InMemDicomObject::new_empty(),
            series_uid: String::new(),
            series_number: None,
            sources: Vec::new(),
            files: Vec::new(),
        }
    }

    /// For a volume that came from another format: a study, a frame of reference and a patient without a name of their own.
    ///
    /// Their UIDs follow from `identity`, which should tell this volume from all others and say nothing about whose it is,
    /// as the SHA-256 of the file does: the same one gives the same study.
    pub fn for_grid(identity: &str) -> Self {
        let mut series = Self::empty();
        series.kept.put_str(
            tags::STUDY_INSTANCE_UID,
            dicom_core::VR::UI,
            uid_of("study", &[identity.as_bytes()]),
        );
        let frame_of_reference = uid_of("frame of reference", &[identity.as_bytes()]);
        series.kept.put_str(tags::FRAME_OF_REFERENCE_UID, dicom_core::VR::UI, frame_of_reference);
        series.series_uid = uid_of("source series", &[identity.as_bytes()]);
        series
    }

    /// `SeriesInstanceUID` of the source.
    pub fn uid(&self) -> &str {
        &self.series_uid
    }

    /// `SeriesNumber` of the source.
    pub fn number(&self) -> Option<i64> {
        self.series_number
    }

    /// Takes from a file what is to be kept. Files come in the order of their numbers.
    pub(super) fn keep(&mut self, header: &InMemDicomObject, file: usize) {
        let text = |tag| header.text(tag).unwrap_or_default();
        if self.files.is_empty() {
            let kept = header.iter().filter(|element| is_kept(element.header().tag));
            self.kept = InMemDicomObject::from_element_iter(kept.cloned());
            self.series_uid = text(tags::SERIES_INSTANCE_UID);
            self.series_number = header.whole(tags::SERIES_NUMBER).unwrap_or_default();
        }
        if self.files.len() == file {
            self.files.push([text(tags::SOP_CLASS_UID), text(tags::SOP_INSTANCE_UID)]);
        }
    }

    pub(super) fn add_slice(&mut self, frame: &Frame, frames_in_file: usize) {
        let [class_uid, instance_uid] = self.files.get(frame.file).cloned().unwrap_or_default();
        let number = (frames_in_file > 1).then_some(frame.index + 1);
        self.sources.push(SourceImage { class_uid, instance_uid, frame: number });
    }
}

fn is_kept(tag: Tag) -> bool {
    // Groups of the patient and of the clinical trial, without what the latter says of the series.
    let patient = tag.group() == 0x0010
        || tag.group() == 0x0012
            && ![tags::CLINICAL_TRIAL_SERIES_ID, tags::CLINICAL_TRIAL_SERIES_DESCRIPTION].contains(&tag);
    patient || STUDY.contains(&tag) || PLACE.contains(&tag)
}
