"""nnU-Net's commands for training and prediction, with the trainer beside this file.

Runs in nnU-Net's own environment: `command.py train|predict <arguments of nnU-Net's command>`.
nnU-Net finds a trainer by importing every trainer that it has, one of which needs a torchvision
built for the very same torch; here it is told the class, and needs no torchvision.
"""

import sys

from nnunetv2.inference import predict_from_raw_data
from nnunetv2.run import run_training
from selma3d_trainer import nnUNetTrainerSELMA3D

COMMANDS = {
    "train": (run_training, run_training.run_training_entry),
    "predict": (predict_from_raw_data, predict_from_raw_data.predict_entry_point_modelfolder),
}


def main() -> None:
    module, entry = COMMANDS[sys.argv.pop(1)]
    if not hasattr(module, "recursive_find_trainer_class_by_name"):
        raise ImportError(f"{module.__name__}: this nnU-Net looks for trainers in another way")
    module.recursive_find_trainer_class_by_name = lambda name: nnUNetTrainerSELMA3D
    entry()


if __name__ == "__main__":  # workers are spawned
    main()
