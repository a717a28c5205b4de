"""What a search at initialisation will do, and for how long."""

from __future__ import annotations

from archatlas.pipelines.ahead import Ahead, Plan

_STEPS_OF_A_CHOICE = 2.5
"""Training steps of one network that a draw takes for each choice that it computes: it differentiates twice."""


def plan(ahead: Ahead) -> Plan:
    """Draws of an untrained super-network, the same for every budget."""
    from archatlas.pipelines.methods.search import left_out
    from archatlas.systems.make import make_method
    from archatlas.systems.nasi.method import Nasi

    methods = ahead.settings.methods
    nasi = make_method("nasi", methods.settings.get("nasi", {}))
    assert isinstance(nasi, Nasi)
    why = left_out("nasi", methods, nasi, ahead.space)
    if why is not None:
        return Plan(f"nothing: nasi is left out ({why})", 0.0)
    draws = methods.seeds * nasi.steps
    what = f"{methods.seeds} searches of {nasi.steps} draws; nothing is trained"
    if ahead.pace is None:
        return Plan(what, None)
    choices = ahead.space.num_choices
    computed = sum(choices) / len(choices) if nasi.through == "all" else 1.0
    share = nasi.batch / ahead.settings.supernet.training.batch_size
    return Plan(what, 3 + draws * _STEPS_OF_A_CHOICE * computed * share * ahead.pace.step)
