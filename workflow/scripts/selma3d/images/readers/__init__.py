"""Readers of image files: one interface, `open_image`, and a file for each format in `formats/`."""

from .formats import extensions, image_stem, image_suffix
from .formats.bigdataviewer import described_data
from .image_file import ImageFile, UnreadablePlaneError, fingerprint, reading
from .opening import StoredImage, is_image, open_image, read_image

__all__ = [
    "ImageFile",
    "StoredImage",
    "UnreadablePlaneError",
    "described_data",
    "extensions",
    "fingerprint",
    "image_stem",
    "image_suffix",
    "is_image",
    "open_image",
    "read_image",
    "reading",
]
