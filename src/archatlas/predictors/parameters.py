"""What predictors, their comparison, their tuning and the atlas are asked to be. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

TargetTransformName = Literal["raw", "quantile"]
ReadOutGroup = Literal[
    "one_hot", "nodes", "kinds", "edges", "wl", "depths", "degrees", "path_words", "path_totals",
    "most", "fewest", "mean", "soft", "within", "apart", "log_costs",
]  # fmt: skip

_TRANSFORM = "what is learned: the standardised score (raw), or the normal quantile of its rank (quantile)"


_TRANSFORMS = ["quantile", "raw"]

Tuned = list[Any] | tuple[Any, Any, bool]
"""What a study may choose: one of a list, or (low, high, is logarithmic), of integers if low is one."""


class PredictorSettings(BaseModel):
    """Settings of a family of predictors, and what a tuning study does with the family.

    ``tuned`` are the settings that it may choose (those that are not named stay as configured), ``tried_first`` the
    variants that it tries before it searches, by name, each with what differs from the configuration; none: the
    configuration itself, under the family's name. ``fewest`` networks with a score are needed to learn anything.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    fewest: ClassVar[int] = 1
    tuned: ClassVar[Mapping[str, Tuned]] = {}
    tried_first: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    @property
    def members(self) -> Mapping[str, Mapping[str, Any]]:
        """Settings of other families that it makes by their names, by family."""
        return {}

    @property
    def reads_proxies(self) -> bool:
        """Whether it reads the proxies of a batch, where there are any; its ``members`` may without it."""
        return False


class ConstantSettings(PredictorSettings):
    """The constant predictor has nothing to set."""


class CostSettings(PredictorSettings):
    """The predictors that know one cost have nothing to set."""


class RidgeSettings(PredictorSettings):
    """A Bayesian ridge: its shrinkage is found by the evidence of the data."""

    tuned: ClassVar[Mapping[str, Tuned]] = {"features": ["one_hot", "kinds"], "transform": _TRANSFORMS}
    tried_first: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "ridge": {"features": "one_hot"},
        "ridge_kinds": {"features": "kinds"},
    }

    features: Literal["one_hot", "kinds"] = Field(
        default="one_hot", description="one column per (position, choice), or how many nodes of each kind the graph has"
    )
    transform: TargetTransformName = Field(default="quantile", description=_TRANSFORM)


class LightGBMSettings(PredictorSettings):
    """Gradient-boosted trees on one-hot choices and counts of node kinds."""

    fewest: ClassVar[int] = 3

    tuned: ClassVar[Mapping[str, Tuned]] = {
        "trees": [75, 150, 300],
        "leaves": (3, 31, True),
        "learning_rate": (0.02, 0.2, True),
        "min_leaf": (3, 40, True),
        "transform": _TRANSFORMS,
    }

    trees: int = Field(default=150, ge=1, le=5000, description="boosting rounds")
    leaves: int = Field(default=8, ge=2, le=256, description="leaves of a tree, at most")
    learning_rate: float = Field(default=0.08, gt=0, le=1, description="shrinkage of each tree")
    min_leaf: int = Field(default=8, ge=1, le=1000, description="architectures in a leaf, at least")
    l2: float = Field(default=1.0, ge=0, allow_inf_nan=False, description="L2 regularisation of leaf values")
    ensemble: int = Field(default=4, ge=3, le=16, description="members; each leaves out its share of the architectures")
    transform: TargetTransformName = Field(default="quantile", description=_TRANSFORM)


class RandomForestSettings(PredictorSettings):
    """A random forest on one-hot choices and counts of node kinds: the baseline that most papers print."""

    fewest: ClassVar[int] = 2

    trees: int = Field(default=200, ge=2, le=5000, description="trees, each on a bootstrap sample")
    max_features: float = Field(
        default=1 / 3, gt=0, le=1, description="share of the columns that is looked at for each split"
    )
    min_leaf: int = Field(default=1, ge=1, le=1000, description="architectures in a leaf, at least")
    transform: TargetTransformName = Field(default="quantile", description=_TRANSFORM)


