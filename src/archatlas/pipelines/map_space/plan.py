"""What map_space will do, and for how long."""

from __future__ import annotations

from archatlas.pipelines.ahead import ATLAS_PER_SECOND, Ahead, Plan


def plan(ahead: Ahead) -> Plan:
    """Every network is predicted, or a sample of those of a large space."""
    if ahead.settings.table is not None:
        return Plan("every network that the table knows", 3.0)
    from archatlas.predictors.atlas import atlas_rows

    rows = atlas_rows(ahead.space, ahead.settings.atlas)
    return Plan(f"{rows:,} networks", 3 + rows / ATLAS_PER_SECOND)
