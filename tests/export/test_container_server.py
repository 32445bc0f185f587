"""The container of 2026: a server that loads its model once and outlives every image."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
import tifffile
from packaging.requirements import Requirement

from selma3d.export.container import REQUIREMENTS, pack_container
from selma3d.images import Intensity
from selma3d.inference import load_model
from selma3d.inference.cases import binarise
from small_models import noise, write_model

FOLDER = "images/light-sheet-3d-microscopy"
SLUGS = {
    "input": FOLDER,
    "output": "images/isolated-biological-structure",
    "kind": "server",
    "inputs_key": "socket",
}
NAMED = [{"socket": {"slug": "light-sheet-3d-microscopy", "relative_path": FOLDER}}]
ENTRY = "selma3d.export.container_server"
# As in the image: what is not among the pinned requirements is not installed there.
AS_IN_THE_IMAGE = """
import runpy, sys
absent = set(sys.argv.pop(1).split(","))
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""


def absent_modules() -> list[str]:
    """Modules that are installed here and would not be by the requirements of a container."""
    installed, waiting = set(), list(REQUIREMENTS)
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        if name in installed:
            continue
        installed.add(name)
        for text in metadata.requires(name) or ():
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                waiting.append(needed.name)
    return [
        module
        for module, brought_by in metadata.packages_distributions().items()
        if not {each.lower().replace("_", "-") for each in brought_by} & installed
        and module.isidentifier()
    ]


class Called:
    """A server as a process, with folders of its own."""

    def __init__(self, folder: Path) -> None:
        model = write_model(folder / "trained.pt", structures={"spots": {"channel": 1}})
        self.model = load_model(model)
        context = folder / "context"
        pack_container(self.model, context, structure="spots", slugs=SLUGS, overlap=0.5)
        self.context, self._folder = context, folder
        (folder / "opt").mkdir()
        with tarfile.open(context / "model.tar.gz") as weights:
            weights.extractall(folder / "opt", filter="data")
        self.images = folder / "input" / FOLDER
        self.images.mkdir(parents=True)
        self.mask = folder / "output" / SLUGS["output"] / "output.mha"
        self.inputs = folder / "input" / "inputs.json"
        self._log = folder / "log"
        environment = os.environ | {
            "SELMA3D_INPUT": str(folder / "input"),
            "SELMA3D_OUTPUT": str(folder / "output"),
            "SELMA3D_MODEL": str(folder / "opt"),
            "SELMA3D_HOST": "127.0.0.1",
            "SELMA3D_PORT": "0",
            "PYTHONPATH": str(context),
            "OMP_NUM_THREADS": "1",
        }
        absent = ",".join(absent_modules())
        command = [sys.executable, "-c", AS_IN_THE_IMAGE, absent, ENTRY, str(context)]
        self.process = subprocess.Popen(
            command, cwd=context, env=environment, stderr=subprocess.PIPE, text=True
        )
        self.lines = []
        for line in self.process.stderr:
            self.lines.append(line)
            if "listening on port" in line:
                break
        else:
            pytest.fail("".join(self.lines))
        self._address = f"http://127.0.0.1:{line.split()[-1]}"
        self.clear()

    def clear(self) -> None:
        """An empty input, well described."""
        for file in self.images.iterdir():
            file.unlink()
        self.inputs.write_text(json.dumps(NAMED))

    def invoke(self, data: bytes = b"{}", path: str = "/invoke") -> tuple[int, dict]:
        call = urllib.request.Request(self._address + path, data=data, method="POST")
        try:
            with urllib.request.urlopen(call, timeout=300) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def health(self) -> int:
        with urllib.request.urlopen(f"{self._address}/health", timeout=60) as answer:
            return answer.status

    def resident_kb(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])

    def end(self) -> str:
        """All that it has logged."""
        self.process.terminate()
        _, rest = self.process.communicate(timeout=60)
        return "".join(self.lines) + rest


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Called]:
    called = Called(tmp_path_factory.mktemp("server"))
    yield called
    if called.process.poll() is None:
        called.end()


def mha(image: np.ndarray) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(image), str(folder / "case.mha"))

    return write


def tiff(image: np.ndarray) -> Callable[[Path], None]:
    return lambda folder: tifffile.imwrite(folder / "case.tif", image, metadata={"axes": "ZYX"})


