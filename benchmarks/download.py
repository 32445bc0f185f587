"""What a kill costs a download: bytes sent again, and whether the file is right, client by client.

`python benchmarks/download.py [table.tsv]` serves random bytes on the loopback at a limited rate
and counts what goes over the wire. Scenarios:

- killed: one file, the client killed (SIGKILL) at the same four places, then left to finish;
- changed: the same, and the file is published anew after the second kill;
- many: many small files on a distant server, nobody is killed; here the seconds count.

`again` is what was sent beyond the file's own size, as a share of it; what a resuming client loses
at a kill was on the wire, and does not grow with the file.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "archive"))

from misbehaving_server import MisbehavingServer, Request  # noqa: E402

BIG_BYTES = 24_000_000
RATE = 30_000_000  # bytes a second
SMALL_FILES, SMALL_BYTES, LATENCY_S = 200, 50_000, 0.05
KILLS = 4
SEED = 3

SELMA3D = """
import sys
from pathlib import Path
from selma3d import archive
from selma3d.challenge.edition import ArchiveSettings
folder, urls = Path(sys.argv[1]), sys.argv[2:]
source = ArchiveSettings(kind="urls", urls=tuple(urls))
archive.fetch(source, None, folder / "files", folder / "receipt.tsv", work=folder / "work",
              settings=archive.DownloadSettings(4, 4))
"""
REQUESTS_LOOP = """
import sys
from pathlib import Path
import requests
folder = Path(sys.argv[1]) / "files"
folder.mkdir(exist_ok=True)
for url in sys.argv[2:]:
    with requests.get(url, stream=True) as response, (folder / Path(url).name).open("wb") as file:
        for block in response.iter_content(1 << 18):
            file.write(block)
"""

Client = Callable[[Path, Sequence[str]], list[str]]


def python(program: str) -> Client:
    return lambda folder, urls: [sys.executable, "-c", program, str(folder), *urls]


def curl(*options: str) -> Client:
    return lambda folder, urls: [
        "curl", "-sS", "--create-dirs", "--output-dir", str(folder / "files"), "--remote-name-all",
        *options, *urls,
    ]  # fmt: skip


def wget(*options: str) -> Client:
    return lambda folder, urls: ["wget", "-q", "-P", str(folder / "files"), *options, *urls]


CLIENTS: dict[str, Client] = {
    "selma3d": python(SELMA3D),
    "requests loop": python(REQUESTS_LOOP),
    "curl": curl(),
    "curl -C -": curl("-C", "-"),
    "wget -c": wget("-c"),
}


def start(client: Client, folder: Path, urls: Sequence[str]) -> subprocess.Popen[bytes]:
    environment = os.environ | {
        "PYTHONPATH": str(ROOT / "workflow" / "scripts"),
        "NO_PROXY": "*",
        "no_proxy": "*",
    }
    return subprocess.Popen(
        client(folder, urls),
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def position(requests: Sequence[Request]) -> int:
    """How far into the file the last transfer is."""
    last = next((request for request in reversed(requests) if request.sent), None)
    if last is None:
        return 0
    span = last.range_header or "bytes=0-"
    resumed = int(span.removeprefix("bytes=").rstrip("-")) if last.partial else 0
    return resumed + last.sent


def killed(client: Client, folder: Path, *, changes: bool) -> dict[str, float | bool]:
    rng = random.Random(SEED)
    places = sorted(rng.uniform(0.1, 0.9) for _ in range(KILLS))
    content = rng.randbytes(BIG_BYTES)
    began = time.monotonic()
    with MisbehavingServer({"big.bin": content}, rate=RATE) as server:
        for kill, place in enumerate(places):
            before = len(server.requests)
            running = start(client, folder, [f"{server.url}/big.bin"])
            while position(server.requests[before:]) < place * BIG_BYTES and running.poll() is None:
                time.sleep(0.005)
            running.kill()
            running.wait()
            if changes and kill == 1:
                content = server.files["big.bin"] = rng.randbytes(BIG_BYTES)
        start(client, folder, [f"{server.url}/big.bin"]).wait()
        arrived = folder / "files" / "big.bin"
        return {
            "sent": server.sent(),
            "again": server.sent() / BIG_BYTES - 1,
            "again_MB_a_kill": (server.sent() - BIG_BYTES) / KILLS / 1e6,
            "seconds": time.monotonic() - began,
            "right": arrived.exists() and arrived.read_bytes() == content,
        }


def many(client: Client, folder: Path) -> dict[str, float | bool]:
    rng = random.Random(SEED)
    files = {f"{number:03d}.bin": rng.randbytes(SMALL_BYTES) for number in range(SMALL_FILES)}
    began = time.monotonic()
    with MisbehavingServer(files, latency_s=LATENCY_S) as server:
        start(client, folder, [f"{server.url}/{name}" for name in files]).wait()
        return {
            "sent": server.sent(),
            "again": server.sent() / (SMALL_FILES * SMALL_BYTES) - 1,
            "seconds": time.monotonic() - began,
            "right": all(
                (folder / "files" / name).read_bytes() == content for name, content in files.items()
            ),
        }


def main() -> None:
    scenarios = {
        "killed": lambda client, folder: killed(client, folder, changes=False),
        "changed": lambda client, folder: killed(client, folder, changes=True),
        "many": many,
    }
    rows = []
    for scenario, run in scenarios.items():
        for name, client in CLIENTS.items():
            program = client(Path(), [])[0]
            if shutil.which(program) is None:
                print(f"{name}: not measured, {program} is not installed", file=sys.stderr)
                continue
            with tempfile.TemporaryDirectory() as folder:
                rows.append({"scenario": scenario, "client": name, **run(client, Path(folder))})
    table = pd.DataFrame(rows)
    print(table.to_string(index=False, float_format="{:.3f}".format))
    if len(sys.argv) > 1:
        table.to_csv(sys.argv[1], sep="\t", index=False)


if __name__ == "__main__":
    main()
