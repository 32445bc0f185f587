"""Formats of images: what each reading costs beside the format's own library.

    python benchmarks/formats.py [--edge 512] [--folder FOLDER] [--only NAME ...]

One channel of edge³ voxels with 16 bits is written in each format and read: by `open_image`, 64
planes at a time as a volume is converted, and whole by the library that one would take otherwise.
Printed is a Markdown table: voxel size and channel names as they were found, peak memory above what
was held before, and CPU seconds of ours beside the library's.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import h5py
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

SIZE = (6.0, 1.5, 1.25)  # µm (z,y,x)
NAME = "cfos"
DEPTH = 64  # planes that are read at a time
CHUNK = (64, 64, 64)
DEFLATE = {"compression": "zlib", "compressionargs": {"level": 1}}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--edge", type=int, default=512)
    arguments.add_argument("--folder", type=Path, help="where to write (default: TMPDIR)")
    arguments.add_argument("--only", nargs="+", default=list(FORMATS), choices=FORMATS)
    options = arguments.parse_args()
    print(f"{options.edge}³ voxels, {2 * options.edge**3 / 1e6:.0f} MB\n")
    print("| format | voxel size | channels | peak, MB | the library's, MB | CPU s, ratio |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for name in options.only:
            file, write, plain = FORMATS[name]
            path, small = (Path(folder) / name / size / file for size in ("large", "small"))
            for place, edge in ((path, options.edge), (small, DEPTH)):
                place.parent.mkdir(parents=True)
                write(place, edge)
            ours, found = measured(read_by_us, small, path)
            theirs, _ = measured(plain, small, path)
            ratio = f"{ours['s']:.2f}, {ours['s'] / theirs['s']:.2f}"
            print(f"| {name} | {found} | {ours['mb']:.0f} | {theirs['mb']:.0f} | {ratio} |")
            sys.stdout.flush()
            shutil.rmtree(Path(folder) / name)


Measured = dict[str, float]
Read = Callable[[Path], object]


def measured(read: Read, small: Path, path: Path) -> tuple[Measured, object]:
    """`measured_here` in a process of its own, whose memory nothing else has used."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as own:
        return own.submit(measured_here, read, small, path).result()


def measured_here(read: Read, small: Path, path: Path) -> tuple[Measured, object]:
    """Peak memory of a reading above the start (MB), and its CPU seconds.

    small: an image of the same format, read before for what it imports.
    """
    read(small)
    Path("/proc/self/clear_refs").write_text("5")
    before, began = peak_mb(), time.process_time()
    result = read(path)
    seconds = time.process_time() - began
    return {"mb": peak_mb() - before, "s": seconds}, result if isinstance(result, str) else None


def peak_mb() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def read_by_us(path: Path) -> str:
    """All planes, some at a time; voxel size and channel names as cells of the table."""
    from selma3d.images.readers import open_image

    with open_image(path) as image:
        for start in range(0, image.shape[1], DEPTH):
            stop = min(start + DEPTH, image.shape[1])
            if image.by_plane:
                for z in range(start, stop):
                    image.plane(0, z)
            else:
                image.read(0, start, stop)
        size = image.voxel_size_um
        stated = "none" if size is None else " × ".join(f"{length:g}" for length in size)
        return f"{stated} | {', '.join(image.channel_names or ('none',))}"


def grey(edge: int) -> np.ndarray:
    """A noisy image, smooth enough to be packed to about half; planes of a chunk differ."""
    noise = 400 + np.random.default_rng(0).poisson(30, (CHUNK[0], edge, edge))
    image = np.empty((edge,) * 3, np.uint16)
    for z, plane in enumerate(image):
        plane[:] = noise[z % CHUNK[0]] + z // CHUNK[0]
    return image


def write_planes(path: Path, edge: int) -> None:
    import tifffile

    path.mkdir()
    for z, plane in enumerate(grey(edge)):
        tifffile.imwrite(path / f"z{z:04d}.tif", plane, **DEFLATE)


def write_ome_tiff(path: Path, edge: int) -> None:
    import tifffile

    sizes = {f"PhysicalSize{axis}": size for axis, size in zip("ZYX", SIZE, strict=True)}
    units = {f"PhysicalSize{axis}Unit": "µm" for axis in "ZYX"}
    about = {"axes": "ZYX", "Channel": {"Name": [NAME]}, **sizes, **units}
    tifffile.imwrite(path, grey(edge), metadata=about, ome=True, **DEFLATE)


def write_zarr(path: Path, edge: int, version: int) -> None:
    import zarr

    axes = [{"name": a, "type": "space", "unit": "micrometer"} for a in "zyx"]
    scale = [{"type": "scale", "scale": SIZE}]
    about = {
        "multiscales": [
            {
                "version": "0.5" if version == 3 else "0.4",
                "axes": axes,
                "datasets": [{"path": "0", "coordinateTransformations": scale}],
            }
        ],
        "omero": {"channels": [{"label": NAME}]},
    }
    group = zarr.open_group(path, mode="w", zarr_format=version)
    group.create_array("0", data=grey(edge), chunks=CHUNK)
    group.attrs.update({"ome": {"version": "0.5", **about}} if version == 3 else about)


def write_zarr_4(path: Path, edge: int) -> None:
    write_zarr(path, edge, 2)


def write_zarr_5(path: Path, edge: int) -> None:
    write_zarr(path, edge, 3)


