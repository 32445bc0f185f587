"""Small images of two channels in the formats of microscopes, none written by its own reader."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Callable
from pathlib import Path

import h5py
import npy2bdv
import numpy as np
import zarr
from PIL import Image, TiffImagePlugin
from pylibCZIrw import czi as pylibczi

GREY = np.random.default_rng(0).integers(0, 60000, (2, 9, 20, 31)).astype(np.uint16)
SIZE = (6.0, 1.5, 1.25)  # µm (z,y,x)
NAMES = ("cfos", "autofluorescence")


def ome(version: str) -> dict:
    axes = [{"name": "c", "type": "channel"}]
    axes += [{"name": a, "type": "space", "unit": "micrometer"} for a in "zyx"]
    scale = [{"type": "scale", "scale": [1, *SIZE]}]
    return {
        "multiscales": [
            {
                "version": version,
                "axes": axes,
                "datasets": [{"path": "0", "coordinateTransformations": scale}],
            }
        ],
        "omero": {"channels": [{"label": name} for name in NAMES]},
    }


def ome_zarr_4(path: Path) -> Path:
    """By zarr-python."""
    group = zarr.open_group(path, mode="w", zarr_format=2)
    group.create_array("0", data=GREY, chunks=(1, 4, 8, 8))
    group.attrs.update(ome("0.4"))
    return path


def ome_zarr_5(path: Path) -> Path:
    """By zarr-python, in shards."""
    group = zarr.open_group(path, mode="w", zarr_format=3)
    group.create_array("0", data=GREY, chunks=(1, 4, 8, 8), shards=(1, 8, 16, 32))
    group.attrs["ome"] = {"version": "0.5", **ome("0.5")}
    return path


def n5_block(voxels: np.ndarray) -> bytes:
    """A block (Z,Y,X), as N5's specification has it: big endian, lengths in the order X, Y, Z."""
    head = struct.pack(">HH3I", 0, 3, *reversed(voxels.shape))
    return head + gzip.compress(voxels.astype(">u2").tobytes())


