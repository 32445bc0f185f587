"""Command that segments one image: `python -m selma3d.segment MODEL IMAGE OUT`."""

import sys

from .export.single_image import main, segment

__all__ = ["main", "segment"]

if __name__ == "__main__":
    sys.exit(main())
