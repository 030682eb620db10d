"""Writes files/ and goldens.json: small NIfTI files of every kind, and what nibabel reads from them.

    python make_goldens.py [FOLDER OF REAL INPUTS]

With the folder that MRI_TEST_DATA names, the volumes there are in the goldens too. nibabel 5.4, numpy 2.
"""

import gzip
import hashlib
import json
import pathlib
import sys

import nibabel
import numpy as np

HERE = pathlib.Path(__file__).parent
FILES = HERE / "files"
RAMP = np.arange(60).reshape((5, 4, 3), order="F")
OBLIQUE = [[-1.9, 0.3, 0.1, 12.5], [0.31, 1.88, -0.4, -20.25], [0.05, 0.44, 2.9, 7.125]]


def raw(order="<", version=1, dtype="i2", data=RAMP, dims=None, pair=False, gap=b"\0\0\0\0", **fields):
    """A header filled field by field, so that fields can be wrong, and the bytes of the voxels."""
    header = (nibabel.Nifti1Header if version == 1 else nibabel.Nifti2Header)(endianness=order)
    block = header._structarr
    block["pixdim"] = [1, 2, 2, 3, 0, 0, 0, 0]
    dims = dims or data.shape
    block["dim"] = [len(dims), *dims, *[1] * (7 - len(dims))]
    dtype = np.dtype(dtype)
    block["datatype"] = nibabel.nifti1.data_type_codes[dtype]
    block["bitpix"] = 8 * dtype.itemsize
    block["magic"] = f"n{'i' if pair else '+'}{version}".encode()
    block["vox_offset"] = 0 if pair else header.sizeof_hdr + len(gap)
    block["scl_slope"] = block["scl_inter"] = 0
    for name, value in fields.items():
        block[name] = value
    return header.binaryblock, gap, data.astype(dtype.newbyteorder(order)).tobytes(order="F")


def save(name, parts):
    """A single file, or a pair where the name is that of a header; compressed if it ends in gz."""
    header, gap, voxels = parts
    compress = (lambda data: gzip.compress(data, mtime=0)) if name.endswith(".gz") else bytes
    if ".hdr" in name:
        (FILES / name).write_bytes(compress(header + gap))
        (FILES / name.replace(".hdr", ".img")).write_bytes(compress(voxels))
    else:
        (FILES / name).write_bytes(compress(header + gap + voxels))


def sform(rows=OBLIQUE, code=1):
    return dict(srow_x=rows[0], srow_y=rows[1], srow_z=rows[2], sform_code=code)


def qform(b=0.1, c=-0.2, d=0.7, code=1, offset=(-90.5, 31.25, -7.0)):
    x, y, z = offset
    return dict(quatern_b=b, quatern_c=c, quatern_d=d, qform_code=code, qoffset_x=x, qoffset_y=y, qoffset_z=z)


def extension(order, code, text, size):
    return np.array([size, code], dtype=order + "i4").tobytes() + text.ljust(size - 8, b"\0")


