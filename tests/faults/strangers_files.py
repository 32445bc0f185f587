"""Small whole files of each kind that comes from outside, and the function that reads each."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import h5py
import hdf5plugin
import nibabel
import numpy as np
import pandas as pd
import tifffile
import torch
import yaml

import small_models
import small_training
import test_regions
from selma3d.archive.listing import Listing
from selma3d.archive.manifest import read as read_manifest
from selma3d.archive.unpack import unpack
from selma3d.archive.zenodo import entries_of
from selma3d.challenge.checking import check, load_yaml
from selma3d.challenge.config import read_config
from selma3d.challenge.edition import Edition
from selma3d.challenge.method_file import RecipeFile
from selma3d.challenge.recipe import Input
from selma3d.challenge.samples import Sample, read_table
from selma3d.export import shared_encoders
from selma3d.images import (
    PatchFile,
    PatchWriter,
    PredictionFile,
    PredictionWriter,
    VolumeFile,
    read_index,
    write_volume,
)
from selma3d.images.geometry import Geometry
from selma3d.images.readers import UnreadablePlaneError, open_image, read_image
from selma3d.images.readers.formats.mha import write_mha
from selma3d.images.readers.streamed_image import StreamedImage
from selma3d.images.splits import read_split
from selma3d.inference.model import load_model
from selma3d.learning.training.checkpoint import Checkpoints
from selma3d.learning.training.weight_files import read_encoder
from selma3d.methods.foreign import convert_foreign
from selma3d.methods.predictions_json import read_jobs
from selma3d.ranking.cost import MeasuredJob, measure_of
from selma3d.scoring.check import check_predictions
from selma3d.scoring.score_tables import read_scores
from selma3d.system.job_state import JobState
from selma3d.system.lease import Owner
from selma3d.system.process_name import ProcessName

ROOT = Path(__file__).resolve().parents[2]
RANDOM = np.random.default_rng(0)
GREY = RANDOM.integers(0, 4000, (4, 6, 7)).astype(np.uint16)  # Z,Y,X
MASK = (GREY > 3000).astype(np.uint8)


@dataclass(frozen=True)
class Kind:
    """A kind of file: whole ones by name, and its reader.

    inside, back: from the file to the part of it that is spoiled instead, and back; for what is
    packed, whose checksum would refuse everything else.
    """

    files: Mapping[str, bytes]
    read: Callable[[Path], object]
    inside: Callable[[bytes], bytes] | None = None
    back: Callable[[bytes, bytes], bytes] | None = None


def written(write: Callable[[Path], object], name: str, folder: Path) -> bytes:
    path = folder / name
    write(path)
    return path.read_bytes()


def tiff(**options: object) -> bytes:
    content = io.BytesIO()
    tifffile.imwrite(content, GREY, photometric="minisblack", **options)
    return content.getvalue()


def images(folder: Path) -> dict[str, bytes]:
    nifti = nibabel.Nifti1Image(GREY.T, np.eye(4), dtype=np.uint16)
    second = nibabel.Nifti2Image(GREY.T.astype(np.float32), np.eye(4))
    grid = Geometry((6.0, 1.6, 1.6), unit_um=1.0)
    mha = written(lambda path: write_mha(GREY, path, grid), "a.mha", folder)
    head = b"ObjectType = Image\nNDims = 3\nDimSize = 7 6 4\nElementType = "
    last = b"\nElementDataFile = LOCAL\n"
    return {
        "a.npy": written(lambda path: np.save(path, GREY), "a.npy", folder),
        "a.nii": nifti.to_bytes(),
        "second.nii": second.to_bytes(),
        "a.nii.gz": gzip.compress(nifti.to_bytes()),
        "a.mha": mha,
        "raw.mha": head + b"MET_USHORT\nBinaryData = True" + last + GREY.tobytes(),
        "text.mha": head + b"MET_UCHAR" + last + b" ".join(b"%d" % v for v in MASK.ravel()),
        "a.tif": tiff(metadata=None),
        "packed.tif": tiff(compression="zlib", metadata=None),
        "lzw.tif": tiff(compression="lzw", predictor=True, metadata=None),
        "big.tif": tiff(bigtiff=True, tile=(16, 16), metadata=None),
        "imagej.tif": tiff(imagej=True, resolution=(0.6, 0.6), metadata={"axes": "ZYX",
                           "spacing": 6.0, "unit": "um"}),
        "a.ome.tif": tiff(ome=True, metadata={"axes": "ZYX", "PhysicalSizeX": 1.6}),
    }  # fmt: skip


def hdf5_images(folder: Path) -> dict[str, bytes]:
    for name, options in (("gzip.h5", {"compression": "gzip"}), ("lzf.h5", {"compression": "lzf"})):
        with h5py.File(folder / name, "w") as file:
            file.create_dataset("mask", data=GREY, chunks=(2, 6, 7), **options)
            file.attrs["voxel_size_um"] = [6, 1.6, 1.6]
    return {name: (folder / name).read_bytes() for name in ("gzip.h5", "lzf.h5")}


def read_picture(path: Path) -> None:
    """An image whole, and some of it."""
    read_image(path)
    with open_image(path) as image:
        image.check_promise()
        assert image.voxel_size_um or image.why_no_voxel_size
        if isinstance(image, StreamedImage):
            image.keep_bytes = 0  # read as a large one
        image.read(image.shape[0] - 1, 0, 1, slice(0, 2))


def read_planes(path: Path) -> None:
    """The file as one of three planes in its folder."""
    for z in (0, 2):
        tifffile.imwrite(path.with_name(f"z{z}.tif"), GREY[0], compression="lzw", predictor=True)
    with open_image(path.parent, accept_unreadable=True) as image:
        for z in range(image.shape[1]):
            with suppress(UnreadablePlaneError):  # a conversion may interpolate it
                image.plane(0, z)


def patches(folder: Path) -> bytes:
    with PatchWriter(folder / "p.h5", folder / "p.tsv", "patches") as writer:
        writer.add("a", GREY[None], MASK, specimen="A", voxel_size_um=(6, 1.6, 1.6))
        writer.add("b", GREY[None] + 1, MASK, specimen="B")
    return (folder / "p.h5").read_bytes()


def predictions(folder: Path) -> bytes:
    with PredictionWriter(folder / "d.h5", "m", "s", "default") as writer:
        writer.add("a", MASK, probability=MASK * 0.5)
        writer.add("b", MASK)
    return (folder / "d.h5").read_bytes()


def plain_hdf5(folder: Path) -> bytes:
    """A prediction as another program writes it: gzip, shuffle, checksums, no chunks."""
    with h5py.File(folder / "plain.h5", "w") as file:
        file.attrs.update({"kind": "predictions", "contract_version": 1})
        for name, options in (
            (
                "a",
                {"compression": "gzip", "shuffle": True, "fletcher32": True, "chunks": (2, 3, 7)},
            ),
            ("b", {}),
            ("lzf", {"compression": "lzf"}),
            ("zstd", hdf5plugin.Zstd()),
            ("lz4", hdf5plugin.LZ4()),
            ("bitshuffle", hdf5plugin.Bitshuffle(cname="lz4")),
        ):
            file.create_dataset(f"{name}/mask", data=MASK, **options)
    return (folder / "plain.h5").read_bytes()


def read_patches(path: Path) -> None:
    with PatchFile(path) as file:
        for patch in file.ids:
            file.shape(patch), file.specimen(patch)
            file.voxel_size_um(patch), file.intensity(patch, 0)
            file.image(patch), file.mask(patch), file.image(patch, 0)
            file.read(patch, 0, (slice(0, 2),) * 3), file.read_mask(patch, (slice(0, 2),) * 3)


def read_volume(path: Path) -> None:
    with VolumeFile(path) as file:
        assert file.channels and file.shape and file.dtype
        assert file.specimen is not None and file.block
        file.voxel_size_um, file.intensity(0)
        file.occupied(0)
        file.read(0, (slice(0, 2),) * 3)


class Predictions:
    """Reading of predictions as foreign ones, whose cases are the small patches."""

    def __init__(self, folder: Path) -> None:
        self._cases = folder / "cases.h5"
        with PatchWriter(self._cases, folder / "cases.tsv", "cases") as writer:
            for name in ("a", "b", "lzf", "zstd", "lz4", "bitshuffle"):
                writer.add(name, GREY[None], MASK)

    def read(self, path: Path) -> None:
        with PredictionFile(path) as file:
            for case in file.ids:
                file.mask(case), file.probability(case)

    def check(self, path: Path) -> None:
        check_predictions(path, self._cases, complete=False)

    def convert(self, path: Path) -> None:
        place = path.parent / "foreign"
        place.mkdir(exist_ok=True)
        path.replace(place / "s.h5")
        convert_foreign(
            *(place, self._cases, path.parent / "out.h5"),
            method="m",
            structure="s",
            structures=["s"],
            cases_of_others={},
        )


def tar() -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in ("a.nii", f"{'folder/' * 20}b.nii", "grün.nii"):
            member = tarfile.TarInfo(name)
            member.size = 700
            archive.addfile(member, io.BytesIO(bytes(range(100)) * 7))
    return content.getvalue()


def zipped(method: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name in ("a.nii", "folder/b.nii", "grün.nii"):
            archive.writestr(zipfile.ZipInfo(name), bytes(range(100)) * 7)
    return content.getvalue()


def read_archive(path: Path) -> None:
    unpack(path, path.name, path.with_name("unpacked"))


def read_listing(path: Path) -> None:
    Listing().add_study(path.read_bytes(), str(path))


def read_record(path: Path) -> None:
    entries_of(path.read_bytes(), str(path))


def read_file_list(path: Path) -> None:
    Listing().add_files(path.read_bytes(), str(path))


RECORD = {
    "files": [
        {"key": "a.tar.gz", "size": 123, "checksum": f"md5:{'0' * 32}", "links": {"self": "x"}},
        {"key": "b.tar.gz", "size": 0, "checksum": f"md5:{'f' * 32}", "links": {}},
    ]
}
STUDY = {
    "accno": "S-BIAD1",
    "section": {
        "files": [{"path": "a.nii.gz", "size": 3, "type": "file"}, {"path": "f", "type": "dir"}],
        "attributes": [{"name": "File List", "value": "list.tsv"}],
        "subsections": [[{"type": "Study", "attributes": []}], {"files": []}],
    },
}
MANIFEST = b"# a remark\npath\tbytes\tsha256\na.nii\t7\t" + b"0" * 64 + b"\nf/b.nii\t-\t-\n"
JOBS = [
    {
        "pk": "job",
        "inputs": [{"image": {"name": "a.mha"}, "interface": {"slug": "image"}}],
        "outputs": [
            {"image": {"name": "m.mha"}, "interface": {"slug": "mask", "relative_path": "images"}}
        ],
    }
]


def brainreg_files(folder: Path) -> dict[str, bytes]:
    test_regions.write_brainreg(folder / "brainreg")
    texts = ("brainreg.json", "structures.csv", "volumes.csv")
    return {name: (folder / "brainreg" / name).read_bytes() for name in texts}


def read_brainreg_folder(path: Path) -> None:
    """The file in a folder whose other files are whole."""
    folder, content = path.parent / "whole", path.read_bytes()
    test_regions.write_brainreg(folder)
    (folder / path.name).write_bytes(content)
    sums = test_regions.RegionSums(test_regions.read(folder))
    sums.add_objects(test_regions.places(5))
    sums.table()


def first_rows(file: Path, most: int = 8) -> bytes:
    return b"\n".join(file.read_bytes().splitlines()[:most]) + b"\n"


def scores() -> bytes:
    columns = {
        "edition": "selma2024", "phase": "final", "track": "per-type", "structure": "cfos",
        "scored_as": "spot-like", "seen": True, "specimen": "A", "case": "000", "method": "unet",
        "init": "scratch", "budget": "all", "fold": 0, "seed": 0, "metric_profile": "selma2024",
        "metric": "dice", "value": 0.5,
    }  # fmt: skip
    return pd.DataFrame([columns] * 3).to_csv(sep="\t", index=False).encode()


BENCHMARK = b"s\th:m:s\tmax_rss\tcpu_time\n1.5\t0:00:01\t99.1\t1.2\n2.5\t0:00:02\t-\tNA\n"
HISTORY = b"step\tloss\tseconds\n10\t0.5\t1.5\n20\t0.25\t3.0\n"


def read_benchmark(path: Path) -> None:
    measure_of(MeasuredJob("m", "i", "finetune", 0, path))


def read_history(path: Path) -> None:
    benchmark = path.with_name("benchmark.tsv")
    benchmark.write_bytes(BENCHMARK)
    measure_of(MeasuredJob("m", "i", "finetune", 0, benchmark, path))


def state(folder: Path) -> bytes:
    path = folder / "state.json"
    JobState(ProcessName.own(), 1.0, step=1, total=2).write(path)
    return path.read_bytes()


def owner() -> bytes:
    record = Owner("token", ProcessName.own(), "run", "", "2026-01-01")
    return json.dumps(asdict(record)).encode()


def read_owner(path: Path) -> None:
    path.replace(path.with_name("lease.json"))
    owner = Owner.read(path.parent)
    if owner is not None:
        assert str(owner) and owner.lives(path.parent) is not None


def read_state(path: Path) -> None:
    found = JobState.read(path)
    if found is not None:
        found.lives(path)


def checkpoint(folder: Path) -> bytes:
    Checkpoints(folder / "checkpoints", {}).save(5, {"state": {"a": torch.zeros(3)}})
    return next((folder / "checkpoints").glob("step-*.pt")).read_bytes()


def read_checkpoint(path: Path) -> None:
    path.replace(path.with_name("step-000000005.pt"))
    Checkpoints(path.parent, {}).load()


def encoder(folder: Path) -> bytes:
    from selma3d.learning import networks

    small_models.write_model(folder / "model.pt")
    content = torch.load(folder / "model.pt", weights_only=True)
    input_seen = small_training.INPUT | {"channel": [0]}
    recipe = {"method": "small", "pretext": {}, "input": input_seen, "network": content["network"]}
    prefixes = networks.build(small_models.NETWORK).encoder_prefixes
    volume = {"sample": "a", "channel": 0, "weight": 1.0, "specimen": "A", "sha256": "0" * 64}
    content |= {
        "kind": "encoder", "group": "spot-like", "task": "masked", "steps": 3, "seed": 0,
        "recipe": recipe, "input": input_seen, "encoder_prefixes": list(prefixes),
        "volumes": [volume], "trains": "encoder", "collapsed": False, "held_out": {},
    }  # fmt: skip
    torch.save(content, folder / "encoder.pt")
    return (folder / "encoder.pt").read_bytes()


def pack(folder: Path) -> bytes:
    encoder(folder)
    (folder / "encoder.tsv").write_bytes(HISTORY)
    method = {"title": "Small", "idea": "It learns.", "citation": "none", "licence": "MIT"}
    shared_encoders.pack(
        *(folder / "encoder.pt", folder / "encoder.tsv", folder / "pack.zip"),
        method=method,
        licences=["MIT"],
    )
    return (folder / "pack.zip").read_bytes()


def read_pack(path: Path) -> None:
    shared_encoders.unpack(
        *(path, path.with_name("e.pt"), path.with_name("e.tsv")),
        input=check(Input, small_training.INPUT, "input"),
    )


def member(name: str) -> dict[str, Callable]:
    """One member of a zip, spoiled; everything else of it stays, its checksums too."""

    def inside(content: bytes) -> bytes:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return archive.read(next(n for n in archive.namelist() if n.endswith(name)))

    def back(content: bytes, spoiled: bytes) -> bytes:
        changed = io.BytesIO()
        with (
            zipfile.ZipFile(io.BytesIO(content)) as old,
            zipfile.ZipFile(changed, "w") as new,
        ):
            for entry in old.namelist():
                new.writestr(entry, spoiled if entry.endswith(name) else old.read(entry))
        return changed.getvalue()

    return {"inside": inside, "back": back}


GZIP = {"inside": gzip.decompress, "back": lambda content, spoiled: gzip.compress(spoiled, 1)}


def kinds(folder: Path) -> dict[str, Kind]:
    """Every kind; whole files are made in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    foreign = Predictions(folder)
    stored = {"patches.h5": patches(folder)}
    predicted = {"ours.h5": predictions(folder), "plain.h5": plain_hdf5(folder)}
    write_volume(folder / "v.h5", folder / "v.tsv", GREY[None], sample="a", specimen="A")
    small_training.write_images(folder)
    small_models.write_model(folder / "model.pt")
    model = {"model.pt": (folder / "model.pt").read_bytes()}
    packs, encoders = {"pack.zip": pack(folder)}, {"encoder.pt": encoder(folder)}
    checkpoints = {"checkpoint.pt": checkpoint(folder)}
    config = ROOT / "config"
    pictures = images(folder)
    volume = folder / "packed.nii.gz"
    return {
        "image": Kind(pictures, read_picture),
        "image within gzip": Kind({volume.name: pictures["a.nii.gz"]}, read_picture, **GZIP),
        "plane": Kind({"z1.tif": tiff_plane()}, read_planes),
        "plane, not packed": Kind({"z1.tif": tiff_plane(compression=None)}, read_planes),
        "image in HDF5": Kind(hdf5_images(folder), read_picture),
        "patches": Kind(stored, read_patches),
        "volume": Kind({"v.h5": (folder / "v.h5").read_bytes()}, read_volume),
        "predictions": Kind(predicted, foreign.read),
        "predictions, checked": Kind(predicted, foreign.check),
        "foreign predictions": Kind(predicted, foreign.convert),
        "archive": Kind({"a.tar": tar(), "a.zip": zipped(), "a.tar.gz": gzip.compress(tar(), 1),
                         "stored.zip": zipped(zipfile.ZIP_STORED)}, read_archive),
        "archive within gzip": Kind({"a.tgz": gzip.compress(tar(), 1)}, read_archive, **GZIP),
        "manifest": Kind({"m.tsv": MANIFEST}, read_manifest),
        "listing": Kind({"study.json": json.dumps(STUDY).encode()}, read_listing),
        "list of files": Kind(
            {"files.json": json.dumps(STUDY["section"]["files"]).encode()}, read_file_list
        ),
        "Zenodo record": Kind({"record.json": json.dumps(RECORD).encode()}, read_record),
        "samples": Kind({"s.tsv": first_rows(config / "samples" / "selma2024.tsv")},
                        lambda path: read_table(path, Sample)),
        "index": Kind({"p.tsv": (folder / "p.tsv").read_bytes()}, read_index),
        "brainreg's folder": Kind(brainreg_files(folder), read_brainreg_folder),
        "split": Kind({"split.tsv": (folder / "split.tsv").read_bytes()}, read_split),
        "scores": Kind({"scores.tsv": scores()}, lambda path: read_scores([path])),
        "benchmark": Kind({"b.tsv": BENCHMARK}, read_benchmark),
        "history": Kind({"h.tsv": HISTORY}, read_history),
        "configuration": Kind(
            {f"{name}.yaml": (config / f"{name}.yaml").read_bytes() for name in ("config", "demo")},
            lambda path: read_config(ROOT, [path]),
        ),
        "edition": Kind(
            {"e.yaml": (config / "editions" / "selma2024.yaml").read_bytes()},
            lambda path: check(Edition, load_yaml(path), path),
        ),
        "method file": Kind(
            {"m.yaml": (config / "methods" / "unet.yaml").read_bytes()},
            lambda path: check(RecipeFile, load_yaml(path), path),
        ),
        "small YAML": Kind(
            {"s.yaml": yaml.safe_dump({"a": [1, {"b": None}], "c": "x", "d": 1.5}).encode()},
            load_yaml,
        ),
        "predictions.json": Kind({"predictions.json": json.dumps(JOBS).encode()}, read_jobs),
        "state of a job": Kind({"state.json": state(folder)}, read_state),
        "owner": Kind({"owner.json": owner()}, read_owner),
        "model": Kind(model, lambda path: load_model(path, device="cpu")),
        "pickle within a model": Kind(
            model, lambda path: load_model(path, device="cpu"), **member("data.pkl")
        ),
        "encoder": Kind(encoders, read_encoder),
        "pickle within an encoder": Kind(encoders, read_encoder, **member("data.pkl")),
        "pack": Kind(packs, read_pack),
        "facts within a pack": Kind(packs, read_pack, **member("pack.json")),
        "checkpoint": Kind(checkpoints, read_checkpoint),
        "pickle within a checkpoint": Kind(checkpoints, read_checkpoint, **member("data.pkl")),
    }  # fmt: skip


def tiff_plane(compression: str | None = "zlib") -> bytes:
    content = io.BytesIO()
    tifffile.imwrite(content, GREY[0], compression=compression, photometric="minisblack")
    return content.getvalue()
