"""Masks that someone else made become predictions, or one line says why not."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path

import h5py
import nibabel
import numpy as np
import pytest
import SimpleITK
import tifffile
import yaml

from score_tables import scores
from selma3d.challenge import Challenge
from selma3d.challenge.participants import expected_runs
from selma3d.export.metrics_json import metrics_json, write_metrics_json
from selma3d.images import PatchWriter, PredictionFile, PredictionWriter
from selma3d.images.geometry import Geometry
from selma3d.methods.foreign import convert_foreign, sources
from selma3d.scoring.method_scores import Scoring, score_predictions
from selma3d.system.errors import InputError

SHAPE = (5, 7, 9)
MASK = (np.random.default_rng(0).random(SHAPE) > 0.6).astype(np.uint8)
CASES = ("000", "001")
STRUCTURES = ("vessel", "cfos")
OTHERS = {"cfos": ["cfos_1"]}


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    path = tmp_path / "cases.h5"
    with PatchWriter(path, tmp_path / "cases.tsv", "cases") as writer:
        for case in CASES:
            writer.add(case, np.zeros((1, *SHAPE), np.uint16), MASK, f"brain {case}")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "submitted"
    (path / "vessel").mkdir(parents=True)
    return path


def write_mask(path: Path, mask: np.ndarray) -> Path:
    """Write a (Z,Y,X) mask with the axes that the format is stored in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if ".nii" in path.name:
        nibabel.save(nibabel.Nifti1Image(mask.transpose(2, 1, 0), np.eye(4)), path)
    elif path.suffix == ".mha":
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(mask), str(path), useCompression=True)
    elif path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            file["mask"] = mask
    else:
        tifffile.imwrite(path, mask, imagej=True, metadata={"axes": "ZYX"})
    return path


def converted(predictions: Path, cases: Path, structure: str = "vessel") -> PredictionFile:
    output = cases.with_name("default.h5")
    convert_foreign(
        predictions,
        cases,
        output,
        method="team",
        structure=structure,
        structures=STRUCTURES,
        cases_of_others=OTHERS,
    )
    return PredictionFile(output)


def job(pk: str, image: str, output: Mapping | None = None, key: str = "interface") -> dict:
    shown = {"slug": "brain-structure", "relative_path": "images/brain-structure"}
    seen = {key: {"slug": "3d-brain-microscopy"}, "image": {"pk": "1", "name": image}}
    made = {key: shown, "image": {"pk": "2", "name": "output.mha"}} if output is None else output
    return {"pk": pk, "inputs": [seen], "outputs": [made] if made else []}


def submit(folder: Path, jobs: list[dict]) -> Path:
    path = folder / "predictions.json"
    path.write_text(json.dumps(jobs))
    return path


@pytest.mark.parametrize("suffix", [".mha", ".nii.gz", ".nii", ".tif", ".tiff", ".h5"])
def test_every_format_is_read_on_the_grid_of_the_case(folder, cases, suffix):
    write_mask(folder / "vessel" / f"000{suffix}", MASK * 255)
    write_mask(folder / "vessel" / f"patchvolume_001{suffix}", 1 - MASK)
    with converted(folder, cases) as file:
        assert file.ids == list(CASES)
        np.testing.assert_array_equal(file.mask("000"), MASK)
        np.testing.assert_array_equal(file.mask("001"), 1 - MASK)
        assert json.loads(file.file["000"].attrs["source_mask_values"]) == [0, 255]
        assert dict(file.file.attrs)["run"] == "default"


def test_a_prediction_file_of_ours_is_taken_over(tmp_path, cases):
    folder = tmp_path / "submitted"
    folder.mkdir()
    with PredictionWriter(folder / "vessel.h5", "theirs", "vessel", "default") as writer:
        writer.add("001", MASK)
    with converted(folder, cases) as file:
        assert file.ids == ["001"]
        np.testing.assert_array_equal(file.mask("001"), MASK)
        assert file.file.attrs["method"] == "team"
    assert sources(folder, "vessel") == [folder / "vessel.h5"]


@pytest.mark.parametrize("key", ["interface", "socket"])
def test_a_predictions_json_leads_to_the_masks_of_its_jobs(folder, cases, key):
    where = "output/images/brain-structure"
    masks = [write_mask(folder / pk / where / "output.mha", MASK) for pk in ("aa", "bb")]
    path = submit(folder, [job("aa", "001.mha", key=key), job("bb", "cfos_1.tiff", key=key)])
    with converted(path, cases) as file:
        assert file.ids == ["001"]
        np.testing.assert_array_equal(file.mask("001"), MASK)
    assert sources(path, "vessel") == [path, *masks]