class GaussianProcessSettings(PredictorSettings):
    """A few Gaussian processes on groups of features, each with a length-scale per column."""

    tuned: ClassVar[Mapping[str, Tuned]] = {
        "spread": [0.5, 1.0, 3.0],
        "costs": [True, False],
        "transform": _TRANSFORMS,
    }

    ensemble: int = Field(
        default=8, ge=2, le=64, description="members, whose kernels are found from different rows and columns"
    )
    spread: float = Field(
        default=3.0, gt=0, le=10, description="how far the weights of a group's columns may differ (standard deviation)"
    )
    column_share: float = Field(default=0.7, gt=0, le=1, description="share of the columns that a member sees")
    steps: int = Field(default=30, ge=1, le=1000, description="steps of the search for a kernel")
    rows: int = Field(default=2000, ge=10, le=20_000, description="architectures that are learned, at most")
    costs: bool = Field(default=True, description="whether log params and log MACs are features")
    proxies: bool = Field(
        default=False, description="whether scores without training (the proxies of a batch) are features"
    )
    transform: TargetTransformName = Field(default="quantile", description=_TRANSFORM)

    @property
    def reads_proxies(self) -> bool:
        return self.proxies


class GCNSettings(PredictorSettings):
    """An ensemble of small graph convolutional networks, and what stands beside it.

    ``family`` is which of the families that have such settings they are of.
    """

    family: ClassVar[str] = "gcn"
    fewest: ClassVar[int] = 2
    tuned: ClassVar[Mapping[str, Tuned]] = {
        "width": [8, 16, 32],
        "depth": (1, 3, False),
        "dropout": [0.0, 0.3, 0.5],
        "weight_decay": (1e-3, 3.0, True),
        "learning_rate": (5e-3, 5e-2, True),
        "epochs": [75, 150],
        "ensemble": [3, 5, 8],
        "loss": ["mse", "hinge", "listwise"],
        "pooling": ["mean", "sum"],
        "additive": ["beside", "none", "residual"],
        "additive_features": ["both", "kinds", "one_hot"],
        "transform": _TRANSFORMS,
    }
    # Beside the configured GCN one without the additive path on raw scores: the most shrunken model of the family.
    tried_first: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "gcn": {},
        "gcn_alone": {"additive": "none", "transform": "raw", "depth": 1},
    }

    width: int = Field(default=16, ge=1, le=512, description="channels of a convolution")
    depth: int = Field(default=2, ge=1, le=8, description="convolutions")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="share of channels dropped in training")
    weight_decay: float = Field(default=0.01, ge=0, le=100, description="decoupled weight decay (AdamW)")
    learning_rate: float = Field(default=0.02, gt=0, le=1, description="peak of the one-cycle schedule")
    epochs: int = Field(default=150, ge=1, le=5000, description="passes over the evaluations")
    batch_size: int = Field(default=1024, ge=8, description="architectures per step; fewer architectures are one step")
    ensemble: int = Field(default=5, ge=3, le=32, description="members; each leaves out its share of the architectures")
    loss: Literal["mse", "hinge", "listwise"] = Field(
        default="mse", description="squared error, pairwise hinge, or the likelihood of the order (ListMLE)"
    )
    pooling: Literal["sum", "mean"] = Field(default="mean", description="over a graph's nodes")
    additive: Literal["none", "beside", "residual"] = Field(
        default="beside",
        description="additive models with the GCN: none, mixed in by out-of-fold weights (beside), or fitted first and "
        "then mixed with a GCN of what they leave (residual)",
    )
    residual_share: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="with residual: the share of what the GCN has learned beyond the additive models that counts",
    )
    additive_features: Literal["kinds", "one_hot", "both"] = Field(
        default="both",
        description="of the additive models: counts of node kinds, a column per (position, choice), or a ridge on each",
    )
    transform: TargetTransformName = Field(default="quantile", description=_TRANSFORM)
    encoder: Literal["convolution", "flow", "geometric"] = Field(
        default="convolution",
        description="bidirectional convolutions on classes of nodes, a flow of states from end to end, or the "
        "convolutions of PyTorch Geometric on nodes",
    )
    hidden: int = Field(
        default=48, ge=1, le=512, description="width of the read-out; convolutions without features have a linear one"
    )
    read_out_features: tuple[ReadOutGroup, ...] = Field(
        default=(), description="groups of features that join the graph at the read-out"
    )
    costs: bool = Field(default=False, description="whether log_costs may be among the features, or be learned first")
    redraw: bool = Field(default=False, description="batches are drawn anew for each epoch")
    leave_out: bool = Field(
        default=True,
        description="predict with the members that leave rows out; if not, those give weights and errors alone, and "
        "an ensemble fitted to all rows predicts",
    )
    pretraining_epochs: int = Field(
        default=0, ge=0, le=5000, description="passes over unlabelled networks, from which the encoder learns first"
    )


