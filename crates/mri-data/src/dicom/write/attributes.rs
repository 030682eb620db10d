//! The attributes of a derived MR image.

use dicom_core::value::{C, DataSetSequence, PrimitiveValue};
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;
use ndarray::ArrayView2;

use super::super::error::DicomError;
use super::super::header::{DicomSeries, SourceImage};
use super::super::parse::empty;
use super::super::uid::uid_of;
use super::super::value::Fields;
use super::Derivation;
use super::decimal::decimal;
use super::geometry::Planes;
use super::quantize::Quantization;

/// Type 2: there, with a value or without.
const TYPE_2: [(Tag, VR); 16] = [
    (tags::PATIENT_NAME, VR::PN),
    (tags::PATIENT_ID, VR::LO),
    (tags::PATIENT_BIRTH_DATE, VR::DA),
    (tags::PATIENT_SEX, VR::CS),
    (tags::STUDY_DATE, VR::DA),
    (tags::STUDY_TIME, VR::TM),
    (tags::STUDY_ID, VR::SH),
    (tags::ACCESSION_NUMBER, VR::SH),
    (tags::REFERRING_PHYSICIAN_NAME, VR::PN),
    (tags::POSITION_REFERENCE_INDICATOR, VR::LO),
    (tags::PATIENT_POSITION, VR::CS),
    (tags::SCAN_OPTIONS, VR::CS),
    (tags::MR_ACQUISITION_TYPE, VR::CS),
    (tags::REPETITION_TIME, VR::DS),
    (tags::ECHO_TIME, VR::DS),
    (tags::ECHO_TRAIN_LENGTH, VR::IS),
];
/// Added to the series number of the source, so that the new series comes behind all of the scanner's.
const SERIES_NUMBER_OFFSET: i64 = 9000;

