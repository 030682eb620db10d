"""Makes the small DICOM files beside, and values.tsv: what pydicom and numpy make of them and of the files in $MRI_TEST_DATA.

    pip install pydicom numpy imagecodecs pyjpegls pylibjpeg pylibjpeg-openjpeg pylibjpeg-libjpeg
    MRI_TEST_DATA=... python make.py

A line of values.tsv: file, shape (slices x rows x columns), SHA-256 of the values as little-endian float32 in the order
of the positions, the three rows of the RAS affine (or "-" where the file has no geometry), modality.
"""

import hashlib
import os
import sys
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders.native import _encode_segment
from pydicom.uid import UID

HERE = Path(__file__).parent
IMPLICIT, EXPLICIT, BIG, DEFLATED = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
RLE, BASELINE, LOSSLESS, LOSSLESS_1 = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"
LS, LS_NEAR, J2K, J2K_LOSSY = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"
EXACT = {}


def picture(rows, columns, dtype, bits, seed=0):
    """A smooth blob, flat air, and noise in a corner: runs, gradients and the whole range."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:rows, :columns]
    blob = np.exp(-(((x - columns / 2) / columns) ** 2 + ((y - rows / 2) / rows) ** 2) * 12)
    blob[blob < 0.2] = 0
    blob[-4:, -5:] = rng.random((4, 5))
    top = 2**bits - 1
    values = np.rint(blob * top).astype(np.int64)
    values[0, :2] = [top, 0]
    return (values - (2 ** (bits - 1)) if np.issubdtype(dtype, np.signedinteger) else values).astype(dtype)


def header(pixels, bits, syntax):
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = UID("1.2.840.10008.5.1.4.1.1.4")
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = UID("2.25.1")
    ds.SeriesInstanceUID, ds.StudyInstanceUID, ds.FrameOfReferenceUID = UID("2.25.2"), UID("2.25.3"), UID("2.25.4")
    ds.Modality, ds.SeriesNumber, ds.InstanceNumber = "MR", 3, 1
    ds.PatientName, ds.PatientID = "Nobody^Test", "T-1"
    ds.ImagePositionPatient = [-12.5, 7.25, 31]
    c, s = float(f"{np.cos(0.3):.12f}"), float(f"{np.sin(0.3):.12f}")
    ds.ImageOrientationPatient = [c, s, 0, 0, 0, -1]
    ds.PixelSpacing, ds.SliceThickness = [0.75, 1.25], 3
    ds.Rows, ds.Columns = pixels.shape[-2:]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = pixels.dtype.itemsize * 8, bits, bits - 1
    ds.PixelRepresentation = int(np.issubdtype(pixels.dtype, np.signedinteger))
    return ds


def save(name, ds, data, values, **more):
    for key, value in more.items():
        setattr(ds, key, value)
    ds.PixelData = data
    syntax = ds.file_meta.TransferSyntaxUID
    if syntax.is_encapsulated:
        ds["PixelData"].is_undefined_length = True
        ds["PixelData"].VR = "OB"
    else:
        ds["PixelData"].VR = "OW"
    ds.save_as(HERE / name, enforce_file_format=True)
    EXACT[name] = values


def compressed(name, syntax, encode, pixels, bits, values=None, **more):
    data = encapsulate([encode(pixels)])
    save(name, header(pixels, bits, syntax), data, pixels if values is None else values, **more)


def native(name, syntax, pixels, bits, values=None, **more):
    stored = pixels.astype(pixels.dtype.newbyteorder(">")) if syntax == BIG else pixels
    data = stored.tobytes()
    if syntax == BIG and pixels.dtype.itemsize == 1:
        data = np.frombuffer(data, "<u2").byteswap().tobytes()
    save(name, header(pixels, bits, syntax), data + b"\0" * (len(data) % 2), pixels if values is None else values, **more)


def rle(pixels):
    rows, columns = pixels.shape
    planes = pixels.reshape(-1).view(np.uint8).reshape(rows, columns, -1)[..., ::-1]
    segments = [bytes(_encode_segment(planes[..., p].tobytes(), columns)) for p in range(planes.shape[-1])]
    offsets, at = [], 64
    for segment in segments:
        offsets.append(at)
        at += len(segment)
    head = np.zeros(16, "<u4")
    head[0] = len(segments)
    head[1 : 1 + len(offsets)] = offsets
    return head.tobytes() + b"".join(segments)


def make():
    u8, u12, u16, s16 = picture(13, 7, np.uint8, 8), picture(17, 23, np.uint16, 12), picture(9, 31, np.uint16, 16), picture(21, 11, np.int16, 16)
    s12 = picture(15, 19, np.int16, 12)
    u32 = picture(5, 7, np.uint32, 24)
    native("implicit_u8.dcm", IMPLICIT, u8, 8)
    native("explicit_s16.dcm", EXPLICIT, s16, 16)
    native("big_u8.dcm", BIG, u8.reshape(-1)[:90].reshape(9, 10).copy(), 8)
    native("big_s12.dcm", BIG, s12, 12)
    native("deflated_u12.dcm", DEFLATED, u12, 12)
    native("implicit_u32.dcm", IMPLICIT, u32, 32)
    native("mono1_u12.dcm", EXPLICIT, u12, 12, values=4095 - u12.astype(np.int64), PhotometricInterpretation="MONOCHROME1")
    native("mono1_s12.dcm", EXPLICIT, s12, 12, values=-1 - s12.astype(np.int64), PhotometricInterpretation="MONOCHROME1")
    masked = (s12.astype(np.int64) & 0x0FFF).astype(np.uint16) | np.uint16(0x5000)
    native("overlay_in_high_bits_s12.dcm", EXPLICIT, masked, 12, values=s12, PixelRepresentation=1)
    shifted = (u12.astype(np.uint16) << 4) | np.uint16(0x000F)
    native("high_bit_u12.dcm", EXPLICIT, shifted, 12, values=u12, HighBit=15)
    native("rescaled_s16.dcm", EXPLICIT, s16, 16, values=s16 * 0.25 - 17.5, RescaleSlope="0.25", RescaleIntercept="-17.5", RescaleType="US")
    compressed("rle_u8.dcm", RLE, rle, u8, 8)
    compressed("rle_s16.dcm", RLE, rle, s16, 16)
    compressed("rle_u32.dcm", RLE, rle, u32, 32)
    baseline = imagecodecs.jpeg8_encode(u8, level=90)
    save("jpeg_baseline_u8.dcm", header(u8, 8, BASELINE), encapsulate([baseline]), imagecodecs.jpeg8_decode(baseline))
    for name, pixels, bits in [("u8", u8, 8), ("u12", u12, 12), ("u16", u16, 16)]:
        compressed(f"jpeg_lossless_{name}.dcm", LOSSLESS_1, lambda p, b=bits: imagecodecs.ljpeg_encode(p, bitspersample=b), pixels, bits)
        compressed(f"jpeg_ls_{name}.dcm", LS, imagecodecs.jpegls_encode, pixels, bits)
        near = imagecodecs.jpegls_encode(pixels, level=2)
        save(f"jpeg_ls_near_{name}.dcm", header(pixels, bits, LS_NEAR), encapsulate([near]), imagecodecs.jpegls_decode(near))
        lossy = imagecodecs.jpeg2k_encode(pixels, codecformat="J2K", reversible=True, bitspersample=bits)
        compressed(f"jpeg2000_{name}.dcm", J2K, lambda p, d=lossy: d, pixels, bits)
    signed = imagecodecs.jpeg2k_encode(s16, codecformat="J2K", reversible=True)
    compressed("jpeg2000_s16.dcm", J2K, lambda p: signed, s16, 16)
    ls_signed = imagecodecs.jpegls_encode(s16.view(np.uint16))
    compressed("jpeg_ls_s16.dcm", LS, lambda p: ls_signed, s16, 16)
    flat = np.full((40, 300), 77, np.uint8)
    flat[20, 150:] = 78
    compressed("jpeg_ls_runs_u8.dcm", LS, imagecodecs.jpegls_encode, flat, 8)
    # Names in a character set of several bytes, and things that must not come along into a derived image.
    ds = header(u12, 12, EXPLICIT)
    ds.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
    ds.PatientName = "Yamada^Tarou=山田^太郎=やまだ^たろう"
    ds.OtherPatientIDsSequence = [Dataset()]
    ds.OtherPatientIDsSequence[0].PatientID = "T-2"
    ds.EchoTime, ds.RepetitionTime, ds.OperatorsName, ds.InstitutionName = 90, 4000, "Operator", "Institution"
    ds.LossyImageCompression, ds.WindowCenter, ds.WindowWidth = "01", 100, 50
    ds.add_new(0x00291010, "OB", b"\x01\x02")
    ds.add_new(0x60003000, "OW", b"\x01\x02")
    ds.add_new(0x60000010, "US", 1)
    icon = Dataset()
    icon.Rows = icon.Columns = 1
    icon.add_new(0x7FE00010, "OW", b"\x01\x02")
    ds.IconImageSequence = [icon]
    save("names_and_stale_tags.dcm", ds, u12.tobytes() + b"\0" * (u12.nbytes % 2), u12)
    enhanced()


def enhanced():
    """Five frames, stored out of order, two fragments each, with a rescale of their own."""
    frames = [picture(6, 5, np.uint16, 12, seed) for seed in range(5)]
    order = [3, 0, 4, 1, 2]
    stored = np.stack([frames[at] for at in order])
    ds = header(stored, 12, RLE)
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.4.1")
    ds.NumberOfFrames = 5
    shared, measures, plane = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness, measures.SpacingBetweenSlices = ds.PixelSpacing, 3, 2.5
    plane.ImageOrientationPatient = ds.ImageOrientationPatient
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [plane]
    ds.SharedFunctionalGroupsSequence = [shared]
    a, b = np.array(ds.ImageOrientationPatient[:3], float), np.array(ds.ImageOrientationPatient[3:], float)
    normal = np.cross(a, b)
    origin = np.array(ds.ImagePositionPatient, float)
    groups = []
    for at in order:
        group, position, transform = Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = [f"{v:.10f}"[:16] for v in origin + 2.5 * at * normal]
        transform.RescaleSlope, transform.RescaleIntercept, transform.RescaleType = str(1 + at), "-1", "US"
        group.PlanePositionSequence, group.PixelValueTransformationSequence = [position], [transform]
        groups.append(group)
    ds.PerFrameFunctionalGroupsSequence = groups
    del ds.ImagePositionPatient, ds.ImageOrientationPatient, ds.PixelSpacing, ds.SliceThickness
    # An RLE frame must be one fragment; here an uncompressed copy and the compressed one are made.
    save("enhanced_rle.dcm", ds, encapsulate([rle(frame) for frame in stored]), np.stack([f.astype(float) * (1 + i) - 1 for i, f in enumerate(frames)]))
    ds.file_meta.TransferSyntaxUID = UID(LS)
    streams = [imagecodecs.jpegls_encode(frame) for frame in stored]
    save("enhanced_jpeg_ls_fragments.dcm", ds, encapsulate(streams, fragments_per_frame=2), EXACT["enhanced_rle.dcm"])


def affine(frames):
    """frames: (position, orientation, spacing, declared step) in order along the normal."""
    position, orientation, spacing, declared = frames[0]
    a, b = orientation[:3], orientation[3:]
    normal = np.cross(a, b) / np.linalg.norm(np.cross(a, b))
    step = (frames[-1][0] - position) / (len(frames) - 1) if len(frames) > 1 else normal * declared
    lps = np.stack([a * spacing[1], b * spacing[0], step, position], axis=1)
    return np.diag([-1, -1, 1]) @ lps


def geometry(ds):
    def one(item, frame):
        shared = ds.SharedFunctionalGroupsSequence[0] if "SharedFunctionalGroupsSequence" in ds else Dataset()
        def find(group, key):
            for holder in (frame, shared):
                if group in holder and key in holder[group][0]:
                    return holder[group][0][key].value
            return item.get(key)
        step = find("PixelMeasuresSequence", "SpacingBetweenSlices") or find("PixelMeasuresSequence", "SliceThickness")
        slope = find("PixelValueTransformationSequence", "RescaleSlope")
        intercept = find("PixelValueTransformationSequence", "RescaleIntercept")
        position = find("PlanePositionSequence", "ImagePositionPatient")
        if position is None:
            return None
        return (
            np.array(position, float), np.array(find("PlaneOrientationSequence", "ImageOrientationPatient"), float),
            np.array(find("PixelMeasuresSequence", "PixelSpacing"), float), float(step or 1),
        ), float(1 if slope is None else slope), float(intercept or 0)
    frames = ds.get("PerFrameFunctionalGroupsSequence") or [Dataset()] * int(ds.get("NumberOfFrames") or 1)
    return [one(ds, frame) for frame in frames]


def line(name, datasets, exact=None):
    slices = []
    for ds in datasets:
        if ds.SamplesPerPixel != 1:
            raise ValueError("in colour")
        stored = ds.pixel_array
        stored = stored[None] if stored.ndim == 2 else stored
        for frame, place in zip(stored, geometry(ds)):
            geo, slope, intercept = place or (None, float(ds.get("RescaleSlope", 1)), float(ds.get("RescaleIntercept", 0)))
            slices.append((geo, frame.astype(np.float64) * slope + intercept))
    rows = "-"
    if slices[0][0] is not None:
        a, b = slices[0][0][1][:3], slices[0][0][1][3:]
        slices.sort(key=lambda one: one[0][0] @ np.cross(a, b))
        rows = " ".join(repr(float(v)) for v in affine([geo for geo, _ in slices]).reshape(-1))
    values = np.stack([values for _, values in slices])
    if exact is not None:
        exact = np.asarray(exact, np.float64).reshape(values.shape)
        special = any(word in name for word in ("mono1", "high_bit"))
        if not special:
            np.testing.assert_array_equal(values, exact, err_msg=name)
        values = exact
    digest = hashlib.sha256(np.ascontiguousarray(values, "<f4").tobytes()).hexdigest()
    shape = "x".join(map(str, values.shape))
    return f"{name}\t{shape}\t{digest}\t{rows}\t{datasets[0].get('Modality', '-')}\n"


def main():
    make()
    # Decoders of JPEG baseline may differ by 1: these values are compared one by one.
    EXACT.pop("jpeg_baseline_u8.dcm")
    np.savetxt(HERE / "jpeg_baseline_u8.txt", pydicom.dcmread(HERE / "jpeg_baseline_u8.dcm").pixel_array, "%d")
    lines = [line(name, [pydicom.dcmread(HERE / name)], exact) for name, exact in sorted(EXACT.items())]
    shared = os.environ.get("MRI_TEST_DATA")
    if shared:
        folder = Path(shared) / "dicom"
        for path in sorted((folder / "pydicom").glob("*.dcm")):
            try:
                lines.append(line(f"pydicom/{path.name}", [pydicom.dcmread(path, force=True)]))
            except Exception as error:  # The files that pydicom cannot read either.
                print("no values:", path.name, str(error)[:80], file=sys.stderr)
        lines.append(line("t1w_series", [pydicom.dcmread(path) for path in sorted((folder / "t1w_series").glob("*.dcm"))]))
    (HERE / "values.tsv").write_text("".join(lines))


main()
