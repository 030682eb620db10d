"""Reads a derived series with pydicom: check.py SERIES SOURCE VALUES AFFINE

VALUES are float32 (slices, rows, columns); AFFINE the twelve numbers of its RAS rows. Fails where values, geometry, UIDs,
references or attributes are not as they must be.
"""

import sys
from pathlib import Path

import numpy as np
import pydicom

# Type 1 and type 2 attributes of the modules that the MR Image IOD requires (PS3.3 A.4), for a derived grey image with an
# orientation. SC: scanning sequence and its likes are of the MR Image module.
TYPE_1 = """SOPClassUID SOPInstanceUID StudyInstanceUID SeriesInstanceUID Modality FrameOfReferenceUID ImageType
PixelSpacing ImageOrientationPatient ImagePositionPatient SamplesPerPixel PhotometricInterpretation Rows Columns
BitsAllocated BitsStored HighBit PixelRepresentation PixelData ScanningSequence SequenceVariant RescaleSlope
RescaleIntercept RescaleType WindowCenter WindowWidth""".split()
TYPE_2 = """PatientName PatientID PatientBirthDate PatientSex StudyDate StudyTime ReferringPhysicianName StudyID
AccessionNumber SeriesNumber PatientPosition PositionReferenceIndicator Manufacturer InstanceNumber SliceThickness
ScanOptions MRAcquisitionType EchoTime EchoTrainLength RepetitionTime""".split()

series, source, values, rows = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], np.array(sys.argv[4].split(), float)
derived = [pydicom.dcmread(path) for path in sorted(series.iterdir())]
sources = [pydicom.dcmread(path) for path in sorted(source.glob("*.dcm") if source.is_dir() else [source])]
first = sources[0]

for ds in derived:
    missing = [key for key in TYPE_1 if key not in ds or ds[key].is_empty] + [key for key in TYPE_2 if key not in ds]
    assert not missing, missing
    assert ds.file_meta.TransferSyntaxUID == pydicom.uid.ExplicitVRLittleEndian
    assert ds.file_meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID
    assert ds.SOPClassUID.name == "MR Image Storage" == ds.file_meta.MediaStorageSOPClassUID.name
    assert list(ds.ImageType)[:2] == ["DERIVED", "SECONDARY"]
    assert len(ds.PixelData) == 2 * ds.Rows * ds.Columns
    for key in ("StudyInstanceUID", "FrameOfReferenceUID", "PatientName", "PatientID", "StudyDate", "StudyID"):
        assert ds.get(key) == first.get(key) or not first.get(key), key
    for key in ("SeriesDescription", "ImageComments", "DerivationDescription"):
        assert "synthetic" in ds[key].value.lower() and "research only" in ds[key].value.lower(), key
    for element in ds:
        assert not element.tag.is_private and not 0x5000 <= element.tag.group <= 0x60FF, element.tag
        if element.VR == "DS" and not element.is_empty:
            parts = element.value if element.VM > 1 else [element.value]
            assert all(len(str(part)) <= 16 for part in parts), element
        if element.VR == "UI":
            assert element.VM != 1 or pydicom.uid.UID(element.value).is_valid, element
    assert ds.SeriesInstanceUID == derived[0].SeriesInstanceUID != first.SeriesInstanceUID

assert len({ds.SOPInstanceUID for ds in derived}) == len(derived)
assert [int(ds.InstanceNumber) for ds in derived] == list(range(1, len(derived) + 1))

# The image that each slice refers to lies where it lies.
places = {}
for ds in sources:
    groups = ds.get("PerFrameFunctionalGroupsSequence") or [None]
    for number, group in enumerate(groups, 1):
        holder = ds if group is None else group.PlanePositionSequence[0]
        places[ds.SOPInstanceUID, None if group is None else number] = np.array(holder.ImagePositionPatient, float)
for ds in derived:
    (reference,) = ds.SourceImageSequence
    number = reference.get("ReferencedFrameNumber")
    place = places[reference.ReferencedSOPInstanceUID, None if number is None else int(number)]
    np.testing.assert_allclose(np.array(ds.ImagePositionPatient, float), place, atol=1e-6)

# Geometry and values.
a, b = np.array(derived[0].ImageOrientationPatient, float).reshape(2, 3)
normal = np.cross(a, b)
heights = [np.array(ds.ImagePositionPatient, float) @ normal for ds in derived]
assert heights == sorted(heights)
np.testing.assert_allclose(heights, [float(ds.SliceLocation) for ds in derived], atol=1e-6)
for i, ds in enumerate(derived):
    lps = np.stack([a * ds.PixelSpacing[1], b * ds.PixelSpacing[0], np.array(ds.ImagePositionPatient, float)], axis=1)
    ras = np.diag([-1, -1, 1]) @ lps
    wanted = rows.reshape(3, 4)
    np.testing.assert_allclose(ras[:, :2], wanted[:, :2], atol=1e-6)
    np.testing.assert_allclose(ras[:, 2], wanted[:, 3] + i * wanted[:, 2], atol=1e-6)
expected = np.fromfile(values, "<f4").reshape(len(derived), derived[0].Rows, derived[0].Columns)
found = np.stack([ds.pixel_array * float(ds.RescaleSlope) + float(ds.RescaleIntercept) for ds in derived])
slope = float(derived[0].RescaleSlope)
worst = np.abs(found - expected).max()
assert worst <= slope / 2 * 1.001 + 1e-6 * np.abs(expected).max(), (worst, slope)
print(f"pydicom: {len(derived)} images, largest error {worst:.3g} at a slope of {slope:.3g}")
