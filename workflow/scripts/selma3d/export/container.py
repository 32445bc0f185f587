"""Build context of a Grand Challenge container with a trained model.

The context holds all that the image needs: a Dockerfile, this library (the container runs its
`container_entry.py`), the weights and the pinned requirements. At run time there is no network.

    docker build --tag method CONTEXT && docker save method | gzip > method.tar.gz
"""

from __future__ import annotations

import json
import shutil
from importlib import metadata
from pathlib import Path

from .. import __version__
from ..inference import TrainedModel
from ..system.atomic import publish_folder
from ..system.errors import InputError

LIBRARY = Path(__file__).resolve().parent.parent
# What the entry imports; everything else of the workflow stays out of the image.
REQUIREMENTS = (
    "torch", "monai", "einops", "numpy", "scipy", "pandas", "h5py", "hdf5plugin", "tifffile",
    "imagecodecs", "nibabel", "zarr", "connected-components-3d", "tensorboard", "tqdm",
    "scikit-image",
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
ENTRYPOINT ["python", "-m", "selma3d.export.container_entry", "/opt/app"]
"""


def pack_container(
    model: TrainedModel, context: Path, *, structure: str, slugs: dict[str, str], overlap: float
) -> None:
    """Write the folder `context`, in place of an earlier one, when it is whole.

    slugs: {input, output} of the edition: folders below /input and /output. Raises InputError where
    the model does not know the structure.
    """
    channel = model.channel(structure)
    missing = {"input", "output"} - slugs.keys()
    if missing:
        raise InputError(f"containers: expected input and output, found {sorted(slugs)}")
    with publish_folder(context) as temporary:
        shutil.copytree(
            LIBRARY, temporary / "selma3d", ignore=shutil.ignore_patterns("__pycache__")
        )
        shutil.copyfile(model.path, temporary / "model.pt")
        settings = {"structure": structure, "channel": channel, "overlap": overlap, **slugs}
        (temporary / "container.json").write_text(json.dumps(settings, indent=1) + "\n")
        (temporary / "requirements.txt").write_text(requirements())
        (temporary / "Dockerfile").write_text(DOCKERFILE.format(version=__version__))


def requirements() -> str:
    """The installed versions of what the entry imports, without labels of local builds."""
    pins = (f"{name}=={metadata.version(name).partition('+')[0]}" for name in REQUIREMENTS)
    return "\n".join(pins) + "\n"
