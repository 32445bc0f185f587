"""From a trained model and an image to a mask, on the image's own grid."""

from .cases import predict_cases
from .model import TrainedModel, load_model

__all__ = ["TrainedModel", "load_model", "predict_cases"]
