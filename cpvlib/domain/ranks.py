"""Which process of a distributed training this is."""

from __future__ import annotations

from collections.abc import Mapping

VARIABLES = ("RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK")


def other_rank(environ: Mapping[str, str]) -> str | None:
    """'RANK=3' where a launcher (torchrun, Slurm, Open MPI) says that another process is the first; else
    None.

    What is no number tells nothing.
    """
    for variable in VARIABLES:
        value = environ.get(variable, "").strip()
        if value.isascii() and value.isdigit() and int(value) != 0:
            return f"{variable}={value}"
    return None
