"""SELMA3D: what self-supervised pretraining gains on 3D light-sheet images.

Twelve rooms in the order that data flows: challenge, archive, images, learning, inference, methods,
scoring, ranking, report, export, monitor; and system, which all of them use. A room imports only
from rooms before it. docs/architecture.md is the map.
"""

__version__ = "0.1.0"
