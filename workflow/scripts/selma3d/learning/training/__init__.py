"""Training: one loop for every pretext task and for fine-tuning, with exact resume."""

from ...system.stop import Unfinished
from ..sampling import VolumeSource
from .assignment import Finetuning, Job, Outputs, Pretraining
from .finetune import finetune, prepare_finetuning
from .node_copies import read_on_node
from .pretrain import prepare_training, pretrain
from .throughput import measure_as_it_stands, measure_pretraining
from .volume_sources import specimens_of, volume_sources

__all__ = [
    "Finetuning",
    "Job",
    "Outputs",
    "Pretraining",
    "Unfinished",
    "VolumeSource",
    "finetune",
    "measure_as_it_stands",
    "measure_pretraining",
    "prepare_finetuning",
    "prepare_training",
    "pretrain",
    "read_on_node",
    "specimens_of",
    "volume_sources",
]
