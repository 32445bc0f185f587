"""The start of a job is cheap: each reads the Snakefile."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("scipy", "skimage", "matplotlib", "torch", "monai", "h5py")


def test_the_rules_are_read_without_any_library_that_computes_or_draws(repository) -> None:
    read = [sys.executable, "-X", "importtime", "-m", "snakemake", "--list-rules"]
    ran = subprocess.run(read, cwd=repository, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr[-2000:]
    imported = {line.rpartition("|")[2].strip() for line in ran.stderr.splitlines()}
    assert "pandas" in imported
    assert [name for name in HEAVY if name in imported] == []
