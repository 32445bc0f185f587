"""Ground floor: whole files, leases, GPUs, randomness, job states, errors; uses no other room."""
