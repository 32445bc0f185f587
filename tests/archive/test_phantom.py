"""The phantom archive: laid out as the real one, exact in its truth, shifted between specimens."""

from __future__ import annotations

import copy
import hashlib
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
import tifffile
from scipy import ndimage
from skimage.measure import euler_number

from selma3d.archive import manifest, phantom
from selma3d.archive.phantom.geometry import Canvas, Grid, random_axes, voxels_inside
from selma3d.archive.phantom.growth import Habit, grow
from selma3d.archive.phantom.microscope import Condition, expose
from selma3d.archive.phantom.specification import read_spec
from selma3d.archive.phantom.specimens import Specimen
from selma3d.archive.phantom.structures import KINDS, Abundance
from selma3d.system.errors import InputError
from selma3d.system.randomness import numpy_generator

EVERYWHERE = np.ones((3, 3, 3))
SHAPES = {"patch_shape": [24, 48, 48], "volume_shape": [32, 48, 64], "voxel_size_um": [4, 2, 2]}
COHORTS = {
    "training": {"specimens": 3, "patches_per_specimen": 2},
    "test": {"specimens": 3, "patches_per_specimen": 1},
    "volumes": 2,
}
SPEC = {
    "structures": {
        "vessel": {"kind": "vessel", "channels": 2, "folder": "VessAP_vessel", **SHAPES, **COHORTS},
        "cfos": {"kind": "cell", "folder": "cFos-Active_Neurons", **SHAPES, **COHORTS},
        "microglia": {
            "kind": "microglia",
            **SHAPES,
            "test": {"specimens": 2, "patches_per_specimen": 1},
        },
    }
}
ANNOTATED = "SELMA3D_training_annotated"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantom")
    phantom.write_archive(folder, SPEC, seed=1)
    return folder


@pytest.fixture(scope="module")
def samples(archive: Path) -> pd.DataFrame:
    return pd.read_csv(archive / "samples.tsv", sep="\t", keep_default_na=False)


def read(path: Path) -> np.ndarray:
    """A NIfTI file as Z,Y,X."""
    stored = np.asarray(nibabel.load(path).dataobj)
    return (stored[..., 0] if stored.ndim == 4 else stored).T


