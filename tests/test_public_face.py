"""The public face: every name that users of the library and authors of methods are told of."""

from __future__ import annotations

import os
import subprocess
import sys

import h5py
import numpy as np
import pytest

HEAVY = {"torch", "monai", "scipy", "skimage", "cc3d"}  # take long to import


def python(repository, *arguments: str) -> str:
    """What a new interpreter prints that finds the library as users do."""
    ran = subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | {"PYTHONPATH": str(repository / "workflow" / "scripts")},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def ball(shape: tuple[int, int, int] = (12, 14, 16)) -> np.ndarray:
    grid = np.ogrid[tuple(slice(n) for n in shape)]
    return sum((g - n / 2) ** 2 for g, n in zip(grid, shape, strict=True)) < 16


@pytest.mark.parametrize("structure_type", ["vessel-like", "spot-like"])
@pytest.mark.parametrize("prepared", [False, True])
def test_a_case_is_scored_by_each_profile_with_the_metrics_that_the_table_names(
    structure_type, prepared
):
    from selma3d.metrics import METRICS, PROFILES, prepare_truth, score_case

    truth = prepare_truth(ball()) if prepared else ball()
    for profile in PROFILES:
        scores = score_case(
            truth,
            ball(),
            structure_type=structure_type,
            profile=profile,
            voxel_size_um=(4.0, 2.0, 2.0),
        )
        assert scores["dice"] == 1.0
        named = {n for n, m in METRICS.items() if structure_type in m.profiles.get(profile, ())}
        assert set(scores) == named


def test_a_case_is_described_with_objects_counts_and_surfaces():
    from selma3d.metrics import METRICS, describe_case

    found = describe_case(ball(), ball(), structure_type="spot-like")
    assert found["object_recall"] == found["surface_dice"] == 1.0
    assert set(found) <= set(METRICS)


def test_the_table_of_metrics_alone_imports_nothing_that_takes_long(repository):
    code = (
        "import sys; from selma3d.metrics import METRICS, PROFILES; "
        "assert len(METRICS) and len(PROFILES); print(*sys.modules)"
    )
    assert HEAVY.isdisjoint(python(repository, "-c", code).split())


def test_scores_of_a_case_import_no_torch(repository):
    code = "import sys; from selma3d.metrics import score_case; print(*sys.modules)"
    assert {"torch", "monai"}.isdisjoint(python(repository, "-c", code).split())


def test_results_are_read_without_torch_and_without_matplotlib(repository):
    code = "import sys; from selma3d.results import Results, read; print(*sys.modules)"
    assert {"torch", "monai", "matplotlib"}.isdisjoint(python(repository, "-c", code).split())


def test_all_names_can_be_listed_and_a_misspelt_one_is_an_attribute_error():
    import selma3d.metrics

    assert set(selma3d.metrics.__all__) <= set(dir(selma3d.metrics))
    with pytest.raises(AttributeError, match="score_cases"):
        selma3d.metrics.score_cases  # noqa: B018


def test_the_command_for_single_images_says_what_it_takes(repository):
    told = python(repository, "-m", "selma3d.segment", "--help").lower()
    assert all(word in told for word in ("model", "image", "out"))


@pytest.mark.parametrize("module", ["images", "volumes"])
def test_a_methods_author_writes_predictions_by_either_name(repository, tmp_path, module):
    code = f"""
import sys
import numpy as np
from selma3d.{module} import PredictionWriter
with PredictionWriter(sys.argv[1], "mine", "vessel", "default") as predictions:
    predictions.add("case 1", np.ones((2, 3, 4), np.uint8), np.full((2, 3, 4), 0.75, np.float32))
"""
    path = tmp_path / "default.h5"
    python(repository, "-c", code, str(path))
    with h5py.File(path) as file:  # as docs/methods.md says that it looks
        assert file.attrs["kind"] == "predictions"
        assert file.attrs["contract_version"] == 1
        mask, probability = file["case 1/mask"], file["case 1/probability"]
        assert (mask.dtype, mask.shape) == (np.uint8, (2, 3, 4))
        assert 0 <= probability[()].min() <= probability[()].max() <= 1