def file(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda folder: folder.joinpath(name).write_bytes(content)


def both(*writers: Callable[[Path], None]) -> Callable[[Path], None]:
    return lambda folder: [write(folder) for write in writers]


GREY = noise((20, 24, 28))
RIGHT = {
    "other size than the window": (mha(GREY), GREY),
    "smaller than the window": (mha(GREY[:5, :6, :7]), GREY[:5, :6, :7]),
    "8 bits": (mha((GREY // 4).astype(np.uint8)), (GREY // 4).astype(np.uint8)),
    "constant": (mha(np.full_like(GREY, 7)), np.full_like(GREY, 7)),
}
HEADER = (
    b"ObjectType = Image\nNDims = 3\nDimSize = 90000 90000 90000\nElementType = MET_USHORT\n"
    b"CompressedData = True\nCompressedDataSize = 5\nElementDataFile = LOCAL\n12345"
)
HOSTILE = {
    "one plane": (tiff(GREY[:1]), "expected a 3D image, found a single plane"),
    "negative values": (mha(GREY.astype(np.int16) - 500), "expected grey values from 0"),
    "NaN": (mha(np.full((4, 5, 6), np.nan, np.float32)), "expected finite grey values"),
    "a promise of petabytes": (file("case.mha", HEADER), "at most"),
    "text": (file("case.tif", b"no image at all"), "case.tif: "),
    "an empty file": (file("case.mha", b""), "case.mha: "),
    "voxels in another file": (
        file("case.mha", HEADER.replace(b"LOCAL", b"/etc/passwd")),
        "ElementDataFile",
    ),
    "a link": (
        lambda folder: folder.joinpath("case.mha").symlink_to("/etc/passwd"),
        "expected a file, found a link",
    ),
    "no image": (lambda folder: None, "expected one image (.mha, .tif, .tiff), found none"),
    "two images": (both(mha(GREY), tiff(GREY)), "found case.mha, case.tif"),
}
NAMES = {
    "no list": (b'{"socket": 1}', "expected a list of inputs"),
    "no JSON": (b"{", "expected JSON"),
    "2025's key": (
        json.dumps([{"interface": {"relative_path": FOLDER}}]).encode(),
        "found none",
    ),
    "another folder": (
        json.dumps([{"socket": {"relative_path": "../../etc"}}]).encode(),
        "found ../../etc",
    ),
}


def stored(path: Path) -> np.ndarray:
    return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))


@pytest.mark.parametrize("name", RIGHT)
def test_an_image_of_any_size_and_depth_gives_the_models_own_mask(server: Called, name) -> None:
    server.clear()
    write, grey = RIGHT[name]
    write(server.images)
    status, answer = server.invoke()
    assert status == 201, answer
    expected = binarise(server.model, server.model.probability(grey, Intensity.of(grey)))
    np.testing.assert_array_equal(stored(server.mask), expected)
    assert b"CompressedData = True" in server.mask.read_bytes()[:1000]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_wrong_image_is_refused_in_one_line_and_leaves_no_mask(server: Called, name) -> None:
    server.clear()
    write, said = HOSTILE[name]
    write(server.images)
    status, answer = server.invoke()
    assert status == 400, answer
    assert said in answer["error"]
    assert "\n" not in answer["error"]
    assert not server.mask.exists()


@pytest.mark.parametrize("name", NAMES)
def test_inputs_that_do_not_name_the_image_are_refused(server: Called, name) -> None:
    server.clear()
    mha(GREY)(server.images)
    content, said = NAMES[name]
    server.inputs.write_bytes(content)
    status, answer = server.invoke()
    assert status == 400
    assert said in answer["error"]


def test_a_wrong_request_is_answered_and_the_next_image_is_segmented(server: Called) -> None:
    server.clear()
    mha(GREY)(server.images)
    assert server.invoke(path="/train")[0] == 404
    assert server.health() == 200
    assert server.invoke()[0] == 201
    assert server.mask.exists()


def test_weights_lie_beside_the_image_and_not_in_it(server: Called) -> None:
    with tarfile.open(server.context / "model.tar.gz") as weights:
        assert weights.getnames() == ["model.pt"]
    assert not list(server.context.rglob("*.pt"))
    assert "model.tar.gz" in (server.context / ".dockerignore").read_text()
    assert ENTRY in (server.context / "Dockerfile").read_text()


def test_the_platform_is_told_that_it_is_a_server_and_calls_it_at_its_port(server: Called) -> None:
    """Without the label it would start a process for each image; it knows one port."""
    image = (server.context / "Dockerfile").read_text()
    assert '\nLABEL org.grand-challenge.api-method="invoke"\n' in image
    assert "\nEXPOSE 4743\n" in image
    assert "127.0.0.1:4743/invoke" in (server.context / "do_test_run.sh").read_text()


def test_scripts_of_a_context_are_sound_shell(server: Called) -> None:
    for name in ("do_build.sh", "do_test_run.sh", "do_save.sh"):
        script = server.context / name
        assert os.access(script, os.X_OK)
        subprocess.run(["bash", "-n", str(script)], check=True)
        assert not re.search("@[A-Z]+@", script.read_text())


@pytest.mark.faults
def test_fifty_calls_of_which_five_are_hostile_take_one_model_and_flat_memory(
    tmp_path: Path,
) -> None:
    server = Called(tmp_path)
    hostile, sizes, answered = list(HOSTILE), [], []
    for call in range(50):
        server.clear()
        is_hostile = call % 10 == 5
        write = HOSTILE[hostile[call // 10]][0] if is_hostile else mha(np.roll(GREY, call, 1))
        write(server.images)
        status, _ = server.invoke()
        answered.append((status, 400 if is_hostile else 201))
        sizes.append(server.resident_kb())
    log = server.end()
    print("resident MB after calls 5, 25, 50:", *(sizes[n] // 1024 for n in (4, 24, 49)))
    assert all(status == expected for status, expected in answered)
    assert log.count("model loaded") == 1
    assert server.process.returncode == 0
    assert max(sizes[25:]) < 1.1 * sizes[4]