def checksums(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def betti_numbers(mask: np.ndarray) -> tuple[int, int, int]:
    padded = np.pad(mask, 1)
    components = ndimage.label(padded, EVERYWHERE)[1]
    cavities = ndimage.label(~padded)[1] - 1
    return components, components + cavities - euler_number(padded, connectivity=3), cavities


def drawn(kind: str, grid: Grid, channels: int = 1, seed: int = 0) -> Canvas:
    canvas = Canvas(grid, channels)
    KINDS[kind](numpy_generator(seed, kind), canvas, Abundance(1.0))
    return canvas


def roughness(image: np.ndarray) -> float:
    """Differences of neighbouring voxels, relative to the spread of all."""
    values = image.astype(float)
    return float(np.diff(values, axis=-1).std() / values.std())


def specimen(kind: str, number: int, role: str, name: str = "some") -> Specimen:
    entry = {"kind": kind, **SHAPES, **COHORTS}
    return Specimen(read_spec({"structures": {name: entry}})[0], number, role, seed=1)


def test_volumes_may_be_imaged_as_test_cases_are_but_those_of_annotated_specimens() -> None:
    entry = {"kind": "cell", **SHAPES, **COHORTS}
    plain = read_spec({"structures": {"some": entry}})[0]
    as_test = read_spec({"structures": {"some": entry | {"volumes_as_test": True}}})[0]

    def haze(structure: object, number: int) -> float:
        return np.mean(
            [Specimen(structure, number, "training", seed).condition.haze for seed in range(40)]
        )

    assert haze(as_test, 1) == haze(plain, 1)
    assert haze(as_test, 7) > haze(plain, 7) + 0.03


def test_little_light_is_noise_beside_the_same_structure() -> None:
    entry = {"kind": "cell", **SHAPES, **COHORTS}
    bright, dark = (
        Specimen(read_spec({"structures": {"some": entry | more}})[0], 1, "training", 1)
        for more in ({}, {"light": 0.01})
    )
    assert dark.condition.photons == pytest.approx(bright.condition.photons / 100)
    (image,), (truth,) = bright.patches(1)
    (noisy,), (same,) = dark.patches(1)
    assert np.array_equal(truth, same)
    assert roughness(noisy[0]) > 2 * roughness(image[0])


def test_distractors_are_as_many_as_asked_for_and_never_in_the_truth() -> None:
    grid = Grid((24, 48, 48), (4.0, 2.0, 2.0))
    lit = []
    for distractors in (0.0, 8.0):
        canvas = Canvas(grid, 1)
        KINDS["vessel"](numpy_generator(0, "vessel"), canvas, Abundance(1.0, distractors))
        lit.append(((canvas.emission[0] > 0) & ~canvas.truth).sum())
    assert lit[0] == 0
    assert lit[1] > 300


def test_same_seed_gives_the_same_bytes(archive: Path, tmp_path: Path) -> None:
    phantom.write_archive(tmp_path, copy.deepcopy(SPEC), seed=1)
    assert checksums(tmp_path) == checksums(archive)


def test_another_seed_gives_other_images(archive: Path, tmp_path: Path) -> None:
    alone = {"structures": {"microglia": SPEC["structures"]["microglia"]}}
    phantom.write_archive(tmp_path, alone, seed=2)
    case = "selma3d_test/microglia/raw/patchvolume_000_0000.nii.gz"
    assert not np.array_equal(read(tmp_path / case), read(archive / case))


def test_a_structure_is_drawn_the_same_whatever_stands_beside_it(
    archive: Path, tmp_path: Path
) -> None:
    alone = {"structures": {"microglia": SPEC["structures"]["microglia"]}}
    phantom.write_archive(tmp_path, alone, seed=1)
    kept = {path: sha for path, sha in checksums(tmp_path).items() if path.endswith(".nii.gz")}
    assert kept.items() <= checksums(archive).items()


def test_files_lie_where_the_real_archive_has_them(archive: Path) -> None:
    def names(folder: str) -> list[str]:
        return sorted(path.name for path in (archive / folder).iterdir())

    assert names(f"{ANNOTATED}/VessAP_vessel/raw") == [
        f"patchvolume_{patch:03d}_{channel:04d}.nii.gz"
        for patch in range(6)
        for channel in range(2)
    ]
    assert names(f"{ANNOTATED}/cFos-Active_Neurons/gt") == [
        f"patchvolume_{patch:03d}.nii.gz" for patch in range(6)
    ]
    assert names("selma3d_test") == ["cfos", "microglia", "vessel"]
    assert names("selma3d_test/microglia/raw") == [
        "patchvolume_000_0000.nii.gz",
        "patchvolume_001_0000.nii.gz",
    ]
    assert names("selma3d_unannotated/vessel/sample1") == ["C00", "C01"]
    assert not (archive / ANNOTATED / "microglia").exists()


def test_patches_are_stored_x_y_z_with_voxel_sizes_in_micrometres(archive: Path) -> None:
    image = nibabel.load(archive / "selma3d_test/cfos/raw/patchvolume_000_0000.nii.gz")
    assert image.shape == (48, 48, 24)
    assert image.header.get_zooms() == (2.0, 2.0, 4.0)
    assert image.header.get_xyzt_units()[0] == "micron"


def test_some_files_have_a_fourth_axis_and_some_hold_integers_as_float64(archive: Path) -> None:
    raws = [nibabel.load(p) for p in sorted(archive.glob(f"{ANNOTATED}/cFos*/raw/*.nii.gz"))]
    assert {image.ndim for image in raws} == {3, 4}
    assert {image.get_data_dtype() for image in raws} == {np.dtype("f8"), np.dtype("u2")}
    for image in raws:
        values = np.asarray(image.dataobj)
        assert np.array_equal(values, np.rint(values))
        assert values.min() >= 0
        assert values.max() <= 65535


def test_mask_encodings_are_mixed(archive: Path) -> None:
    encodings = {
        tuple(np.unique(read(path))) for path in archive.glob(f"{ANNOTATED}/*/gt/*.nii.gz")
    }
    assert encodings == {(0, 1), (0, 255), (0, 95, 255)}


def test_planes_of_a_volume_are_16_bit_tiffs_in_natural_order(archive: Path) -> None:
    channel = archive / "selma3d_unannotated/cfos/sample1/C00"
    assert {path.name for path in channel.iterdir()} == {f"sample1_Z{z}.tif" for z in range(32)}
    with tifffile.TiffFile(channel / "sample1_Z0.tif") as tiff:
        assert tiff.pages[0].shape == (48, 64)
        assert tiff.pages[0].dtype == np.uint16
        assert tiff.pages[0].compression.name.endswith("DEFLATE")


def test_manifest_lists_every_image_with_its_checksum(archive: Path) -> None:
    entries = manifest.read(archive / "manifest.tsv")
    listed = {entry.path: entry.sha256 for entry in entries}
    found = checksums(archive)
    assert listed == {path: sha for path, sha in found.items() if not path.endswith(".tsv")}
    for entry in entries:
        assert entry.bytes == (archive / entry.path).stat().st_size


def test_samples_name_specimen_role_and_files(archive: Path, samples: pd.DataFrame) -> None:
    columns = "structure kind sample specimen role archive image mask"
    assert list(samples) == columns.split()
    for row in samples.itertuples():
        assert (archive / row.image).exists()
        assert (row.kind == "volume") == (row.mask == "")
    assert set(samples.role[samples.kind == "case"]) == {"test"}
    patches = samples[(samples.structure == "vessel") & (samples.kind == "patch")]
    assert list(patches.role) == ["training"] * 4 + ["validation"] * 2
    assert patches.specimen.nunique() == 3


def test_volumes_never_show_a_specimen_of_validation_or_test(samples: pd.DataFrame) -> None:
    volumes = samples[samples.kind == "volume"]
    others = samples[samples.role.isin(["validation", "test"])]
    assert len(volumes) == 4
    assert set(volumes.specimen).isdisjoint(others.specimen)


def test_specimens_of_one_role_are_in_no_other(samples: pd.DataFrame) -> None:
    assert (samples.groupby("specimen").role.nunique() == 1).all()


def test_every_patch_has_foreground_in_a_plausible_share(
    archive: Path, samples: pd.DataFrame
) -> None:
    for row in samples[samples.kind != "volume"].itertuples():
        share = (read(archive / row.mask) > 0).mean()
        assert 0.0005 < share < 0.25, row.mask


@pytest.mark.parametrize("kind", KINDS)
def test_structures_fill_the_share_of_tissue_that_they_should(kind: str) -> None:
    lowest, highest = {
        "vessel": (0.02, 0.15),
        "cell": (0.005, 0.05),
        "nucleus": (0.05, 0.3),
        "plaque": (0.001, 0.05),
        "microglia": (0.003, 0.05),
    }[kind]
    canvas = drawn(kind, Grid((48, 96, 96), (4.0, 2.0, 2.0)))
    assert lowest < canvas.truth.mean() < highest


@pytest.mark.parametrize("kind", KINDS)
def test_foreground_emits_more_light_than_its_surroundings(kind: str) -> None:
    canvas = drawn(kind, Grid((32, 64, 64), (4.0, 2.0, 2.0)))
    assert canvas.emission[0][canvas.truth].min() > 0
    assert np.median(canvas.emission[0][canvas.truth]) > canvas.emission[0][~canvas.truth].mean()


@pytest.mark.parametrize("kind", KINDS)
def test_lookalikes_glow_outside_the_truth(kind: str) -> None:
    canvas = drawn(kind, Grid((32, 64, 64), (4.0, 2.0, 2.0)))
    assert (canvas.emission[0][~canvas.truth] > 0).any()


def test_vessels_branch_and_close_loops() -> None:
    components, loops, _ = betti_numbers(drawn("vessel", Grid((48, 96, 96), (4.0, 2.0, 2.0))).truth)
    assert components > 0
    assert loops > 0


def test_evans_blue_is_dimmer_than_wga_and_misses_vessels() -> None:
    canvas = drawn("vessel", Grid((48, 96, 96), (4.0, 2.0, 2.0)), channels=2)
    wga, evans_blue = canvas.emission[:, canvas.truth]
    assert evans_blue.mean() < 0.7 * wga.mean()
    assert 0.05 < (evans_blue == 0).mean() < 0.6
    stained = evans_blue > 0
    assert np.corrcoef(wga[stained], evans_blue[stained])[0, 1] > 0.3


def test_branches_thinner_than_a_voxel_stay_in_one_piece() -> None:
    grid = Grid((32, 64, 64), (2.0, 2.0, 2.0))
    centre = grid.extent_um[None] / 2
    heading = np.repeat(centre, 5, axis=0)
    rng = numpy_generator(0, "processes")
    branches = grow(
        rng,
        grid,
        Habit(persistence=30.0, taper=60.0, fork_every=25.0, thinnest=0.1),
        roots=heading,
        directions=rng.standard_normal((5, 3)),
        radii=np.full(5, 0.5),
        lengths=np.full(5, 20.0),
        tree=np.arange(5),
    )
    canvas = Canvas(grid, 1)
    inside = voxels_inside(grid, branches.centres, branches.radii)
    canvas.paint(inside, np.ones(len(branches.radii)), labelled=True)
    assert ndimage.label(canvas.truth, EVERYWHERE)[1] == 1


def test_a_ball_owns_exactly_the_voxels_whose_centre_it_holds() -> None:
    grid = Grid((12, 20, 20), (3.0, 1.0, 1.5))
    centre, radius = np.array([[17.0, 9.3, 14.2]]), np.array([6.1])
    z, y, x = np.meshgrid(
        *(
            (np.arange(n) + 0.5) * size
            for n, size in zip(grid.shape, grid.voxel_size_um, strict=True)
        ),
        indexing="ij",
    )
    distance = np.sqrt((z - centre[0, 0]) ** 2 + (y - centre[0, 1]) ** 2 + (x - centre[0, 2]) ** 2)
    owned = np.zeros(grid.shape, dtype=bool)
    owned.flat[voxels_inside(grid, centre, radius).voxel] = True
    assert np.array_equal(owned, distance <= radius[0])


def test_an_ellipsoid_with_equal_radii_is_a_ball_in_any_orientation() -> None:
    grid = Grid((16, 16, 16), (2.0, 2.0, 2.0))
    rng = numpy_generator(0, "orientation")
    centres, radii = rng.random((20, 3)) * grid.extent_um, rng.uniform(2.0, 6.0, 20)
    balls = voxels_inside(grid, centres, radii)
    ellipsoids = voxels_inside(grid, centres, np.repeat(radii[:, None], 3, 1), random_axes(rng, 20))
    assert set(zip(balls.owner, balls.voxel, strict=True)) == set(
        zip(ellipsoids.owner, ellipsoids.voxel, strict=True)
    )


def test_an_object_smaller_than_a_voxel_still_owns_one() -> None:
    grid = Grid((4, 4, 4), (4.0, 2.0, 2.0))
    inside = voxels_inside(grid, np.array([[4.1, 2.1, 2.1]]), np.array([0.01]))
    assert inside.voxel.tolist() == [1 * 16 + 1 * 4 + 1]


def test_objects_outside_the_field_own_nothing() -> None:
    grid = Grid((4, 4, 4), (1.0, 1.0, 1.0))
    inside = voxels_inside(grid, np.array([[-5.0, 2.0, 2.0]]), np.array([2.0]))
    assert len(inside.voxel) == 0


def test_test_specimens_are_imaged_under_other_conditions_than_training_ones() -> None:
    training = [specimen("cell", number, "training").condition for number in range(1, 30)]
    test = [specimen("cell", number, "test").condition for number in range(1, 30)]

    def contrast(conditions: list[Condition]) -> float:
        return float(np.median([c.stain / c.background * (1 - c.haze) for c in conditions]))

    assert contrast(test) < 0.85 * contrast(training)


def test_intensities_differ_between_specimens_more_than_within_one() -> None:
    medians = np.array(
        [
            np.median(specimen("cell", number, "training").patches(2)[0], axis=(1, 2, 3, 4))
            for number in range(1, 11)
        ]
    )
    assert medians.mean(axis=1).std() > 2 * medians.std(axis=1).mean()


def test_the_condition_of_a_specimen_is_the_same_in_patches_and_volume() -> None:
    a, b = (specimen("cell", 1, "training") for _ in range(2))
    assert a.condition == b.condition


def test_part_of_a_volume_is_air() -> None:
    one = specimen("cell", 1, "training")
    volume = one.volume()[0].astype(float)
    dark = one.condition.offset + 4 * one.condition.read_noise
    assert 0.1 < (volume < dark).mean() < 0.5
    assert volume[-4:].mean() > 2 * volume[:4].mean()


def test_no_single_threshold_separates_the_structure(archive: Path, samples: pd.DataFrame) -> None:
    cases = samples[(samples.kind == "case") & (samples.structure != "microglia")]
    for row in cases.itertuples():
        image, truth = read(archive / row.image), read(archive / row.mask) > 0
        thresholds = np.percentile(image, np.linspace(80, 99.9, 40))
        dice = [
            2 * (truth & (image > threshold)).sum() / (truth.sum() + (image > threshold).sum())
            for threshold in thresholds
        ]
        assert max(dice) < 0.85, row.image


def test_shot_noise_grows_with_the_light() -> None:
    grid = Grid((8, 64, 64), (4.0, 2.0, 2.0))
    condition = Condition(
        **dict.fromkeys(Condition.__dataclass_fields__, 0.0) | {"photons": 100.0, "gain": 2.0}
    )
    for level in (1.0, 4.0):
        emission = np.full(grid.shape, level, dtype=np.float32)
        image = expose(numpy_generator(0, "exposure"), grid, emission, condition).astype(float)
        assert image.mean() == pytest.approx(200 * level, rel=0.01)
        assert image.var() == pytest.approx(400 * level, rel=0.05)


def test_light_spreads_further_along_z_than_across() -> None:
    grid = Grid((33, 33, 33), (1.0, 1.0, 1.0))
    emission = np.zeros(grid.shape, dtype=np.float32)
    emission[16, 16, 16] = 1000.0
    sharp = dict.fromkeys(Condition.__dataclass_fields__, 0.0)
    optics = {"photons": 100.0, "gain": 1.0, "blur_axial_um": 4.0, "blur_lateral_um": 1.5}
    image = expose(numpy_generator(0, "point"), grid, emission, Condition(**sharp | optics))
    assert image[20, 16, 16] > 5 * image[16, 20, 16]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "axon"}, "kind: expected one of vessel, cell"),
        ({"channels": 2}, "channels: expected 1 for cell, found 2"),
        ({"patch_shape": [48, 96]}, "patch_shape: expected an entry number 3"),
        ({"voxel_size_um": [4, 2, 0]}, "voxel_size_um.2: expected more than 0"),
        ({"volume": 2}, "volume: unknown key"),
        ({"training": {"specimens": 2}}, "training: expected the key 'patches_per_specimen'"),
    ],
)
def test_a_faulty_specification_is_refused_before_anything_is_written(
    change: dict, message: str, tmp_path: Path
) -> None:
    spec = {"structures": {"cfos": {"kind": "cell", **SHAPES, **COHORTS} | change}}
    with pytest.raises(InputError, match=message):
        phantom.write_archive(tmp_path, spec, seed=0)
    assert not list(tmp_path.iterdir())


def test_volumes_need_a_shape(tmp_path: Path) -> None:
    entry = {"kind": "cell", "patch_shape": [8, 8, 8], "voxel_size_um": [1, 1, 1], "volumes": 1}
    with pytest.raises(InputError, match="volume_shape"):
        phantom.write_archive(tmp_path, {"structures": {"cfos": entry}}, seed=0)
