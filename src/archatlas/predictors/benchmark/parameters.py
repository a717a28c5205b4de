"""What the predictor benchmark compares, on what, and how long it may take. Torch-free."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from archatlas.spaces.tables.parameters import TableName

Split = Literal["rows", "networks", "runs"]
Rule = Literal["greedy", "upper_confidence", "expected_improvement", "thompson"]

ALL = "all"


class _Parameters(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BenchmarkedPredictor(_Parameters):
    """A predictor of the comparison: a family of the registry, and what is not its default."""

    family: str = Field(description="the family, by its name in the registry")
    settings: dict[str, Any] = Field(
        default_factory=dict, description="settings of the family that are not its defaults (see `predictor` for all)"
    )
    title: str = Field("", max_length=60, description="how the page names it; empty: the key")


class BenchmarkedSpace(_Parameters):
    """How many labels are learned from, of which kind, and what the predictions are judged by."""

    labels: tuple[int, ...] = Field(min_length=1, description="numbers of labelled architectures, ascending")
    learned: tuple[str, ...] = Field(
        min_length=1, description="kinds of accuracy that predictors are fitted to, each in turn: validation, test, ..."
    )
    judged: str = Field(description="the kind of accuracy that predictions are ranked against")
    split: Split = Field(
        description="rows: labels are drawn from all rows of the table and predictions judged on all, as papers do | "
        "networks: twins are one row, and what was drawn is not judged | runs: one run of the table is judged, the "
        "labels come from the others and none of its networks is among them"
    )

    @model_validator(mode="after")
    def _ascending(self) -> BenchmarkedSpace:
        if list(self.labels) != sorted(set(self.labels)) or self.labels[0] < 10:
            raise ValueError("`labels` must ascend and be at least 10")
        return self


class AcquisitionLoop(_Parameters):
    """A way to choose which architectures to evaluate next."""

    predictor: str = Field(description="a key of `predictors`")
    rule: Rule = Field(
        "upper_confidence",
        description="what is evaluated next: the highest mean (greedy) | mean + weight * std (upper_confidence) | "
        "expected_improvement over the best that was observed | the highest of one draw from mean and std (thompson)",
    )
    weight: float = Field(1.0, ge=0, le=10, description="of the standard deviation in upper_confidence and thompson")
    first: int = Field(20, ge=4, le=100_000, description="labels drawn uniformly before the first fit; they count")
    batch: int = Field(5, ge=1, le=10_000, description="architectures evaluated between two fits")
    title: str = Field("", max_length=60, description="how the page names it; empty: the key")


class AcquisitionParameters(_Parameters):
    """How many true evaluations find the best architecture of a table."""

    space: TableName = Field("nas_bench_201", description="the table")
    observed: str = Field("validation", description="the kind of accuracy that an evaluation gives")
    reported: str = Field("test", description="the kind of accuracy whose best is looked for; never shown to the loop")
    seeds: int = Field(20, ge=0, le=1000, description="repetitions of each loop; 0: none")
    most: int = Field(150, ge=10, le=1_000_000, description="evaluations after which a loop gives up")
    loops: dict[str, AcquisitionLoop | None] = Field(
        default_factory=dict, description="loops by name; null takes one away"
    )


class PredictorBenchmarkParameters(_Parameters):
    """The comparison of predictors on public tables."""

    path: str | None = Field(
        None,
        description="folder that holds the tables' files; null: the folder that ARCHATLAS_BENCHMARK_DATA names",
    )
    seeds: int = Field(10, ge=1, le=1000, description="repetitions, each with a training set of its own")
    use_spaces: str = Field(ALL, description="names of spaces, with blanks between them, or `all`")
    use_predictors: str = Field(ALL, description="names of predictors, with blanks between them, or `all`")
    most_labels: int | None = Field(None, ge=10, description="larger training sets are left out; null: none is")
    longest_fit_s: float | None = Field(
        600.0,
        gt=0,
        allow_inf_nan=False,
        description="CPU seconds: a predictor whose median fit took longer gets no larger training set of that space",
    )
    predictors: dict[str, BenchmarkedPredictor | None] = Field(description="predictors by name; null takes one away")
    spaces: dict[TableName, BenchmarkedSpace | None] = Field(description="tables by name; null takes one away")
    acquisition: AcquisitionParameters = Field(description="the acquisition loops")

    @model_validator(mode="after")
    def _known(self) -> PredictorBenchmarkParameters:
        known = {name for name, one in self.predictors.items() if one is not None}
        for chosen, names in ((self.use_spaces, self.spaces), (self.use_predictors, self.predictors)):
            unknown = sorted(set(_words(chosen)) - {ALL} - {str(name) for name in names})
            if unknown:
                raise ValueError(f"there is no {unknown[0]!r} among {', '.join(names)}")
        for name, loop in self.acquisition.loops.items():
            if loop is not None and loop.predictor not in known:
                raise ValueError(
                    f"the loop {name!r} asks for the predictor {loop.predictor!r}, which is not among them"
                )
            if loop is not None and self.acquisition.seeds and loop.first >= self.acquisition.most:
                raise ValueError(
                    f"`acquisition.loops.{name}.first` is {loop.first}, but a loop gives up after `acquisition.most` = "
                    f"{self.acquisition.most} evaluations: nothing would be chosen; take fewer, or raise that"
                )
        return self

    @property
    def chosen_spaces(self) -> dict[TableName, BenchmarkedSpace]:
        """Spaces that are used, with their numbers of labels cut to ``most_labels``."""
        chosen = {name: one for name, one in self.spaces.items() if one is not None and self._uses_space(name)}
        return {
            name: one.model_copy(update={"labels": tuple(n for n in one.labels if n <= (self.most_labels or n))})
            for name, one in chosen.items()
        }

    @property
    def chosen_predictors(self) -> dict[str, BenchmarkedPredictor]:
        """Predictors that are used."""
        asked = _words(self.use_predictors)
        there = {name: one for name, one in self.predictors.items() if one is not None}
        return there if asked == [ALL] else {name: one for name, one in there.items() if name in asked}

    @property
    def chosen_loops(self) -> dict[str, AcquisitionLoop]:
        """Loops whose space and predictor are used; none where there are no seeds."""
        if not self.acquisition.seeds or not self._uses_space(self.acquisition.space):
            return {}
        predictors = self.chosen_predictors
        loops = self.acquisition.loops.items()
        return {name: loop for name, loop in loops if loop is not None and loop.predictor in predictors}

    @property
    def used_tables(self) -> list[TableName]:
        """Tables that are read."""
        loops = [self.acquisition.space] if self.chosen_loops else []
        return sorted({*self.chosen_spaces, *loops})

    def _uses_space(self, name: str) -> bool:
        asked = _words(self.use_spaces)
        return asked == [ALL] or name in asked


def _words(text: str) -> list[str]:
    return text.split() or [ALL]
