"""Candidates of all methods side by side."""

from __future__ import annotations

import pandas as pd
import pytest

from archatlas.errors import ArchatlasError
from archatlas.verification.candidates import finalists_by_table, finalists_of_methods
from archatlas.verification.united import by_method, methods_of, require_all_budgets, require_candidates, united


def candidates(*rows: tuple[str, int, str, float]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["budget", "rank", "network", "predicted_score"])
    return table.assign(predicted_latency_ms=1.0)


ATLAS = candidates(("small", 1, "a", 0.7), ("small", 2, "b", 0.6), ("small", 3, "c", 0.5), ("large", 1, "d", 0.9))
OTHER = candidates(("small", 1, "c", 0.1), ("small", 2, "e", 0.05), ("large", 1, "f", 0.2), ("large", 2, "d", 0.1))


def test_ranks_are_compared_and_never_scores() -> None:
    table = united({"atlas": ATLAS, "other": OTHER})
    assert table[["budget", "rank", "network", "method"]].to_numpy().tolist() == [
        ["small", 1, "a", "atlas"],
        ["small", 2, "c", "other, atlas"],
        ["small", 3, "b", "atlas"],
        ["small", 4, "e", "other"],
        ["large", 1, "d", "atlas, other"],
        ["large", 2, "f", "other"],
    ]
    assert methods_of("other, atlas") == ["other", "atlas"]


def test_one_method_alone_stays_as_it_is() -> None:
    pd.testing.assert_frame_equal(united({"atlas": ATLAS}), ATLAS.assign(method="atlas"))
    with pytest.raises(ArchatlasError, match="no method has candidates yet"):
        united({})


def test_searches_that_found_nothing_are_named() -> None:
    require_candidates(ATLAS, ["atlas", "gram"], ["nasi"])
    require_all_budgets(ATLAS, ["small", "large"])
    with pytest.raises(ArchatlasError) as refused:
        require_candidates(ATLAS[:0], ["gram", "nasgem", "nasi"], ["gram"])
    assert str(refused.value) == (
        "no search has found a network; left out, or without a network that has a score, which the log says: gram; not "
        "asked to (`methods.names` is gram): nasgem, nasi. Ask for others (`methods.names`; null: all), take another "
        "`space.preset`, or run the main job (`kedro run`)"
    )
    with pytest.raises(ArchatlasError, match=r"network; left out, or without .* says: gram, nasi\. Ask for others"):
        require_candidates(ATLAS[:0], ["gram", "nasi"], None)
    with pytest.raises(ArchatlasError, match=r"has a score for `search\.budgets\.tiny`: loosen its bounds"):
        require_all_budgets(ATLAS, ["small", "tiny"])


def test_each_method_has_its_finalists_and_a_network_is_timed_once() -> None:
    small = united({"atlas": ATLAS, "other": OTHER}).query("budget == 'small'")
    assert by_method(small)["other"]["network"].tolist() == ["c", "e"]
    found = finalists_of_methods(small, [], 2, None)
    assert found["network"].tolist() == ["a", "c", "e"], "the atlas: a and c; the other: c and e"
    assert found["rank"].tolist() == [1, 2, 4]
    alone = united({"atlas": ATLAS})
    assert finalists_by_table(alone, 2)["network"].tolist() == ["a", "b", "d"]
    assert finalists_by_table(united({"atlas": ATLAS, "other": OTHER}), 1)["network"].tolist() == ["a", "c", "d"]
