"""Synthetic light-sheet archives with exact truth: the data of the demo.

`write_archive(folder, spec, seed)` writes images as the published archive lays them out, a
`samples.tsv` that tells specimen and role of each, and, last, a `manifest.tsv`. `spec` has one
entry a structure, as in an edition file:

    structures:
      vessel:                    # the structure's name in the edition
        kind: vessel             # vessel | cell | nucleus | plaque | microglia
        channels: 2              # 1; vessels may have 2 (WGA, Evans blue)
        folder: VessAP_vessel    # annotated patches: SELMA3D_training_annotated/<folder>
        patch_shape: [48, 96, 96]          # Z,Y,X voxels
        volume_shape: [128, 160, 160]      # needed where there are volumes
        voxel_size_um: [4, 2, 2]           # z,y,x
        training: {specimens: 3, patches_per_specimen: 2}
        test: {specimens: 3, patches_per_specimen: 1}
        volumes: 2
        light: 1.0                 # 0.01: a hundredth of it; noise then hides form
        distractors: 1.0           # 8.0: eight times as many bright objects that are not labelled
        volumes_as_test: false     # true: volumes are imaged as the test cases are

`channels` is 1, `folder` the structure's name, `volumes` and either cohort none by default. The
last of several training specimens has the role of validation. The first volume is of the first
training specimen; every other volume is of a specimen of its own, so no volume ever shows a
specimen of validation or test.
"""

from __future__ import annotations

from .archive import write_archive

__all__ = ["write_archive"]
