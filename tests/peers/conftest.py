"""The tiny challenge of tests/workflow, for packages in environments of their own."""

from __future__ import annotations
