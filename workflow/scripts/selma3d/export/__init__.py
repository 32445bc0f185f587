"""Masks and labels for other programs, the format by the name of the file."""

from .mask_formats import FORMATS, export, export_instances, export_segmentation, suffix_of

__all__ = ["FORMATS", "export", "export_instances", "export_segmentation", "suffix_of"]
