"""What a challenge consists of: config, edition, images, methods, and the runs that follow."""

from .parts import Method, Structure, Target
from .plan import Challenge
from .run import Run

__all__ = ["Challenge", "Method", "Run", "Structure", "Target"]
