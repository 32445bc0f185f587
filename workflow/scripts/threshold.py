"""Rule threshold_method: training patches, test cases -> masks by one threshold."""

from pathlib import Path

from job import running
from selma3d.challenge.checking import check
from selma3d.challenge.source import Source
from selma3d.methods.cases import CasesToSegment
from selma3d.methods.threshold import ThresholdSettings, segment_cases


def main() -> None:
    params = snakemake.params
    to_segment = CasesToSegment(
        Path(snakemake.input.cases),
        params.channel,
        Path(snakemake.output.predictions),
        method="threshold",
        structure=snakemake.wildcards.structure,
    )
    choices = check(ThresholdSettings, params.settings, "method threshold: settings")
    segment_cases([Source.read(source) for source in params.sources], to_segment, choices)


if __name__ == "__main__":
    with running(snakemake):
        main()
