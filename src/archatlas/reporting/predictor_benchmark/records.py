"""What others published, what was known before, and what is to be reached.

Published figures were read from the papers, whose protocols differ: which accuracy is learned and ranked, how labels
are drawn, how many repetitions, and which hyper-parameters were tuned on what. They are there to compare orders of
magnitude; none was run again here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

NAS_BENCH_201 = "nas_bench_201"
_WHOLE_101 = "judged on all 423,624 cells of NAS-Bench-101, which hold the 3,609 of this table"


@dataclass(frozen=True)
class Record:
    """Kendall's tau of one method on one space, by the number of labels.

    ``learned`` is the kind of accuracy that was learned; empty where papers do not agree or do not say.
    """

    space: str
    title: str
    taus: Mapping[int, float]
    source: str
    learned: str = ""
    note: str = ""


PUBLISHED = (
    Record(
        NAS_BENCH_201,
        "HyperNAS",
        {78: 0.677, 156: 0.765, 469: 0.836},
        "Lv et al., CVPR 2026, arXiv 2509.18151",
    ),
    Record(
        NAS_BENCH_201,
        "PINAT",
        {78: 0.549, 156: 0.631, 469: 0.706, 781: 0.761},
        "Lu et al., AAAI 2023",
    ),
    Record(NAS_BENCH_201, "NN-Former", {156: 0.804, 1563: 0.890}, "Xu et al., CVPR 2025"),
    Record(NAS_BENCH_201, "NAR-Former V2", {1563: 0.888}, "Yi et al., NeurIPS 2023, arXiv 2306.10792"),
    Record("nas_bench_101", "PINAT", {100: 0.717, 424: 0.812}, "Lu et al., AAAI 2023", note=_WHOLE_101),
    Record("nas_bench_101", "NN-Former", {172: 0.765}, "Xu et al., CVPR 2025", note=_WHOLE_101),
)
"""Best published figures, as quoted; protocols differ from paper to paper."""

_STUDY = "feasibility study of this project, five seeds"
KNOWN = (
    Record(NAS_BENCH_201, "known before", {78: 0.823, 156: 0.864, 469: 0.899, 781: 0.911, 1563: 0.924}, _STUDY, "test"),
    Record(
        NAS_BENCH_201,
        "known before",
        {78: 0.800, 156: 0.831, 469: 0.862, 781: 0.873, 1563: 0.886},
        _STUDY,
        "validation",
    ),
    Record("nas_bench_macro", "known before", {32: 0.842, 65: 0.878, 328: 0.921}, _STUDY, "test"),
)
"""What was known before this benchmark was written."""

_GOAL = "target of this project"
GOALS = (
    Record(NAS_BENCH_201, "to reach", {78: 0.84, 156: 0.88, 469: 0.91, 781: 0.92, 1563: 0.93}, _GOAL, "test"),
    Record(
        NAS_BENCH_201, "to reach", {78: 0.815, 156: 0.845, 469: 0.875, 781: 0.885, 1563: 0.893}, _GOAL, "validation"
    ),
    Record("nas_bench_macro", "to reach", {32: 0.86, 65: 0.89, 328: 0.925}, _GOAL, "test"),
)
"""What is to be reached."""


@dataclass(frozen=True)
class QueryRecord:
    """True evaluations until the best architecture of a space was found."""

    title: str
    evaluations: int
    source: str


QUERIES: Mapping[str, tuple[QueryRecord, ...]] = {
    NAS_BENCH_201: (QueryRecord("WeakNAS", 64, "Wu et al., NeurIPS 2021, arXiv 2102.10490"),)
}
QUERY_GOALS: Mapping[str, int] = {NAS_BENCH_201: 40}


@dataclass(frozen=True)
class SpaceWords:
    """How a space is called, and what is to be known of its protocol."""

    title: str
    about: str
    development: bool = field(default=False)


SPACES: Mapping[str, SpaceWords] = {
    NAS_BENCH_201: SpaceWords(
        "NAS-Bench-201",
        "15,625 cells on CIFAR-10. Labels are drawn uniformly from all of them and ranks taken over all of them, as in "
        "most papers. Isomorphic cells leak from the labels to what is judged: ranks among networks that are not among "
        "the labels stand beside. Predictors were developed on this space.",
        development=True,
    ),
    "nas_bench_101": SpaceWords(
        "NAS-Bench-101, subset",
        "3,258 networks of the NAS-Bench-1Shot1 space 2 on CIFAR-10, twins averaged; what is drawn as labels is not "
        "judged.",
    ),
    "nas_bench_macro": SpaceWords(
        "NAS-Bench-Macro",
        "3,969 networks of 6,561 chains on CIFAR-10, three trainings each; what is drawn as labels is not judged.",
    ),
    "transnas_bench_101_micro": SpaceWords(
        "TransNAS-Bench-101, micro",
        "2,128 pruned cells on one task; labels are drawn from all of them and ranks taken over all of them.",
    ),
    "once_for_all_mobilenet_v3": SpaceWords(
        "Once-for-all MobileNetV3",
        "ImageNet accuracy that a super-network gives to 2,162 subnets, from five search runs. One run is judged, a "
        "different one in each repetition; labels come from the others, and none of its networks is among them.",
    ),
    "accel_nasbench": SpaceWords(
        "Accel-NASBench",
        "5,125 MnasNet-like networks with a shortened training on ImageNet; what is drawn as labels is not judged.",
    ),
}


def of_set(records: tuple[Record, ...], space: str, learned: str) -> list[Record]:
    """Records of a space whose learned accuracy is this one, or is not known."""
    return [one for one in records if one.space == space and one.learned in ("", learned)]


def words(space: str) -> SpaceWords:
    """The words of a space; a plain title for one that has none."""
    return SPACES.get(space, SpaceWords(space, ""))
