"""Reads the files that a list names with nibabel: values and geometry must be as the list says.

    python read_back.py LIST.json
"""

import json
import pathlib
import sys

import nibabel
import numpy as np

folder = pathlib.Path(sys.argv[1]).parent
records = json.load(open(sys.argv[1]))
for record in records:
    name = record["name"]
    image = nibabel.load(folder / name)
    header = image.header
    expected = np.fromfile(folder / record["values"], dtype="<f4").reshape(record["shape"], order="F")
    assert image.shape == tuple(record["dimensions"]), (name, image.shape)
    values = image.get_fdata().reshape(record["shape"], order="F")
    worst = np.abs(values - expected).max()
    assert worst <= record["tolerance"] + 1e-6 * np.abs(expected).max(), (name, worst)
    np.testing.assert_allclose(image.affine[:3], record["affine"], rtol=1e-6, atol=1e-6, err_msg=name)
    assert image.get_data_dtype() == np.dtype(record["dtype"]), name
    assert (int(header["qform_code"]), int(header["sform_code"])) == tuple(record["codes"]), name
    if header["qform_code"] and header["sform_code"] and record["forms_agree"]:
        np.testing.assert_allclose(header.get_qform()[:3], header.get_sform()[:3], atol=2e-3, err_msg=name)
    assert header.get_xyzt_units()[0] == record["unit"], name
    assert header["descrip"].item() == b"synthetic, research only", name
    assert header["cal_min"] == header["cal_max"] == 0, name
    extensions = [[int(one.get_code()), len(one.get_content())] for one in header.extensions]
    assert extensions == record["extensions"], (name, extensions)
print(len(records), "files read back")
