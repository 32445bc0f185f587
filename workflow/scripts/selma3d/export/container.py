"""Build context of a Grand Challenge container with a trained model.

The context holds all that the image needs: a Dockerfile, this library (the container runs its
`container_entry.py`, as a server its `container_server.py`), the weights and the pinned
requirements. At run time there is no network. A server's weights are no part of its image: they lie
beside it in model.tar.gz, which the platform unpacks at /opt/ml/model.

    CONTEXT/do_build.sh && CONTEXT/do_test_run.sh IMAGE && CONTEXT/do_save.sh
"""

from __future__ import annotations

import gzip
import json
import shlex
import shutil
import tarfile
from importlib import metadata
from pathlib import Path

from .. import __version__
from ..challenge.checking import check
from ..challenge.containers import named_inputs
from ..inference import TrainedModel
from ..system.atomic import publish_folder
from ..system.errors import InputError
from .container_input import INPUTS, PORT, ContainerSettings

LIBRARY = Path(__file__).resolve().parent.parent
# What the entry imports; everything else of the workflow stays out of the image.
REQUIREMENTS = (
    "torch", "monai", "einops", "numpy", "scipy", "pandas", "h5py", "hdf5plugin", "tifffile",
    "imagecodecs", "nibabel", "zarr", "connected-components-3d",
    "scikit-image", "pydantic", "PyYAML",
)  # fmt: skip
DOCKERFILE = """\
# Made by selma3d {version}. Build: docker build --tag METHOD .
FROM --platform=linux/amd64 python:3.11-slim
RUN groupadd --system user && useradd --system --gid user --create-home user \\
 && mkdir -p /input /output && chown user:user /input /output
WORKDIR /opt/app
COPY requirements.txt .
RUN pip install --no-cache-dir --requirement requirements.txt
COPY . .
USER user
ENV PYTHONPATH=/opt/app PYTHONUNBUFFERED=1
{label}ENTRYPOINT ["python", "-m", "selma3d.export.{program}", "/opt/app"]
"""
# What tells the platform to call a server; without it, it starts a process for each image.
SERVER_LABEL = 'LABEL org.grand-challenge.api-method="invoke"\nEXPOSE {port}\n'
PROGRAMS = {"process": "container_entry", "server": "container_server"}
MODEL, WEIGHTS = "model.pt", "model.tar.gz"
BUILD = """\
#!/usr/bin/env bash
# Build the image.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
docker build --platform linux/amd64 --tag "${IMAGE:-selma3d-method}" .
"""
TEST_RUN = """\
#!/usr/bin/env bash
# Segment one image as the platform does, without a network: ./do_test_run.sh IMAGE
set -euo pipefail
image=$(realpath -- "${1:?expected an image: ./do_test_run.sh IMAGE}")
cd "$(dirname "${BASH_SOURCE[0]}")"
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
mkdir -p "$work/input/@INPUT@" "$work/output/@OUTPUT@" "$work/model"
cp -- "$image" "$work/input/@INPUT@/"
@INPUTS@
chmod -R a+rwX "$work"
limits=(--platform linux/amd64 --pids-limit 512 --network none)
limits+=(--cap-drop ALL --security-opt no-new-privileges)
if [ -n "${GPUS:-}" ]; then limits+=(--gpus "$GPUS"); fi # such as GPUS=all
mounts=(-v "$work/input:/input:ro" -v "$work/output:/output")
@RUN@
mkdir -p test-output
cp -- "$work/output/@OUTPUT@/output.mha" test-output/
echo "wrote test-output/output.mha"
"""
RUN_PROCESS = """\
docker run --rm "${limits[@]}" "${mounts[@]}" "${IMAGE:-selma3d-method}\""""
RUN_SERVER = """\
tar --extract --gzip --file model.tar.gz --directory "$work/model"
mounts+=(-v "$work/model:/opt/ml/model:ro")
# No way out of the container: it is called from within.
name=$(docker run --detach "${limits[@]}" "${mounts[@]}" "${IMAGE:-selma3d-method}")
trap 'docker logs "$name" || :; docker rm --force "$name" >/dev/null || :; rm -rf -- "$work"' EXIT
docker exec -i "$name" python - <<'END'
import sys, time, urllib.error, urllib.request
for _ in range(600):
    try:
        urllib.request.urlopen("http://127.0.0.1:@PORT@/health")
        break
    except OSError:
        time.sleep(1)
call = urllib.request.Request("http://127.0.0.1:@PORT@/invoke", data=b"", method="POST")
try:
    answer = urllib.request.urlopen(call)
except urllib.error.HTTPError as error:
    sys.exit(error.read().decode())
print(answer.status, answer.read().decode())
END"""
SAVE = """\
#!/usr/bin/env bash
# Write the image as the file that is uploaded@WEIGHTS@.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
trap 'rm -f method.tar.gz.part' EXIT
docker save "${IMAGE:-selma3d-method}" | gzip > method.tar.gz.part
mv method.tar.gz.part method.tar.gz
echo "wrote method.tar.gz"
"""


