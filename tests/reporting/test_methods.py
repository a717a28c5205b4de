from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from archatlas.reporting.blocks import Text
from archatlas.reporting.run import Run
from archatlas.reporting.sections.methods import methods_section
from archatlas.systems.comparison import compared


def comparison_of(*methods: str) -> pd.DataFrame:
    best = pd.DataFrame(
        [
            (method, "small", seed, f"net{seed}", 0.5, 10, 10, 4, 1e9, 1e9, 0, 2.0)
            for method in methods
            for seed in range(3)
        ],
        columns=["method", "budget", "seed", "network", "score", "macs", "params", "evaluations", "forward_macs",
                 "backward_macs", "trainings", "epochs"],
    )  # fmt: skip
    return compared(best, {f"net{seed}": 0.7 for seed in range(3)})


@pytest.mark.parametrize("trained", [False, True])
def test_what_trains_nothing_is_not_said_to_cost_the_same(trained: bool, run: Run) -> None:
    scoring, untrained = ("random_search", "gram"), "What searches at initialisation (nasi) scores none"
    score_by = {"methods": {"score_by": "training" if trained else "supernet"}}
    for methods in (scoring, (*scoring, "nasi")):
        section = methods_section(replace(run, method_comparison=comparison_of(*methods), parameters=score_by))
        assert section is not None
        assert "cost stands beside it" in section.lead
        how = "train each alone on one short schedule" if trained else "use the same super-networks"
        (told,) = (one.text for one in section.blocks if isinstance(one, Text) and "equally many" in one.text)
        assert told.startswith(f"Methods that score networks {how}, and may score equally many. ")
        assert (untrained in told) is ("nasi" in methods)
