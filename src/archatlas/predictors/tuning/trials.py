"""Finished trials of an Optuna study as JSON documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import optuna


def describe_trial(trial: optuna.trial.FrozenTrial) -> dict[str, Any]:
    """The trial as a JSON document, from which :func:`read_trial` makes it again; numbers stay what they are."""
    from optuna.distributions import distribution_to_json

    return {
        "state": trial.state.name,
        "value": trial.value,
        "params": trial.params,
        "distributions": {name: distribution_to_json(one) for name, one in trial.distributions.items()},
        "intermediate_values": {str(step): value for step, value in trial.intermediate_values.items()},
        "user_attrs": trial.user_attrs,
    }


def read_trial(document: dict[str, Any]) -> optuna.trial.FrozenTrial:
    """A trial as it was described, for ``Study.add_trial``."""
    from optuna.distributions import json_to_distribution
    from optuna.trial import TrialState, create_trial

    return create_trial(
        state=TrialState[document["state"]],
        value=document["value"],
        params=document["params"],
        distributions={name: json_to_distribution(one) for name, one in document["distributions"].items()},
        intermediate_values={int(step): value for step, value in document["intermediate_values"].items()},
        user_attrs=document["user_attrs"],
    )