def pack_container(
    model: TrainedModel,
    context: Path,
    *,
    structure: str,
    slugs: dict[str, str | None],
    overlap: float,
) -> None:
    """Write the folder `context`, in place of an earlier one, when it is whole.

    slugs: of the edition: input and output (folders below /input and /output), and optionally kind
    and inputs_key. Raises InputError where the model does not know the structure.
    """
    channel = model.channel(structure)
    missing = {"input", "output"} - slugs.keys()
    if missing:
        raise InputError(f"containers: expected input and output, found {sorted(slugs)}")
    content = {"structure": structure, "channel": channel, "overlap": overlap, **slugs}
    settings = check(ContainerSettings, content, "containers")
    with publish_folder(context) as temporary:
        shutil.copytree(
            LIBRARY, temporary / "selma3d", ignore=shutil.ignore_patterns("__pycache__")
        )
        if settings.kind == "server":
            _pack_weights(model.path, temporary / WEIGHTS)
            (temporary / ".dockerignore").write_text(f"{WEIGHTS}\nmethod.tar.gz*\ntest-output\n")
        else:
            shutil.copyfile(model.path, temporary / MODEL)
            (temporary / ".dockerignore").write_text("method.tar.gz*\ntest-output\n")
        (temporary / "container.json").write_text(json.dumps(content, indent=1) + "\n")
        (temporary / "requirements.txt").write_text(requirements())
        (temporary / "Dockerfile").write_text(dockerfile(settings))
        for name, text in scripts(settings).items():
            (temporary / name).write_text(text)
            (temporary / name).chmod(0o755)


def dockerfile(settings: ContainerSettings) -> str:
    """The text of the context's Dockerfile."""
    label = SERVER_LABEL.format(port=PORT) if settings.kind == "server" else ""
    return DOCKERFILE.format(version=__version__, program=PROGRAMS[settings.kind], label=label)


def scripts(settings: ContainerSettings) -> dict[str, str]:
    """The shell scripts that build, try and save an image, by their names."""
    listed = json.dumps(named_inputs(settings.input, settings.inputs_key))
    inputs = f"printf '%s\\n' {shlex.quote(listed)} > \"$work/input/{INPUTS}\""
    is_server = settings.kind == "server"
    test_run = TEST_RUN.replace("@INPUTS@", inputs if settings.inputs_key else "# no inputs.json")
    test_run = test_run.replace("@RUN@", RUN_SERVER if is_server else RUN_PROCESS)
    test_run = test_run.replace("@PORT@", str(PORT))
    for name in ("input", "output"):
        test_run = test_run.replace(f"@{name.upper()}@", getattr(settings, name))
    beside = f"; its weights are {WEIGHTS}" if is_server else ""
    return {
        "do_build.sh": BUILD,
        "do_test_run.sh": test_run,
        "do_save.sh": SAVE.replace("@WEIGHTS@", beside),
    }


def _pack_weights(model: Path, tarball: Path) -> None:
    """A tarball of the model's file alone; the same model gives the same bytes."""
    with (
        tarball.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
        model.open("rb") as content,
    ):
        member = tarfile.TarInfo(MODEL)
        member.size = model.stat().st_size
        archive.addfile(member, content)


def requirements() -> str:
    """The installed versions of what the entry imports, without labels of local builds."""
    pins = (f"{name}=={metadata.version(name).partition('+')[0]}" for name in REQUIREMENTS)
    return "\n".join(pins) + "\n"