_FLOW_GROUPS: tuple[ReadOutGroup, ...] = (
    "one_hot", "degrees", "path_totals", "most", "fewest", "mean", "soft", "within", "apart", "log_costs",
)  # fmt: skip


class FlowSettings(GCNSettings):
    """An ensemble of networks that send a state through the graph, with features at the read-out."""

    family: ClassVar[str] = "flow"
    tuned: ClassVar[Mapping[str, Tuned]] = {
        "width": [24, 48],
        "weight_decay": (0.1, 3.0, True),
        "learning_rate": (3e-3, 3e-2, True),
        "epochs": [75, 150],
        "loss": ["hinge", "mse"],
        "costs": [True, False],
        "transform": _TRANSFORMS,
    }
    tried_first: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    encoder: Literal["convolution", "flow", "geometric"] = Field(default="flow", description="as of gcn")
    width: int = Field(default=48, ge=1, le=512, description="channels of a state")
    weight_decay: float = Field(default=1.0, ge=0, le=100, description="decoupled weight decay (AdamW)")
    learning_rate: float = Field(default=0.01, gt=0, le=1, description="peak of the one-cycle schedule")
    batch_size: int = Field(default=256, ge=8, description="architectures per step; fewer architectures are one step")
    ensemble: int = Field(default=8, ge=3, le=32, description="members; each leaves out its share of the architectures")
    loss: Literal["mse", "hinge", "listwise"] = Field(
        default="hinge", description="squared error, pairwise hinge, or the likelihood of the order (ListMLE)"
    )
    additive: Literal["none", "beside", "residual"] = Field(default="none", description="as of gcn")
    read_out_features: tuple[ReadOutGroup, ...] = Field(
        default=_FLOW_GROUPS,
        description="groups of features that join the graph at the read-out",
    )
    costs: bool = Field(default=True, description="whether log_costs may be among the features, or be learned first")
    redraw: bool = Field(default=True, description="batches are drawn anew for each epoch")


class StackSettings(PredictorSettings):
    """Several families as one, by weights found out of fold. A member's settings; null: not a member."""

    fewest: ClassVar[int] = 2
    tuned: ClassVar[Mapping[str, Tuned]] = {"transform": _TRANSFORMS}

    gp: GaussianProcessSettings | None = Field(default=GaussianProcessSettings(), description="Gaussian processes")
    flow: FlowSettings | None = Field(default=FlowSettings(), description="flow networks")
    gcn: GCNSettings | None = Field(default=None, description="graph convolutional networks with ridges")
    ridge: RidgeSettings | None = Field(default=None, description="a ridge")
    lightgbm: LightGBMSettings | None = Field(default=None, description="gradient-boosted trees")
    folds: int = Field(default=5, ge=2, le=20, description="folds of members whose own fit leaves nothing out")
    transform: TargetTransformName = Field(
        default="quantile", description="the scale on which predictions are added: quantiles of ranks, or raw scores"
    )

    @model_validator(mode="after")
    def _someone(self) -> StackSettings:
        if not self.members:
            raise ValueError(
                "a stack needs a member: give `gp`, `flow`, `gcn`, `ridge` or `lightgbm` settings (`{}`: its defaults)"
            )
        return self

    @property
    def members(self) -> dict[str, dict[str, Any]]:
        """Settings of the members by family."""
        asked = {name: getattr(self, name) for name in ("gp", "flow", "gcn", "ridge", "lightgbm")}
        return {name: settings.model_dump() for name, settings in asked.items() if settings is not None}


