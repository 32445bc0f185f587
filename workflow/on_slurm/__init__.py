"""Commands for a SLURM cluster: ask it for its partitions, and keep Snakemake running on it."""
