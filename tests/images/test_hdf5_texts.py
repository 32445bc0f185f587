"""Texts of HDF5 files are no longer than their file, in whichever version they were written."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from selma3d.images.hdf5_texts import check_texts
from selma3d.system.errors import InputError

LENGTHS = {"specimen": 7, "names": 3, "Größe": 5000, "k11": 3}  # of the first text of each
OF_A_BYTE = b"\x10\0\0\0\x01\0\0\0\0\0\x08\0"  # the end of the type of such texts


def write(path: Path, version: str) -> bytes:
    with h5py.File(path, "w", libver=version) as file:
        file.attrs["specimen"] = "mouse 1"
        file.attrs["names"] = ["red", "green"]
        file.attrs.create("four", [["a", "b"], ["c", "d"]], dtype=h5py.string_dtype("ascii"))
        file.attrs["none"] = h5py.Empty(h5py.string_dtype())
        image = file.create_dataset("image", data=np.arange(5))
        image.attrs["Größe"] = "x" * 5000
        for number in range(12):  # in newer versions so many lie in a place of their own
            image.attrs[f"k{number}"] = f"v{number}"
        file.create_dataset("texts", data=["a", "b"], dtype=h5py.string_dtype())
    return path.read_bytes()


@pytest.mark.parametrize("version", ["earliest", "v110", "latest"])
def test_a_text_of_gigabytes_is_refused_and_the_whole_file_is_not(tmp_path, version):
    whole = write(tmp_path / "whole.h5", version)
    check_texts(tmp_path / "whole.h5")
    for name, length in LENGTHS.items():
        type_of_it = whole.index(OF_A_BYTE, whole.index(f"{name}\0".encode())) + len(OF_A_BYTE)
        at = whole.index(length.to_bytes(4, "little"), type_of_it)
        spoilt = tmp_path / f"{name}.h5"
        spoilt.write_bytes(whole[:at] + (0xF0000000).to_bytes(4, "little") + whole[at + 4 :])
        with pytest.raises(InputError, match="expected texts within the file, found longer ones"):
            check_texts(spoilt)