def make():
    FILES.mkdir(exist_ok=True)
    for old in FILES.iterdir():
        old.unlink()
    integers = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8"]
    for dtype in integers + ["f4", "f8"]:
        if dtype in integers:
            info = np.iinfo(dtype)
            data = np.array([info.min, info.max, 0, 1, 7, info.max // 3], dtype=dtype)
        else:
            data = np.array([0, -1.5, 3e38, 1e-30, 0.1, 16777217], dtype=dtype)
        data = data.reshape((3, 2, 1), order="F")
        for order, name in [("<", "little"), (">", "big")]:
            save(f"{name}_{dtype}.nii", raw(order, dtype=dtype, data=data, **sform()))
            scaled = dict(scl_slope=0.37, scl_inter=-11.3)
            save(f"{name}_{dtype}_scaled.nii", raw(order, dtype=dtype, data=data, **sform(), **scaled))
    save("slope_nan.nii", raw(scl_slope=np.nan, scl_inter=np.nan))
    save("slope_infinite.nii", raw(scl_slope=np.inf, scl_inter=3))
    save("slope_zero_intercept_5.nii", raw(scl_slope=0, scl_inter=5))
    save("slope_negative.nii", raw(scl_slope=-2, scl_inter=100))
    save("slope_one_intercept_5.nii", raw(scl_slope=1, scl_inter=5))
    values = RAMP.astype("f4") / 7
    values[0, 0, 0], values[1, 2, 1], values[4, 3, 2] = np.nan, np.inf, -np.inf
    save("not_finite.nii", raw(dtype="f4", data=values))
    save("sform_only.nii.gz", raw(**sform(code=4)))
    save("qform_only.nii.gz", raw(**qform(code=2)))
    save("qform_qfac_minus_1.nii", raw(pixdim=[-1, 2, 1.5, 3, 0, 0, 0, 0], **qform()))
    save("qform_qfac_0.nii", raw(pixdim=[0, 2, 1.5, 3, 0, 0, 0, 0], **qform()))
    # A little longer than 1, as f32 rounding makes it.
    save("qform_half_turn.nii", raw(**qform(b=np.float32(0.8), c=np.float32(0.6), d=0)))
    save("both_forms.nii", raw(**sform(code=3), **qform(code=1)))
    save("neither.nii", raw(pixdim=[1, 0.5, 2.5, 4, 0, 0, 0, 0]))
    save("neither_pixdim_0_and_negative.nii", raw(pixdim=[1, 0, -2.5, 4, 0, 0, 0, 0]))
    save("flat.nii", raw(data=RAMP[:, :, 0], pixdim=[1, 0.5, 2.5, 4, 0, 0, 0, 0]))
    save("line.nii", raw(data=RAMP[:, 0, 0], pixdim=[1, 0.5, 2.5, 4, 0, 0, 0, 0]))
    save("one_voxel.nii", raw(data=RAMP[2:3, 2:3, 2:3], dtype="u1", **sform()))
    save("four_axes_one_volume.nii", raw(dims=(5, 4, 3, 1), **sform()))
    save("seven_axes_one_volume.nii", raw(dims=(5, 4, 3, 1, 1, 1, 1), **qform()))
    save("rest_of_dim_is_0.nii", raw(dim=[3, 5, 4, 3, 0, 0, 0, 0], **sform()))
    for order, name in [("<", "little"), (">", "big")]:
        save(f"nifti2_{name}.nii", raw(order, version=2, dtype="f4", data=RAMP / 3, **sform(), **qform()))
        scaled = dict(scl_slope=1 / 3, scl_inter=0.1)
        save(f"nifti2_{name}_scaled.nii.gz", raw(order, version=2, dtype="u2", **qform(), **scaled))
        save(f"pair_{name}.hdr", raw(order, pair=True, gap=b"", **sform()))
        gap = b"\1\0\0\0" + extension(order, 6, b"a comment", 32) + extension(order, 4, b"<AFNI/>", 48)
        save(f"extensions_{name}.nii", raw(order, gap=gap, **sform()))
        save(f"nifti2_extensions_{name}.nii.gz", raw(order, version=2, gap=gap, **sform()))
    save("pair_compressed.hdr.gz", raw(pair=True, dtype="u1", **qform()))
    save("nifti2_pair.hdr", raw(version=2, pair=True, dtype="f8", data=RAMP / 9, **sform()))
    header, _, voxels = raw(pair=True, vox_offset=32, **sform())
    gap = b"\1\0\0\0" + extension("<", 6, b"in the header", 32)
    save("pair_offset_and_extension.hdr", (header, gap, b"\7" * 32 + voxels))
    save("gap_without_extensions.nii", raw(gap=bytes(4 + 112), **sform()))
    header, gap, voxels = raw(**sform())
    save("bytes_behind_the_voxels.nii", (header, gap, voxels + b"more"))
    whole = b"".join(raw(dtype="u1", **sform()))
    members = gzip.compress(whole[:300], mtime=0) + gzip.compress(whole[300:], mtime=0)
    (FILES / "two_gzip_members.nii.gz").write_bytes(members)


def golden(path, *, full):
    image = nibabel.load(path)
    if image.get_data_dtype().kind not in "iuf":
        raise ValueError("not real numbers")
    proxy = image.dataobj
    scaled = (proxy.slope, proxy.inter) != (1, 0)
    with np.errstate(over="ignore"):
        values = (image.get_fdata() if scaled else np.asanyarray(proxy)).astype("<f4")
    bytes_in_file_order = values.tobytes(order="F")
    record = {
        "shape": (list(values.shape) + [1, 1])[:3],
        "affine": [[float(number) for number in row] for row in image.affine[:3]],
        "dtype": str(image.get_data_dtype().newbyteorder("=")),
        "extensions": [[int(one.get_code()), len(one.get_content())] for one in image.header.extensions],
        "sha256": hashlib.sha256(bytes_in_file_order).hexdigest(),
    }
    if full:
        record["values"] = [None if not np.isfinite(v) else float(v) for v in values.ravel(order="F")]
    return record


def main():
    make()
    small = {path.name: golden(path, full=True) for path in sorted(FILES.iterdir()) if ".img" not in path.name}
    goldens = {"small": small, "real": {}}
    if len(sys.argv) > 1:
        root = pathlib.Path(sys.argv[1])
        for path in sorted([*root.glob("nifti/**/*"), *root.glob("volumes/**/*.nii.gz")]):
            if not path.name.endswith((".nii", ".nii.gz", ".hdr", ".hdr.gz")):
                continue
            try:
                goldens["real"][str(path.relative_to(root))] = golden(path, full=False)
            except Exception as error:  # refused by nibabel, or not real numbers
                print("left out:", path.relative_to(root), type(error).__name__, error)
    lines = lambda records: ",\n".join(f"{json.dumps(name)}: {json.dumps(one)}" for name, one in records.items())
    parts = ",\n".join(f'"{part}": {{\n{lines(records)}\n}}' for part, records in goldens.items())
    (HERE / "goldens.json").write_text(f"{{{parts}}}\n")


main()
