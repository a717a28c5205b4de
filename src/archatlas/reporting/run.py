"""All that a finished run left, as the report reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.errors import ArchatlasError
from archatlas.reporting import numbers
from archatlas.reporting.parameters import ReportParameters
from archatlas.search.enumeration import BY_TURNS
from archatlas.signals.signal import Signal, of_document
from archatlas.signals.winners import images_of
from archatlas.spaces.protocol import SearchSpace
from archatlas.systems.at_initialisation import WITHOUT_TRAINING
from archatlas.verification.united import methods_of

if TYPE_CHECKING:
    from archatlas.storage.table_file import AnyTable

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Run:
    """Parameters and catalogued data sets of one experiment, by their catalog names.

    Tables may be empty (no latency, no audit, one seed) and winners may be 'none': the report then says so.
    """

    parameters: Json
    experiment: str
    seed: int
    space: SearchSpace
    report: ReportParameters

    image_description: Json
    class_counts: pd.DataFrame
    space_summary: Json
    cost_table: pd.DataFrame
    latency_table: pd.DataFrame
    latency_check: pd.DataFrame
    feasibility: pd.DataFrame
    evaluations: pd.DataFrame
    evaluation_speed: Json
    predictor_scores: pd.DataFrame
    tuning_trials: pd.DataFrame
    tuning_summary: Json
    calibrated_predictor: Json
    calibration_summary: Json
    atlas: AnyTable
    atlas_speed: Json
    candidates: pd.DataFrame
    pareto_front: pd.DataFrame
    trainings: pd.DataFrame
    verified_candidates: pd.DataFrame
    winners: Sequence[Json]
    audit: pd.DataFrame
    audit_summary: Json
    export_summary: Json
    manifest: Json
    truth_by_network: pd.DataFrame = field(default_factory=pd.DataFrame)
    truth_correlations: pd.DataFrame = field(default_factory=pd.DataFrame)
    truth_picks: pd.DataFrame = field(default_factory=pd.DataFrame)
    truth_summary: Json = field(default_factory=dict)
    split_files: pd.DataFrame = field(default_factory=pd.DataFrame)
    test_predictions: pd.DataFrame = field(default_factory=pd.DataFrame)
    test_mistakes: Mapping[str, Any] = field(default_factory=dict)
    finishing_trainings: pd.DataFrame = field(default_factory=pd.DataFrame)
    supernet_curves: pd.DataFrame = field(default_factory=pd.DataFrame)
    method_comparison: pd.DataFrame = field(default_factory=pd.DataFrame)
    nasi_sweep: pd.DataFrame = field(default_factory=pd.DataFrame)
    meta_graph_of_gram: pd.DataFrame = field(default_factory=pd.DataFrame)
    pruned_of_gram: pd.DataFrame = field(default_factory=pd.DataFrame)
    embedding_of_nasgem: pd.DataFrame = field(default_factory=pd.DataFrame)
    embedding_pairs_of_nasgem: pd.DataFrame = field(default_factory=pd.DataFrame)
    detection_summary: Json = field(default_factory=dict)
    detection_scores: pd.DataFrame = field(default_factory=pd.DataFrame)
    detections: pd.DataFrame = field(default_factory=pd.DataFrame)
    test_scenes: Mapping[str, Any] = field(default_factory=dict)
    schedule: Json = field(default_factory=dict)
    signals: Sequence[Json] = ()

    @property
    def has_atlas(self) -> bool:
        """Whether a score ranks all networks; not where a search at initialisation has run alone."""
        return len(self.atlas.columns) > 0

    @property
    def target(self) -> str:
        """What the predictor says: ``accuracy`` or ``log_loss``."""
        return str(self.calibrated_predictor.get("target") or "accuracy")

    @property
    def table(self) -> str | None:
        """The public table that stood in the place of training, by its name; None: networks were trained."""
        return self.table_parameter("name")

    def table_parameter(self, name: str) -> str | None:
        """A parameter of the public table; None if there is none."""
        return _field(self.parameters.get("table"), name)

    @property
    def true_table(self) -> str | None:
        """The public table of true accuracies that stood in the place of stand-alone training alone, by its name."""
        return _field(self.parameters.get("truth"), "name")

    @property
    def alone_is_looked_up(self) -> bool:
        """Whether what networks reach when trained alone comes from a public table."""
        return self.table is not None or self.true_table is not None

    @property
    def choosing_accuracy(self) -> str | None:
        """The kind of accuracy of a public table that stands beside candidates; None if they were trained."""
        return self.table_parameter("label") or _field(self.parameters.get("truth"), "accuracy")

    @property
    def true_accuracy(self) -> str | None:
        """The kind of accuracy of a public table that winners are judged by; None if they were trained."""
        return self.table_parameter("truth") or _field(self.parameters.get("truth"), "accuracy")

    @property
    def largest_first_epochs(self) -> int:
        """Epochs of super-networks in which their largest path alone was trained."""
        return int(_value(self.parameters.get("supernet"), "largest_first_epochs") or 0)

    @property
    def image_sizes(self) -> tuple[int, ...]:
        """Sizes of images that super-networks took in turn; none: all saw them as they were prepared."""
        return tuple(_value(self.parameters.get("supernet"), "image_sizes") or ())

    @property
    def mobilenet_asked(self) -> bool:
        """Whether a scaled MobileNet was to stand beside each winner."""
        return _value(self.parameters.get("verification"), "mobilenet") is not False

    @property
    def methods_train(self) -> bool:
        """Whether search methods were given scores of networks trained alone."""
        return _field(self.parameters.get("methods"), "score_by") == "training"

    @property
    def doubts(self) -> list[Signal]:
        """What the run says against its own results, broken ones first."""
        return [of_document(document) for document in self.signals]

    @property
    def test_images(self) -> int | None:
        """How many images winners were tested on; None where that is not known, or a public table was looked up."""
        return None if self.alone_is_looked_up else images_of(self.image_description, "test") or None

    def ranked_by_macs(self, budget: str | None = None) -> bool:
        """Whether candidates (of a budget) were ranked by MACs, for want of a signal in their scores."""
        if "ranked_by" not in self.candidates:
            return False
        rows = self.candidates if budget is None else self.candidates[self.candidates["budget"] == budget]
        return bool(rows["ranked_by"].eq("macs").any())

    @property
    def by_turns(self) -> bool:
        """Whether candidates of several sizes and widths took turns."""
        return "ranked_by" in self.candidates and bool(self.candidates["ranked_by"].eq(BY_TURNS).any())

    def ranked_by(self, budget: str, network: str, score: str = "predicted score") -> str:
        """What a candidate of a budget was ranked by, in words; ``score`` is what its score is called."""
        if self.ranked_by_macs(budget):
            return "MACs"
        if not self.by_turns:
            return score
        own = self.candidates[(self.candidates["budget"] == budget) & (self.candidates["network"] == network)]
        return f"{score}, sizes and widths by turns" if own["ranked_by"].eq(BY_TURNS).any() else score

    def predicted(self, score: Any, method: str | None) -> str:
        """A candidate's score as people read it; of a search at initialisation it is on a scale of its own."""
        own = methods_of(method or "")[0] in WITHOUT_TRAINING
        return numbers.short(score) if own else numbers.score(score, self.target)

    @property
    def found(self) -> list[Json]:
        """Winners of the budgets that have one."""
        return [winner for winner in self.winners if winner.get("status") == "found"]