def test_a_structure_may_bring_a_predictions_json_of_its_own(folder, cases):
    where = folder / "vessel" / "aa" / "output" / "images" / "brain-structure"
    write_mask(where / "anything.mha", MASK)
    submit(folder / "vessel", [job("aa", "000.mha")])
    with converted(folder, cases) as file:
        assert file.ids == ["000"]


def test_a_job_that_failed_leaves_its_case_missing(folder, cases, caplog):
    path = submit(folder, [job("aa", "000.mha", {}), job("bb", "001.mha")])
    with caplog.at_level(logging.WARNING), converted(path, cases) as file:
        assert file.ids == []
    assert caplog.text.count("no mask of image") == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", "expected a list of jobs, found dict"),
        ("[", "expected JSON, found another text"),
        ("[3]", "job 0: pk: expected text, found None"),
        (json.dumps([{"pk": "a", "inputs": 1}]), "job 0: inputs: expected a list of mappings"),
        (json.dumps([{"pk": "a", "inputs": [], "outputs": []}]), "inputs: expected one image"),
        (json.dumps([job("../b", "000.mha")]), "climbs out of its folder"),
        (json.dumps([job("/etc", "000.mha")]), "it is absolute"),
        (
            json.dumps(
                [
                    job(
                        "a",
                        "000.mha",
                        {"image": {}, "interface": {"slug": "x", "relative_path": "../../../x"}},
                    )
                ]
            ),
            "climbs out of its folder",
        ),
    ],
)
def test_a_malformed_predictions_json_is_refused(folder, cases, content, message):
    path = folder / "predictions.json"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        converted(path, cases)


def test_a_name_that_two_structures_share_is_refused(folder, cases):
    write_mask(folder / "aa" / "output" / "images" / "brain-structure" / "o.mha", MASK)
    path = submit(folder, [job("aa", "000.mha")])
    with pytest.raises(InputError, match="expected a case of one structure, found it in vessel"):
        convert_foreign(
            path,
            cases,
            cases.with_name("default.h5"),
            method="team",
            structure="vessel",
            structures=STRUCTURES,
            cases_of_others={"cfos": ["000"]},
        )


def test_a_missing_case_is_left_out_logged_and_scored_as_missing(folder, cases, caplog):
    write_mask(folder / "vessel" / "000.mha", MASK)
    with caplog.at_level(logging.WARNING), converted(folder, cases) as file:
        assert file.ids == ["000"]
    assert "no mask of case 001 of vessel" in caplog.text
    table = score_predictions(
        cases,
        [("default", file.path)],
        method="team",
        scoring=Scoring(
            edition="selma2024",
            phase="final",
            tracks=("per-type",),
            structure="vessel",
            scored_as="vessel-like",
            seen=True,
            profile="selma2024",
        ),
    )
    missing = table[table["metric"] == "missing"].set_index("case")["value"]
    assert missing.to_dict() == {"000": 0, "001": 1}
    written = metrics_json(table, "default", "selma2024")
    perfect = {"betti_matching_error_0": 0, "betti_matching_error_1": 0, "centerline_dice": 1}
    assert written["results"][0] == pytest.approx({"case": "000", "dice": 1, **perfect}, abs=1e-6)
    assert written["results"][1] == {"case": "001", "dice": None, **dict.fromkeys(perfect)}
    assert written["aggregates"]["vessel_dice"] == 0.5


def test_a_structure_without_masks_is_logged(folder, cases, caplog):
    with caplog.at_level(logging.WARNING), converted(folder, cases, "cfos") as file:
        assert file.ids == []
    assert "no masks of cfos" in caplog.text
    assert sources(folder, "cfos") == []


