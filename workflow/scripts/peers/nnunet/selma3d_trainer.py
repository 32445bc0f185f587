"""nnU-Net's trainer with a chosen length, a seed and a history.

Runs in nnU-Net's own environment. The variable SELMA3D_NNUNET holds its settings as JSON.
"""

import json
import os
import random
import resource
import time
from pathlib import Path

import numpy as np
import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

HEADER = ("step", "seconds", "name", "value")


class nnUNetTrainerSELMA3D(nnUNetTrainer):  # noqa: N801 - nnU-Net's way to name trainers
    """The default trainer but for its length, its seed and a history of what it does.

    It ends after `epochs`, or after the epoch in which `minutes` are over; the learning rate falls
    to zero with whichever is nearer. nnU-Net's prediction of the validation cases at the end is
    left out: nothing of the challenge reads it.
    """

    def __init__(self, plans, configuration, fold, dataset_json, device=torch.device("cuda")):  # noqa: B008 - the signature of nnU-Net, which keeps it
        super().__init__(plans, configuration, fold, dataset_json, device)
        settings = json.loads(os.environ["SELMA3D_NNUNET"])
        self.num_epochs = settings["epochs"]
        self.num_iterations_per_epoch = settings["iterations"]
        self.num_val_iterations_per_epoch = settings["validation_iterations"]
        self.save_every = settings["save_every"]
        self._limit_s = None if settings["minutes"] is None else settings["minutes"] * 60
        self._history = Path(self.output_folder) / "history.tsv"
        self._before_s, self._began = 0.0, time.monotonic()
        torch.set_num_threads(settings["threads"])
        for seed in (random.seed, np.random.seed, torch.manual_seed):
            seed(settings["seed"])

    def run_training(self):
        """Epochs until one of the limits."""
        self.on_train_start()
        self._before_s, self._began = self._seconds_recorded(), time.monotonic()
        while self.progress() < 1:
            self.on_epoch_start()
            self.on_train_epoch_start()
            train = range(self.num_iterations_per_epoch)
            self.on_train_epoch_end([self.train_step(next(self.dataloader_train)) for _ in train])
            with torch.no_grad():
                self.on_validation_epoch_start()
                validation = range(self.num_val_iterations_per_epoch)
                self.on_validation_epoch_end(
                    [self.validation_step(next(self.dataloader_val)) for _ in validation]
                )
            self.on_epoch_end()
        self.on_train_end()

    def progress(self) -> float:
        """Share of the training that is done, by epochs or by time, whichever is more."""
        by_epochs = self.current_epoch / self.num_epochs
        return by_epochs if self._limit_s is None else max(by_epochs, self.seconds / self._limit_s)

    @property
    def seconds(self) -> float:
        """Time spent training, over all attempts."""
        return self._before_s + time.monotonic() - self._began

    def on_train_epoch_start(self):
        """As nnU-Net, with a learning rate that follows the time as well as the epochs."""
        super().on_train_epoch_start()
        self.lr_scheduler.step(self.progress() * self.num_epochs)

    def on_epoch_end(self):
        """As nnU-Net, and a few lines of history, one of them the CPU time."""
        super().on_epoch_end()
        used = resource.getrusage(resource.RUSAGE_SELF)
        values = {
            "loss": self.logger.get_value("train_losses", step=-1),
            "validation_loss": self.logger.get_value("val_losses", step=-1),
            "validation_dice": np.mean(self.logger.get_value("dice_per_class_or_region", step=-1)),
            "learning_rate": self.optimizer.param_groups[0]["lr"],
            "cpu_seconds": used.ru_utime + used.ru_stime,
        }
        step = self.current_epoch * self.num_iterations_per_epoch
        if not self._history.exists():
            self._history.write_text("\t".join(HEADER) + "\n")
        with self._history.open("a") as history:
            for name, value in values.items():
                history.write(f"{step}\t{self.seconds:.1f}\t{name}\t{float(value):.6g}\n")

    def _seconds_recorded(self) -> float:
        if not self._history.exists():
            return 0.0
        return float(self._history.read_text().splitlines()[-1].split("\t")[1])

    def perform_actual_validation(self, save_probabilities: bool = False):
        """Left out."""
        self.print_to_log_file("validation cases are not predicted")