def n5_array(folder: Path, grey: np.ndarray, **attributes: object) -> None:
    """By hand, after N5's specification: blocks of 16³."""
    for z, y, x in np.ndindex(*(-(-n // 16) for n in grey.shape)):
        block = folder / str(x) / str(y) / str(z)
        block.parent.mkdir(parents=True, exist_ok=True)
        part = grey[tuple(slice(i * 16, i * 16 + 16) for i in (z, y, x))]
        block.write_bytes(n5_block(part))
    about = {
        "dimensions": list(reversed(grey.shape)),
        "blockSize": [16, 16, 16],
        "dataType": "uint16",
        "compression": {"type": "gzip", "level": -1, "useZlib": False},
    }
    (folder / "attributes.json").write_text(json.dumps(about | attributes))


def n5(path: Path) -> Path:
    for number, channel in enumerate(GREY):
        n5_array(path / f"c{number}" / "s0", channel)
        about = {"pixelResolution": {"unit": "um", "dimensions": list(reversed(SIZE))}}
        (path / f"c{number}" / "attributes.json").write_text(json.dumps(about))
    (path / "attributes.json").write_text('{"n5": "2.5.1"}')
    return path


def letters(text: object) -> np.ndarray:
    return np.array([character.encode() for character in str(text)], "S1")


def imaris(path: Path) -> Path:
    """By hand, after Bitplane's description: datasets padded to chunks, texts as characters."""
    with h5py.File(path, "w") as file:
        about = file.create_group("DataSetInfo/Image").attrs
        for axis, length in zip("ZYX", GREY.shape[1:], strict=True):
            about[axis] = letters(length)
        for axis, (length, size) in enumerate(
            zip(reversed(GREY.shape[1:]), reversed(SIZE), strict=True)
        ):
            about[f"ExtMin{axis}"] = letters(-10.0)
            about[f"ExtMax{axis}"] = letters(-10.0 + length * size)
        about["Unit"] = letters("um")
        for number, (channel, name) in enumerate(zip(GREY, NAMES, strict=True)):
            file.create_group(f"DataSetInfo/Channel {number}").attrs["Name"] = letters(name)
            padded = np.zeros((16, 32, 32), np.uint16)
            padded[:9, :20, :31] = channel
            place = f"DataSet/ResolutionLevel 0/TimePoint 0/Channel {number}"
            file.create_dataset(f"{place}/Data", data=padded, chunks=(8, 16, 16), compression=2)
            file[f"{place}/Histogram"] = np.zeros(256, np.uint64)
    return path


def bigdataviewer(path: Path) -> Path:
    """By npy2bdv: the .h5 and its .xml."""
    writer = npy2bdv.BdvWriter(str(path.with_suffix(".h5")), nchannels=2, blockdim=((4, 8, 8),))
    for number, channel in enumerate(GREY):
        writer.append_view(
            channel, channel=number, voxel_size_xyz=tuple(reversed(SIZE)), voxel_units="um"
        )
    writer.set_attribute_labels("channel", NAMES)
    writer.write_xml()
    writer.close()
    return path


def bigdataviewer_n5(path: Path) -> Path:
    """After BigDataViewer's documentation, a set-up a channel in .n5; the .xml is npy2bdv's."""
    text = bigdataviewer(path).read_text()
    path.with_suffix(".h5").unlink()
    begin, end = text.index("<ImageLoader"), text.index("</ImageLoader>")
    loader = '<ImageLoader format="bdv.n5" version="1.0"><n5 type="relative">a.n5</n5>'
    path.write_text(text[:begin] + loader + text[end:])
    for number, channel in enumerate(GREY):
        setup = path.with_suffix(".n5") / f"setup{number}"
        n5_array(setup / "timepoint0" / "s0", channel, downsamplingFactors=[1, 1, 1])
        about = {"downsamplingFactors": [[1, 1, 1]], "dataType": "uint16"}
        (setup / "attributes.json").write_text(json.dumps(about))
        times = {"multiScale": True, "resolution": list(reversed(SIZE))}
        (setup / "timepoint0" / "attributes.json").write_text(json.dumps(times))
    (path.with_suffix(".n5") / "attributes.json").write_text('{"n5": "2.5.1"}')
    return path


def czi(path: Path, compression: str = "zstd1:ExplicitLevel=3") -> Path:
    """By Zeiss's own library."""
    with pylibczi.create_czi(str(path), compression_options=compression) as document:
        for c, z in np.ndindex(2, 9):
            document.write(GREY[c, z][..., None], plane={"C": c, "Z": z, "T": 0})
        document.write_metadata(
            "brain",
            channel_names=dict(enumerate(NAMES)),
            scale_x=SIZE[2] * 1e-6,
            scale_y=SIZE[1] * 1e-6,
            scale_z=SIZE[0] * 1e-6,
        )
    return path


def by_pillow(path: Path, planes: np.ndarray, description: str, **tags: float) -> Path:
    """A TIFF by Pillow, which knows neither ImageJ nor OME: the description is theirs."""
    info = TiffImagePlugin.ImageFileDirectory_v2()
    info[270] = description
    pages = [Image.fromarray(plane) for plane in planes]
    pages[0].save(path, save_all=True, append_images=pages[1:], tiffinfo=info, **tags)
    return path


def ome_tiff(path: Path) -> Path:
    """The description after the OME schema."""
    sizes = "".join(f'PhysicalSize{axis}="{size}" ' for axis, size in zip("ZYX", SIZE, strict=True))
    channels = "".join(
        f'<Channel ID="Channel:0:{n}" Name="{name}" SamplesPerPixel="1"/>'
        for n, name in enumerate(NAMES)
    )
    text = (
        '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/'
        f'OME/2016-06"><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" '
        f'Type="uint16" SizeX="31" SizeY="20" SizeC="2" SizeZ="9" SizeT="1" {sizes}>{channels}'
        '<TiffData IFD="0" PlaneCount="18"/></Pixels></Image></OME>'
    )
    planes = GREY.transpose(1, 0, 2, 3).reshape(-1, 20, 31)
    return by_pillow(path, planes, text)


def imagej(path: Path) -> Path:
    """ImageJ's description of a stack whose planes are stored as times."""
    text = (
        f"ImageJ=1.54f\nimages=18\nchannels=2\nframes=9\nhyperstack=true\nmode=grayscale\n"
        f"unit=micron\nspacing={SIZE[0]}\nloop=false\n"
    )
    planes = GREY.transpose(1, 0, 2, 3).reshape(-1, 20, 31)
    return by_pillow(
        path, planes, text, x_resolution=1 / SIZE[2], y_resolution=1 / SIZE[1], resolution_unit=1
    )


FORMATS: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "OME-Zarr 0.4": ("a.ome.zarr", ome_zarr_4),
    "OME-Zarr 0.5": ("a.zarr", ome_zarr_5),
    "N5": ("a.n5", n5),
    "Imaris": ("a.ims", imaris),
    "BigDataViewer": ("a.xml", bigdataviewer),
    "BigDataViewer's HDF5": ("a.h5", bigdataviewer),
    "BigDataViewer's N5": ("a.xml", bigdataviewer_n5),
    "CZI": ("a.czi", czi),
    "OME-TIFF": ("a.ome.tif", ome_tiff),
    "ImageJ": ("a.tif", imagej),
}
NAMELESS = ("N5", "ImageJ")  # no channel names in them
