"""The writer of prediction files, under the name that authors of methods know it by."""

from .images import PredictionFile, PredictionWriter

__all__ = ["PredictionFile", "PredictionWriter"]
