"""The HDF5 files between the rules: patches, cases, volumes, predictions and their indexes.

Arrays are (Z,Y,X), images (C,Z,Y,X); voxel sizes are (z,y,x) in micrometres, None when unknown.
"""

from .collection_file import CollectionFile, is_collection
from .index import IndexRow, content_hash, plane_hash, read_index, write_index
from .intensity import PERCENTILES, Intensity
from .mask_files import InstanceFile, PredictionFile, PredictionWriter, SegmentationFile
from .occupancy import BLOCK, air_threshold, block_statistics
from .patch_file import PatchFile, PatchWriter
from .storage import CONTRACT_VERSION, chunk_shape
from .volume_file import VolumeFile, write_volume

__all__ = [
    "BLOCK",
    "CONTRACT_VERSION",
    "PERCENTILES",
    "CollectionFile",
    "IndexRow",
    "InstanceFile",
    "Intensity",
    "PatchFile",
    "PatchWriter",
    "PredictionFile",
    "PredictionWriter",
    "SegmentationFile",
    "VolumeFile",
    "air_threshold",
    "block_statistics",
    "chunk_shape",
    "content_hash",
    "is_collection",
    "plane_hash",
    "read_index",
    "write_index",
    "write_volume",
]
