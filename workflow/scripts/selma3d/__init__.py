"""SELMA3D: what self-supervised pretraining gains on 3D light-sheet images.

The rooms, top to bottom; a room imports only from below:
report, figures, tables -> ranking, statistics -> metrics | inference -> training -> pretext
-> networks | sampling, augment -> volumes -> convert -> archive | phantom.
"""

__version__ = "0.1.0"
