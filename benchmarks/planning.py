"""How long a plan takes: python benchmarks/planning.py [--rounds N]

Dry runs of the full challenge with its default grid and with 19 seeds, some 20,000 jobs, as
Snakemake's help advises for large workflows: `snakemake -n --quiet` works out every job, and prints
how many there are of each rule instead of each job. Each takes turns with Snakemake as it comes,
without the shortcuts of `scripts/planning.py`. Seconds are of CPU, and by the clock in brackets;
the best of the rounds counts.
"""

from __future__ import annotations

import argparse
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GRIDS = {"default grid": (10.0, ""), "19 seeds": (30.0, f"seeds: {list(range(19))}\n")}
SNAKEMAKE = """
import sys
sys.path.insert(0, "workflow/scripts")
from snakemake.cli import main
import planning
if {as_it_comes}:
    planning.mend_planning = planning.print_summaries
main()
"""


def dry_run(config: Path, *, as_it_comes: bool) -> tuple[float, float, int]:
    """CPU seconds, seconds by the clock, and how many jobs were planned."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    code = SNAKEMAKE.format(as_it_comes=as_it_comes)
    ran = subprocess.run(
        [sys.executable, "-c", code, "-n", "--quiet", "--configfile", config],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    if ran.returncode:
        sys.exit(ran.stdout + ran.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    jobs = int(re.search(r"^total\s+(\d+)$", ran.stdout + ran.stderr, re.MULTILINE)[1])
    return cpu, time.perf_counter() - began, jobs


def main() -> None:
    """Print two rows a grid."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=2)
    rounds = arguments.parse_args().rounds
    with tempfile.TemporaryDirectory() as temporary:
        for name, (target, grid) in GRIDS.items():
            config = Path(temporary) / "config.yaml"
            config.write_text(f"results: {temporary}/results\n{grid}")
            measured = [
                [dry_run(config, as_it_comes=plain) for plain in (False, True)]
                for _ in range(rounds)
            ]
            ours, plain = (min(column) for column in zip(*measured, strict=True))
            print(f"{name}: {ours[2]} jobs")
            print(
                f"  as it is            {ours[0]:5.1f} CPU s ({ours[1]:.1f}), target {target:.0f}"
            )
            print(f"  Snakemake's own way {plain[0]:5.1f} CPU s ({plain[1]:.1f})")
            print(f"  ratio               {ours[0] / plain[0]:.2f}")


if __name__ == "__main__":
    main()