def _value(parameters: Any, name: str) -> Any:
    return parameters.get(name) if isinstance(parameters, Mapping) else getattr(parameters, name, None)


def _field(parameters: Any, name: str) -> str | None:
    value = _value(parameters, name)
    return None if value is None else str(value)


_SCORE = re.compile("predicted_(supernet_)?(accuracy|log_loss)")


def score_column(atlas: AnyTable) -> str:
    """The atlas's column of predictions: of accuracy or log loss, inside a super-network or trained alone."""
    for column in atlas.columns:
        if _SCORE.fullmatch(str(column)):
            return str(column)
    raise ArchatlasError(
        "the atlas has no column `predicted_supernet_accuracy` or the like, but only "
        f"{list(atlas.columns)}; run map_space again"
    )


def atlas_scores(atlas: AnyTable) -> NDArray[np.float64]:
    """Predicted scores ``[n]``, higher is better: accuracy as it is, log loss negated."""
    column = score_column(atlas)
    values = atlas[column].to_numpy(np.float64)
    return -values if column.endswith("log_loss") else values


def costs_in(table: AnyTable) -> list[str]:
    """Which of ``macs``, ``params`` and ``predicted_latency_ms`` the table holds figures for."""
    known = ("macs", "params", "predicted_latency_ms")
    return [cost for cost in known if cost in table and bool(table[cost].notna().any())]


def winners_table(winners: Sequence[Json], verified_candidates: pd.DataFrame) -> pd.DataFrame:
    """One row per found winner: budget, network, predicted_score, macs, params, latency_ms and predicted_latency_ms."""
    rows = []
    for winner in winners:
        if winner.get("status") != "found":
            continue
        verified = verified_row(verified_candidates, str(winner["budget"]), str(winner["architecture"]))
        rows.append(
            {
                "budget": str(winner["budget"]),
                "network": str(winner["architecture"]),
                "predicted_score": _number(winner.get("predicted")),
                "macs": _number(winner.get("macs")),
                "params": _number(winner.get("params")),
                "latency_ms": _number(winner.get("latency_ms")),
                "predicted_latency_ms": _number(verified.get("predicted_latency_ms")),
            }
        )
    columns = ["budget", "network", "predicted_score", "macs", "params", "latency_ms", "predicted_latency_ms"]
    return pd.DataFrame(rows, columns=columns)


def verified_row(verified_candidates: pd.DataFrame, budget: str, network: str) -> dict[str, Any]:
    """The verified candidate of this budget and network as a dictionary, or an empty one."""
    if verified_candidates.empty:
        return {}
    here = (verified_candidates["budget"] == budget) & (verified_candidates["network"] == network)
    rows = verified_candidates[here].to_dict("records")
    return {str(key): value for key, value in rows[0].items()} if rows else {}


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)
