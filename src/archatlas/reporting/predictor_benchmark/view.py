"""The summary table as the page reads it: sets of predictors that were compared on the same thing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from archatlas.predictors.benchmark.parameters import PredictorBenchmarkParameters


@dataclass(frozen=True)
class Comparison:
    """What was compared on one space, learning from one kind of accuracy.

    Attributes:
        space: name of the table
        learned: the kind of accuracy that was learned
        judged: the kind of accuracy that ranks were compared with
        split: see ``BenchmarkedSpace``
        summary: rows of ``summarise`` of this space and kind
        ceilings: name to Kendall's tau-b
        titles: name of a predictor to how the page calls it
    """

    space: str
    learned: str
    judged: str
    split: str
    summary: pd.DataFrame
    ceilings: Mapping[str, float]
    titles: Mapping[str, str]

    @property
    def name(self) -> str:
        """For anchors: of letters, digits and dashes."""
        return f"{self.space}-{self.learned}".replace("_", "-")

    @property
    def labels(self) -> list[int]:
        return sorted(self.summary["labels"].unique().tolist())

    @property
    def predictors(self) -> list[str]:
        """By their mean tau over numbers of labels, best first; those without any last."""
        means = self.summary.groupby("predictor", sort=False)["kendall_tau"].mean()
        return [str(name) for name in means.sort_values(ascending=False, na_position="last", kind="stable").index]

    def row(self, predictor: str, labels: int) -> Mapping[Any, Any] | None:
        """One predictor with one number of labels; None if it was not asked for."""
        found = self.summary[(self.summary["predictor"] == predictor) & (self.summary["labels"] == labels)]
        rows: list[dict[Any, Any]] = found.to_dict("records")
        return rows[0] if rows else None

    def best(self, labels: int) -> Mapping[Any, Any] | None:
        """The best predictor with so many labels; None if none was fitted."""
        found = self.summary[(self.summary["labels"] == labels) & self.summary["best"]]
        rows: list[dict[Any, Any]] = found.to_dict("records")
        return rows[0] if rows else None

    def title(self, predictor: str) -> str:
        return self.titles.get(predictor) or predictor

    def number(self, predictor: str) -> int:
        """Its place among all predictors of the page."""
        return list(self.titles).index(predictor) if predictor in self.titles else len(self.titles)

    def knows(self, predictor: str) -> str:
        """What a predictor uses beside the graph: ``costs``, ``proxies``, both, or nothing."""
        rows = self.summary[self.summary["predictor"] == predictor]
        used = [word for word in ("costs", "proxies") if rows[f"uses_{word}"].any()]
        return " and ".join(used)


def comparisons(
    summary: pd.DataFrame, ceilings: pd.DataFrame, parameters: PredictorBenchmarkParameters
) -> Iterator[Comparison]:
    """In the order of the summary."""
    titles = {name: asked.title or name for name, asked in parameters.chosen_predictors.items()}
    for (space, learned, judged, split), part in summary.groupby(["space", "learned", "judged", "split"], sort=False):
        of_set = ceilings[(ceilings["space"] == space) & (ceilings["learned"] == learned)]
        known = dict(zip(of_set["ceiling"].astype(str), of_set["kendall_tau"].astype(float), strict=True))
        yield Comparison(str(space), str(learned), str(judged), str(split), part, known, titles)