class MultiFidelitySettings(PredictorSettings):
    """Scores of a super-network with few true accuracies beside them."""

    cheap: str = Field(default="gcn", description="the family that predicts the scores of the super-network")
    cheap_settings: dict[str, Any] = Field(default={}, description="its settings that are not the family's defaults")
    gp: GaussianProcessSettings = Field(
        default=GaussianProcessSettings(), description="Gaussian processes for what the truth has beyond that"
    )

    @property
    def members(self) -> dict[str, dict[str, Any]]:
        return {self.cheap: self.cheap_settings}

    @property
    def reads_proxies(self) -> bool:
        return self.gp.proxies


class PredictorParameters(BaseModel):
    """Which score is predicted, by what, and how predictors are compared.

    Beside the families below any other of ``predictors/registry.py`` may have settings, under its name.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    target: Literal["accuracy", "log_loss"] = Field(
        default="accuracy", description="the score: accuracy (0 to 1), or minus the log loss (nats)"
    )
    name: str = Field(
        default="gcn", description="the family that fit_predictor fits on all evaluations, of predictors/registry.py"
    )
    folds: int = Field(default=5, ge=2, le=20, description="folds of networks in the comparison of predictors")
    flow: FlowSettings = Field(default=FlowSettings(), description="settings of flow")
    gcn: GCNSettings = Field(default=GCNSettings(), description="settings of gcn")
    gp: GaussianProcessSettings = Field(default=GaussianProcessSettings(), description="settings of gp")
    lightgbm: LightGBMSettings = Field(default=LightGBMSettings(), description="settings of lightgbm")
    ridge: RidgeSettings = Field(default=RidgeSettings(), description="settings of ridge")
    stack: StackSettings = Field(default=StackSettings(), description="settings of stack, with its members'")

    def settings_of(self, family: str) -> dict[str, Any]:
        """What is configured for a family: all settings of those above, of others what was given."""
        given = getattr(self, family, None)
        return given.model_dump() if isinstance(given, BaseModel) else dict(given or {})


FEWEST_PER_FOLD = 10
"""Evaluated networks for each fold of a comparison of predictors."""


class TuningParameters(BaseModel):
    """How long a predictor is looked for, and on what."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    trials: int = Field(
        default=24, ge=1, le=10_000, description="finished trials of the study, the families' defaults among them"
    )
    families: tuple[str, ...] = Field(
        default=("gcn", "ridge", "lightgbm"),
        min_length=1,
        description="predictor families that the study may choose",
    )
    inner_folds: int = Field(default=3, ge=2, le=20, description="folds of the networks that the study sees")
    outer_fraction: float = Field(
        default=0.25,
        gt=0,
        lt=1,
        description="share of the networks that the study never sees and its answer is scored on",
    )


class AtlasParameters(BaseModel):
    """How the space is walked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    chunk: int = Field(
        default=8192, ge=1, le=1_000_000, description="architectures predicted at once; memory grows with it"
    )
    max_networks: int = Field(
        default=1_000_000,
        ge=1,
        description="spaces of more networks are not written out but sampled (the search goes on from there)",
    )
    sample: int = Field(default=100_000, ge=1, description="networks drawn at random for the atlas of a larger space")
