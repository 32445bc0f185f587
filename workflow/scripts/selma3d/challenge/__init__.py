"""A challenge as data: config, edition, images, methods, the runs that follow, their files."""

from .challenge import Challenge
from .config import Config, read_config
from .encoder import Encoder
from .layout import Layout
from .methods import Method
from .run import Run
from .source import Source
from .structure import Structure
from .target import Target

__all__ = [
    "Challenge",
    "Config",
    "Encoder",
    "Layout",
    "Method",
    "Run",
    "Source",
    "Structure",
    "Target",
    "read_config",
]
