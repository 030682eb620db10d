//! Values of data elements: read leniently as to their encoding, strictly as to what they say.

use dicom_core::value::{C, PrimitiveValue, Value};
use dicom_core::{Tag, VR};
use dicom_object::InMemDicomObject;

use super::error::DicomError;

/// The value of an element from its bytes. Text in the file's character set stays as bytes, so that it can be written again
/// as it was.
pub(super) fn primitive(vr: VR, bytes: Vec<u8>, big_endian: bool) -> PrimitiveValue {
    fn words<const N: usize, T>(bytes: &[u8], number: impl Fn([u8; N]) -> T) -> C<T> {
        bytes.as_chunks::<N>().0.iter().map(|word| number(*word)).collect()
    }
    macro_rules! numbers {
        ($kind:ident, $number:ty) => {
            PrimitiveValue::$kind(words(
                &bytes,
                if big_endian { <$number>::from_be_bytes } else { <$number>::from_le_bytes },
            ))
        };
    }
    if bytes.is_empty() {
        return PrimitiveValue::Empty;
    }
    match vr {
        VR::US => numbers!(U16, u16),
        VR::SS => numbers!(I16, i16),
        VR::UL | VR::OL => numbers!(U32, u32),
        VR::SL => numbers!(I32, i32),
        VR::UV | VR::OV => numbers!(U64, u64),
        VR::SV => numbers!(I64, i64),
        VR::FL | VR::OF => numbers!(F32, f32),
        VR::FD | VR::OD => numbers!(F64, f64),
        VR::OW => numbers!(U16, u16),
        VR::AT => {
            let PrimitiveValue::U16(words) = numbers!(U16, u16) else { return PrimitiveValue::Empty };
            PrimitiveValue::Tags(
                words.as_chunks::<2>().0.iter().map(|[group, element]| Tag(*group, *element)).collect(),
            )
        }
        VR::AE | VR::AS | VR::CS | VR::DA | VR::DS | VR::DT | VR::IS | VR::TM | VR::UI | VR::UR => {
            let text: String =
                bytes.iter().map(|byte| if byte.is_ascii() { char::from(*byte) } else { '?' }).collect();
            PrimitiveValue::Str(text.trim_end_matches([' ', '\0']).to_owned())
        }
        _ => {
            let mut bytes = bytes;
            if bytes.len() % 2 == 1 {
                bytes.push(if matches!(vr, VR::UN | VR::OB) { 0 } else { b' ' });
            }
            PrimitiveValue::U8(bytes.into())
        }
    }
}

/// Values by tag.
pub(super) trait Fields {
    fn primitive(&self, tag: Tag) -> Option<&PrimitiveValue>;
    fn items(&self, tag: Tag) -> &[InMemDicomObject];

    /// The text, without padding; none where absent or empty.
    fn text(&self, tag: Tag) -> Option<String> {
        let text = match self.primitive(tag)? {
            PrimitiveValue::Str(text) => text.clone(),
            PrimitiveValue::U8(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            _ => return None,
        };
        let text = text.trim_matches([' ', '\0']);
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// All numbers of the value, binary or as text; none where absent or empty.
    fn numbers(&self, tag: Tag) -> Result<Option<Vec<f64>>, DicomError> {
        let Some(value) = self.primitive(tag) else { return Ok(None) };
        let numbers: Vec<f64> = match value {
            PrimitiveValue::Empty => return Ok(None),
            PrimitiveValue::U16(values) => values.iter().map(|&value| value.into()).collect(),
            PrimitiveValue::I16(values) => values.iter().map(|&value| value.into()).collect(),
            PrimitiveValue::U32(values) => values.iter().map(|&value| value.into()).collect(),
            PrimitiveValue::I32(values) => values.iter().map(|&value| value.into()).collect(),
            PrimitiveValue::U64(values) => values.iter().map(|&value| value as f64).collect(),
            PrimitiveValue::I64(values) => values.iter().map(|&value| value as f64).collect(),
            PrimitiveValue::F32(values) => values.iter().map(|&value| value.into()).collect(),
            PrimitiveValue::F64(values) => values.to_vec(),
            PrimitiveValue::Str(_) | PrimitiveValue::U8(_) => {
                let Some(text) = self.text(tag) else { return Ok(None) };
                let number = |part: &str| part.trim_matches([' ', '\0']).parse::<f64>();
                let parsed: Result<_, _> = text.split('\\').map(number).collect();
                parsed.map_err(|_| DicomError::value(tag, "not a number"))?
            }
            _ => return Err(DicomError::value(tag, "not a number")),
        };
        if numbers.iter().all(|number| number.is_finite()) {
            Ok(Some(numbers))
        } else {
            Err(DicomError::value(tag, "not a finite number"))
        }
    }

    /// Exactly `N` numbers; none where absent or empty.
    fn exactly<const N: usize>(&self, tag: Tag) -> Result<Option<[f64; N]>, DicomError> {
        let Some(numbers) = self.numbers(tag)? else { return Ok(None) };
        let found = numbers.len();
        let numbers = numbers.try_into();
        numbers
            .map(Some)
            .map_err(|_| DicomError::value(tag, format!("{found} numbers where {N} are expected")))
    }

    /// The first number as a whole one; none where absent or empty.
    fn whole(&self, tag: Tag) -> Result<Option<i64>, DicomError> {
        match self.numbers(tag)?.as_deref() {
            None | Some([]) => Ok(None),
            Some([number, ..]) if number.fract() == 0.0 && number.abs() < 2f64.powi(53) => {
                Ok(Some(*number as i64))
            }
            Some(_) => Err(DicomError::value(tag, "not a whole number")),
        }
    }

    /// A whole number from `low` to `high`.
    fn whole_in(&self, tag: Tag, low: i64, high: i64) -> Result<usize, DicomError> {
        let number = self.whole(tag)?.ok_or_else(|| DicomError::missing(tag))?;
        if (low..=high).contains(&number) {
            Ok(number as usize)
        } else {
            Err(DicomError::value(tag, format!("{number} is not in {low}..={high}")))
        }
    }
}

impl Fields for InMemDicomObject {
    fn primitive(&self, tag: Tag) -> Option<&PrimitiveValue> {
        match self.get(tag)?.value() {
            Value::Primitive(value) => Some(value),
            _ => None,
        }
    }

    fn items(&self, tag: Tag) -> &[InMemDicomObject] {
        match self.get(tag).map(|element| element.value()) {
            Some(Value::Sequence(sequence)) => sequence.items(),
            _ => &[],
        }
    }
}