def write_n5(path: Path, edge: int) -> None:
    import tensorstore

    about = {"dimensions": [edge] * 3, "blockSize": CHUNK, "dataType": "uint16"}
    about["compression"] = {"type": "gzip", "level": 1}
    place = {"driver": "file", "path": str(path)}
    array = tensorstore.open({"driver": "n5", "kvstore": place, "metadata": about}, create=True)
    array.result().write(grey(edge).T).result()
    attributes = json.loads((path / "attributes.json").read_text())
    attributes["pixelResolution"] = {"unit": "um", "dimensions": SIZE[::-1]}
    (path / "attributes.json").write_text(json.dumps(attributes))


def letters(text: object) -> np.ndarray:
    return np.array([character.encode() for character in str(text)], "S1")


def write_imaris(path: Path, edge: int) -> None:
    with h5py.File(path, "w") as file:
        about = file.create_group("DataSetInfo/Image").attrs
        for axis, (letter, size) in enumerate(zip("XYZ", reversed(SIZE), strict=True)):
            about[letter] = letters(edge)
            about[f"ExtMin{axis}"], about[f"ExtMax{axis}"] = letters(0), letters(edge * size)
        about["Unit"] = letters("um")
        file.create_group("DataSetInfo/Channel 0").attrs["Name"] = letters(NAME)
        place = "DataSet/ResolutionLevel 0/TimePoint 0/Channel 0/Data"
        file.create_dataset(place, data=grey(edge), chunks=CHUNK, compression=1)


def write_bigdataviewer(path: Path, edge: int) -> None:
    import npy2bdv

    writer = npy2bdv.BdvWriter(
        str(path.with_suffix(".h5")), nchannels=1, blockdim=(CHUNK,), compression="gzip"
    )
    writer.append_view(grey(edge), voxel_size_xyz=SIZE[::-1], voxel_units="um")
    writer.set_attribute_labels("channel", (NAME,))
    writer.write_xml()
    writer.close()


def write_czi(path: Path, edge: int) -> None:
    from pylibCZIrw import czi

    metres = {f"scale_{a}": size * 1e-6 for a, size in zip("zyx", SIZE, strict=True)}
    with czi.create_czi(str(path), compression_options="zstd1:ExplicitLevel=1") as document:
        for z, plane in enumerate(grey(edge)):
            document.write(plane[..., None], plane={"C": 0, "Z": z, "T": 0})
        document.write_metadata("brain", channel_names={0: NAME}, **metres)


def write_nifti(path: Path, edge: int) -> None:
    import nibabel

    image = nibabel.Nifti1Image(grey(edge).T, np.diag([*SIZE[::-1], 1]))
    image.header.set_xyzt_units("micron")
    nibabel.save(image, path)


def write_mha(path: Path, edge: int) -> None:
    import SimpleITK

    image = SimpleITK.GetImageFromArray(grey(edge))
    SimpleITK.WriteImage(image, str(path), path.name.startswith("packed"), 1)


def write_npy(path: Path, edge: int) -> None:
    np.save(path, grey(edge))


def by_tifffile(path: Path) -> np.ndarray:
    import tifffile

    files = sorted(path.glob("*.tif")) if path.is_dir() else [path]
    return np.stack([tifffile.imread(file, maxworkers=1) for file in files])


def by_zarr(path: Path) -> np.ndarray:
    import zarr

    return zarr.open_array(path / "0", mode="r")[:]


def by_tensorstore(path: Path) -> np.ndarray:
    import tensorstore

    place = {"driver": "file", "path": str(path)}
    return tensorstore.open({"driver": "n5", "kvstore": place}).result().read().result()


def by_h5py(path: Path) -> np.ndarray:
    with h5py.File(path.with_suffix(".h5") if path.suffix == ".xml" else path) as file:
        found: list[h5py.Dataset] = []
        file.visititems(lambda _, node: found.append(node))
        found = [node for node in found if isinstance(node, h5py.Dataset)]
        return max(found, key=lambda data: data.size)[()]


def by_pylibczi(path: Path) -> np.ndarray:
    from pylibCZIrw import czi

    with czi.open_czi(str(path)) as document:
        depth = document.total_bounding_box["Z"][1]
        return np.stack([document.read(plane={"C": 0, "Z": z})[..., 0] for z in range(depth)])


def by_nibabel(path: Path) -> np.ndarray:
    import nibabel

    return np.array(nibabel.load(path).dataobj)  # no map of the file


def by_simpleitk(path: Path) -> np.ndarray:
    import SimpleITK

    return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))


FORMATS = {
    "TIFF planes, deflate": ("planes", write_planes, by_tifffile),
    "OME-TIFF, deflate": ("a.ome.tif", write_ome_tiff, by_tifffile),
    "OME-Zarr 0.4, Blosc": ("a.ome.zarr", write_zarr_4, by_zarr),
    "OME-Zarr 0.5, zstd": ("a.ome.zarr", write_zarr_5, by_zarr),
    "N5, gzip": ("a.n5", write_n5, by_tensorstore),
    "Imaris, gzip": ("a.ims", write_imaris, by_h5py),
    "BigDataViewer, gzip": ("a.xml", write_bigdataviewer, by_h5py),
    "CZI, zstd": ("a.czi", write_czi, by_pylibczi),
    "NIfTI": ("a.nii", write_nifti, by_nibabel),
    "NIfTI, gzip": ("a.nii.gz", write_nifti, by_nibabel),
    "MHA": ("a.mha", write_mha, by_simpleitk),
    "MHA, zlib": ("packed.mha", write_mha, by_simpleitk),
    "NPY": ("a.npy", write_npy, np.load),
}

if __name__ == "__main__":
    main()