/// Attributes that all images of the new series share.
pub(super) fn of_series(
    source: &DicomSeries,
    derivation: &Derivation,
    planes: &Planes,
    quantization: &Quantization,
    series_uid: &str,
) -> InMemDicomObject {
    let mut object = source.kept.clone();
    let mut put = |tag: Tag, vr: VR, value: &str| {
        object.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
    };
    put(tags::SOP_CLASS_UID, VR::UI, uids::MR_IMAGE_STORAGE);
    put(tags::MODALITY, VR::CS, "MR");
    put(tags::IMAGE_TYPE, VR::CS, "DERIVED\\SECONDARY\\OTHER");
    put(tags::SYNTHETIC_DATA, VR::CS, "YES");
    put(tags::SERIES_INSTANCE_UID, VR::UI, series_uid);
    let number = source.series_number.unwrap_or(0).saturating_add(SERIES_NUMBER_OFFSET).min(i32::MAX.into());
    put(tags::SERIES_NUMBER, VR::IS, &number.to_string());
    put(tags::SERIES_DESCRIPTION, VR::LO, &derivation.series_text());
    put(tags::DERIVATION_DESCRIPTION, VR::ST, &derivation.derivation_text());
    put(tags::IMAGE_COMMENTS, VR::LT, &derivation.comments_text());
    put(tags::MANUFACTURER, VR::LO, &derivation.manufacturer());
    put(tags::MANUFACTURER_MODEL_NAME, VR::LO, &derivation.manufacturer());
    put(tags::SOFTWARE_VERSIONS, VR::LO, &derivation.software_text());
    put(tags::SCANNING_SEQUENCE, VR::CS, "RM");
    put(tags::SEQUENCE_VARIANT, VR::CS, "NONE");

    let numbers = |values: &[f64]| values.iter().map(|value| decimal(*value)).collect::<Vec<_>>().join("\\");
    let plane = &planes.plane;
    put(tags::IMAGE_ORIENTATION_PATIENT, VR::DS, &numbers(&[plane.along_row, plane.along_column].concat()));
    put(tags::PIXEL_SPACING, VR::DS, &numbers(&plane.spacing_mm));
    put(tags::SPACING_BETWEEN_SLICES, VR::DS, &numbers(&[planes.spacing_between_mm]));

    put(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2");
    put(tags::RESCALE_SLOPE, VR::DS, &quantization.slope_text);
    put(tags::RESCALE_INTERCEPT, VR::DS, "0");
    put(tags::RESCALE_TYPE, VR::LO, "US");
    let [centre, width] = &quantization.window;
    put(tags::WINDOW_CENTER, VR::DS, centre);
    put(tags::WINDOW_WIDTH, VR::DS, width);
    if width.parse::<f64>().is_ok_and(|width| width < 1.0) {
        // The linear function is not defined for widths below 1.
        put(tags::VOILUT_FUNCTION, VR::CS, "LINEAR_EXACT");
    }
    for (tag, number) in [
        (tags::SAMPLES_PER_PIXEL, 1u16),
        (tags::BITS_ALLOCATED, 16),
        (tags::BITS_STORED, 16),
        (tags::HIGH_BIT, 15),
        (tags::PIXEL_REPRESENTATION, quantization.signed.into()),
    ] {
        object.put(DataElement::new(tag, VR::US, PrimitiveValue::from(number)));
    }
    for (tag, vr) in TYPE_2 {
        if object.get(tag).is_none() {
            object.put(empty(tag, vr));
        }
    }
    for (tag, purpose) in
        [(tags::STUDY_INSTANCE_UID, "study"), (tags::FRAME_OF_REFERENCE_UID, "frame of reference")]
    {
        if object.text(tag).is_none() {
            let uid = uid_of(purpose, &[source.series_uid.as_bytes(), series_uid.as_bytes()]);
            object.put_str(tag, VR::UI, uid);
        }
    }
    let thickness = object.exactly::<1>(tags::SLICE_THICKNESS).ok().flatten();
    let [thickness_mm] = thickness.unwrap_or([planes.spacing_between_mm]);
    object.put_str(tags::SLICE_THICKNESS, VR::DS, decimal(thickness_mm));
    object
}

/// One image: what the series shares, its place, its source and its pixels.
pub(super) fn of_image(
    series: &InMemDicomObject,
    k: usize,
    instance_uid: &str,
    source: Option<&SourceImage>,
    planes: &Planes,
    pixels: ArrayView2<'_, f32>,
    quantization: &Quantization,
) -> Result<InMemDicomObject, DicomError> {
    let mut object = series.clone();
    let (rows, columns) = pixels.dim();
    for (tag, length) in [(tags::ROWS, rows), (tags::COLUMNS, columns)] {
        let length = u16::try_from(length).map_err(|_| DicomError::NotWritable {
            reason: format!("{length} pixels a side are more than 65535"),
        })?;
        object.put(DataElement::new(tag, VR::US, PrimitiveValue::from(length)));
    }
    object.put_str(tags::SOP_INSTANCE_UID, VR::UI, instance_uid);
    object.put_str(tags::INSTANCE_NUMBER, VR::IS, (k + 1).to_string());
    let position = planes.position(k);
    object.put_str(tags::IMAGE_POSITION_PATIENT, VR::DS, position.map(decimal).join("\\"));
    let location = super::super::frame::dot(position, planes.normal);
    object.put_str(tags::SLICE_LOCATION, VR::DS, decimal(location));
    if let Some(source) = source.filter(|source| !source.instance_uid.is_empty()) {
        let sequence = DataSetSequence::from(vec![reference(source)]);
        object.put(DataElement::new(tags::SOURCE_IMAGE_SEQUENCE, VR::SQ, sequence));
    }
    let stored: C<u16> = pixels.iter().map(|value| quantization.stored(*value)).collect();
    object.put(DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(stored)));
    Ok(object)
}

fn reference(source: &SourceImage) -> InMemDicomObject {
    let mut item = InMemDicomObject::new_empty();
    item.put_str(tags::REFERENCED_SOP_CLASS_UID, VR::UI, source.class_uid.clone());
    item.put_str(tags::REFERENCED_SOP_INSTANCE_UID, VR::UI, source.instance_uid.clone());
    if let Some(frame) = source.frame {
        item.put_str(tags::REFERENCED_FRAME_NUMBER, VR::IS, frame.to_string());
    }
    let mut purpose = InMemDicomObject::new_empty();
    purpose.put_str(tags::CODE_VALUE, VR::SH, "121322");
    purpose.put_str(tags::CODING_SCHEME_DESIGNATOR, VR::SH, "DCM");
    purpose.put_str(tags::CODE_MEANING, VR::LO, "Source image for image processing operation");
    let sequence = DataSetSequence::from(vec![purpose]);
    item.put(DataElement::new(tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE, VR::SQ, sequence));
    item
}
