"""Rule volume_stacks: volumes, masks of them -> stacks for the report's viewer, one a structure."""

from job import running
from selma3d.report.cases.shown_volume import ShownVolume
from selma3d.report.cases.whole_volumes import write_volume_stack


def main() -> None:
    volumes = [ShownVolume.read(plain) for plain in snakemake.params.volumes]
    for shown, path in zip(volumes, snakemake.output.stacks, strict=True):
        write_volume_stack(shown, path)


if __name__ == "__main__":
    with running(snakemake):
        main()
