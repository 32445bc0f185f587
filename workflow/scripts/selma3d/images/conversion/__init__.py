"""Conversion of image files (TIFF, NIfTI, MHA, NPY) to the HDF5 files of the workflow."""
