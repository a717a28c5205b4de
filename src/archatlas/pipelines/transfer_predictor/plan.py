"""How long the transferable predictor takes."""

from __future__ import annotations

from archatlas.pipelines.ahead import Ahead, Plan

_PER_NETWORK_S, _FIT_S = 0.04, 30.0


def plan(ahead: Ahead) -> Plan:
    """Recording of each table's networks, and a dozen fits."""
    transfer = ahead.settings.transfer
    networks = transfer.networks * len(transfer.tables)
    what = f"{networks:,} networks of {len(transfer.tables)} tables{' and those of timm' * transfer.timm}"
    return Plan(what, _FIT_S + _PER_NETWORK_S * networks)
