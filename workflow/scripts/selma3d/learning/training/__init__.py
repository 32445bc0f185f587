"""Training: one loop for every pretext task and for fine-tuning, with exact resume."""

from ...system.stop import Unfinished
from .finetune import finetune
from .pretrain import pretrain
from .throughput import measure_finetuning, measure_throughput

__all__ = ["Unfinished", "finetune", "measure_finetuning", "measure_throughput", "pretrain"]
