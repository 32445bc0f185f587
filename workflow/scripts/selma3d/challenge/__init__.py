"""What a challenge consists of: config, edition, images, methods, and the runs that follow."""

from .plan import Challenge, Method, Structure, Target
from .run import Run

__all__ = ["Challenge", "Method", "Run", "Structure", "Target"]
