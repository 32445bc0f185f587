"""Inference: a trained model and an image become a mask on the image's own grid."""

from .cases import predict_cases
from .ensembles import predict_cases_together
from .model import TrainedModel, load_model
from .settings import WindowSettings
from .whole_volume import gather_slabs, segment_slab, segment_volume

__all__ = [
    "TrainedModel",
    "WindowSettings",
    "gather_slabs",
    "load_model",
    "predict_cases",
    "predict_cases_together",
    "segment_slab",
    "segment_volume",
]