def refused(folder: Path, cases: Path, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        converted(folder, cases)
    assert "\n" not in str(caught.value)
    assert not cases.with_name("default.h5").exists()


def test_an_unknown_case_is_named_with_its_nearest_neighbour(folder, cases):
    write_mask(folder / "vessel" / "0001.mha", MASK)
    refused(folder, cases, r"0001.mha: expected a case of vessel, found '0001' \(did you mean '0")


def test_an_unknown_structure_is_named_with_its_nearest_neighbour(folder, cases):
    (folder / "vesel").mkdir()
    refused(folder, cases, r"expected a structure, found 'vesel' \(did you mean 'vessel'\?\)")


def test_another_shape_is_refused_and_reversed_axes_are_recognised(folder, cases):
    path = write_mask(folder / "vessel" / "000.h5", MASK.transpose(2, 1, 0))
    refused(folder, cases, r"expected shape \(Z,Y,X\) \(5, 7, 9\), found \(9, 7, 5\) \(its axes")
    path.unlink()
    write_mask(folder / "vessel" / "000.mha", MASK[1:])
    refused(folder, cases, r"expected shape \(Z,Y,X\) \(5, 7, 9\), found \(4, 7, 9\)$")


FLIPPED = np.diag([-1.0, 1.0, 1.0, 1.0])


@pytest.mark.parametrize(
    ("spacing", "unit", "turned"),
    [
        ((1.0, 1.0, 1.0), None, True),
        ((0.002, 0.002, 0.005), "mm", True),
        ((2.0, 2.0, 5.0), "micron", True),
        ((2.0, 2.0, 5.0), "micron", False),
    ],
)
@pytest.mark.parametrize("suffix", [".nii.gz", ".mha"])
def test_a_mask_of_another_orientation_is_turned_onto_its_case(
    tmp_path, folder, spacing, unit, turned, suffix
):
    """An image's first axis runs one way in the case's file, the other way in the mask's."""
    size = np.array([*spacing, 1.0])
    units = {"mm": 1000.0, "micron": 1.0, None: None}
    place = Geometry.read(
        {
            "spacing": spacing,
            "origin": [0, 0, 0],
            "direction": np.diag([-1.0, -1.0, 1.0]).tolist(),
            "unit_um": units[unit],
        }
    )
    provenance = {"source_geometry": json.dumps(place.plain())}
    with PatchWriter(tmp_path / "c.h5", tmp_path / "c.tsv", "cases") as writer:
        image = np.zeros((1, *MASK.shape), np.uint16)
        writer.add("a", image, MASK, "", None, provenance)
    affine = np.eye(4) * size
    stored = MASK.T
    if turned:
        affine = FLIPPED @ affine
        affine[0, 3] = (MASK.shape[2] - 1) * spacing[0]
        stored = stored[::-1]
    (folder / "vessel").mkdir(exist_ok=True)
    header = nibabel.Nifti1Image(stored, affine)
    header.header.set_xyzt_units(unit or "unknown")
    nibabel.save(header, folder / "vessel/a.nii.gz")
    if suffix == ".mha":
        itk = SimpleITK.ReadImage(str(folder / "vessel/a.nii.gz"))  # in mm, whatever the unit
        SimpleITK.WriteImage(itk, str(folder / "vessel/a.mha"))
        (folder / "vessel/a.nii.gz").unlink()
    np.testing.assert_array_equal(converted(folder, tmp_path / "c.h5").mask("a"), MASK)


def test_a_mask_that_lies_elsewhere_is_refused(tmp_path, folder):
    place = Geometry((1.0, 1.0, 1.0), direction=((1, 0, 0), (0, 1, 0), (0, 0, 1)))
    provenance = {"source_geometry": json.dumps(place.plain())}
    with PatchWriter(tmp_path / "c.h5", tmp_path / "c.tsv", "cases") as writer:
        writer.add("a", np.zeros((1, *MASK.shape), np.uint16), MASK, "", None, provenance)
    affine = FLIPPED.copy()
    affine[0, 3] = 500
    (folder / "vessel").mkdir(exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(MASK.T, affine), folder / "vessel/a.nii.gz")
    refused(folder, tmp_path / "c.h5", r"case 'a': expected direction .* as its image has")


def test_probabilities_are_no_masks(folder, cases):
    write_mask(folder / "vessel" / "000.tif", np.full(SHAPE, 0.25, np.float32))
    refused(folder, cases, "expected labels .* found 0.25 .threshold it.")


def test_two_masks_of_a_case_are_refused(folder, cases):
    write_mask(folder / "vessel" / "000.mha", MASK)
    write_mask(folder / "vessel" / "000.tif", MASK)
    refused(folder, cases, "case '000': expected one mask")


def test_what_is_no_mask_is_refused(folder, cases):
    (folder / "vessel" / "notes.txt").write_text("better than yours")
    refused(folder, cases, "notes.txt: expected a mask")


def test_a_damaged_file_is_named(folder, cases):
    (folder / "vessel" / "000.h5").write_bytes(b"no HDF5")
    refused(folder, cases, "000.h5: expected a whole HDF5 file, found one that does not open")


def test_no_predictions_at_all_is_an_error(tmp_path, cases):
    refused(tmp_path / "nowhere", cases, "nowhere: expected a folder or predictions.json, found")


def test_links_out_of_the_folder_are_refused(tmp_path, folder, cases):
    outside = write_mask(tmp_path / "elsewhere" / "000.mha", MASK)
    link = folder / "vessel" / "000.mha"
    link.symlink_to(outside)
    refused(folder, cases, "000.mha: expected a file inside .* found one that leads to")
    link.unlink()
    (folder / "vessel").rmdir()
    (folder / "vessel").symlink_to(outside.parent)
    refused(folder, cases, "vessel: expected a file inside")


def test_links_of_a_predictions_json_are_refused(tmp_path, folder, cases):
    outside = write_mask(tmp_path / "elsewhere" / "000.mha", MASK)
    where = folder / "aa" / "output" / "images" / "brain-structure"
    where.mkdir(parents=True)
    (where / "output.mha").symlink_to(outside)
    with pytest.raises(InputError, match="is a symbolic link"):
        converted(submit(folder, [job("aa", "000.mha")]), cases)


@pytest.mark.parametrize("way", ["external link", "soft link", "external storage", "virtual"])
def test_hdf5_that_leads_to_other_files_is_refused(tmp_path, folder, cases, way):
    outside = write_mask(tmp_path / "elsewhere.h5", MASK)
    with h5py.File(folder / "vessel" / "000.h5", "w") as file:
        if way == "external link":
            file["mask"] = h5py.ExternalLink(str(outside), "mask")
        elif way == "soft link":
            file["mask"] = h5py.SoftLink("/elsewhere")
        elif way == "external storage":
            raw = [(str(tmp_path / "raw"), 0, MASK.size)]
            file.create_dataset("mask", SHAPE, np.uint8, external=raw)
        else:
            layout = h5py.VirtualLayout(SHAPE, np.uint8)
            layout[:] = h5py.VirtualSource(str(outside), "mask", SHAPE)
            file.create_virtual_dataset("mask", layout)
    refused(folder, cases, "000.h5: mask: expected data in this file, found")


def test_metrics_json_of_2026_has_means_and_standard_deviations(tmp_path):
    table = scores(
        "team",
        {"dice": [0.5, 0.7], "panoptic_quality": [0.2, np.nan]},
        profile="selma2026",
        init="default",
    )
    path = tmp_path / "scores.tsv"
    table.to_csv(path, sep="\t", index=False, na_rep="NaN")
    write_metrics_json(path, "default", "selma2026", tmp_path / "metrics.json")
    written = json.loads((tmp_path / "metrics.json").read_text())
    assert [result["panoptic_quality"] for result in written["results"]] == [0.2, None]
    assert set(written["results"][0]) == {"case", "dice", "panoptic_quality"}
    assert written["aggregates"] == pytest.approx(
        {
            "iso_dice_mean": 0.6,
            "iso_dice_std": np.sqrt(0.02),
            "iso_panoptic_quality_mean": 0.1,  # an undefined value counts as the worst
            "iso_panoptic_quality_std": np.sqrt(0.02),
        }
    )


def test_one_case_has_no_standard_deviation():
    table = scores("team", {"dice": [0.5], "panoptic_quality": [0.2]}, profile="selma2026")
    aggregates = metrics_json(table, "scratch-nall-f0-s0", "selma2026")["aggregates"]
    assert aggregates["iso_dice_std"] is None
    assert aggregates["iso_dice_mean"] == 0.5


def test_microglia_has_the_organisers_prefix_of_2024():
    values = {"dice": [0.5], "betti0_error": [3], "betti1_error": [2], "cldice": [0.4]}
    table = scores("team", values, structure="microglia", scored_as="vessel-like")
    assert metrics_json(table, "scratch-nall-f0-s0", "selma2024")["aggregates"] == {
        "micro_dice": 0.5,
        "micro_betti_error_0": 3,
        "micro_betti_error_1": 2,
        "micro_cldice": 0.4,
    }


def test_a_run_without_scores_has_no_metrics_json():
    table = scores("team", {"dice": [0.5], "betti0_error": [1]})
    with pytest.raises(InputError, match="run 'masked-nall-f0-s0': expected its rows"):
        metrics_json(table, "masked-nall-f0-s0", "selma2024")


def foreign_challenge(repository: Path, folder: Path, **settings: object) -> Challenge:
    method = yaml.safe_load((repository / "config" / "methods" / "threshold.yaml").read_text())
    del method["runs"]
    changed = {"name": "team", "kind": "foreign", "settings": {"predictions": "/submitted"}}
    (folder / "team.yaml").write_text(yaml.safe_dump(method | changed | settings))
    config = yaml.safe_load((repository / "config" / "config.yaml").read_text())
    return Challenge.of(config | {"method_folders": [str(folder)]}, repository)


def test_a_foreign_method_needs_no_rule_and_has_one_run(repository, tmp_path):
    challenge = foreign_challenge(repository, tmp_path)
    assert challenge.foreign == ("team",)
    assert challenge.foreign_predictions("team") == Path("/submitted")
    assert challenge.methods["team"].rules is None
    assert "team" not in challenge.recipes
    runs = expected_runs(challenge)
    assert set(runs.loc[runs["method"] == "team", "run"]) == {"default"}


def test_foreign_results_of_no_place_are_refused(repository, tmp_path):
    [method] = foreign_challenge(repository, tmp_path, settings={}).left_out
    assert "team.yaml: settings: expected the key 'predictions'" in method.reason
    [method] = foreign_challenge(repository, tmp_path, runs="grid").left_out
    assert "team.yaml: runs: " in method.reason
