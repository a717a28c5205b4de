"""What a run found and where it lies; said when it has ended."""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archatlas.kedro_ext.versions import dataset, is_volatile, path_of
from archatlas.reporting import numbers

if TYPE_CHECKING:
    import pandas as pd
    from kedro.io import CatalogProtocol
    from kedro.pipeline import Pipeline

    Catalog = CatalogProtocol[Any, Any]

_PAGES = {
    "report_html": ("The report", "report.html"),
    "predictor_benchmark_html": ("The report", "predictor_benchmark.html"),
    "comparison_html": ("The comparison", "comparison.html"),
}
_WINNERS = ("winners", "finished_winners", "chosen_winners")
"""Documents of winners, of later stages first."""

_SEARCHED = ("atlas", "segments")
"""Methods that say what bounds they have kept."""

_CANDIDATES = 3  # of each budget
_FILES = 12
_NAME = 40  # Longer names of budgets are cut off.
_BOUNDS = {"max": "at most", "min": "at least"}


def describe_results(parameters: Mapping[str, Any], pipeline: Pipeline, catalog: Catalog) -> list[str]:
    """Lines that say what the pipeline found and where: winners or candidates, the page, or else its files."""
    made, read = pipeline.all_outputs(), pipeline.inputs()
    folder = Path(os.path.relpath(dataset(catalog, "current_results").load()))
    pages = [
        f"{title}: {folder / file} (open it in a browser)" for name, (title, file) in _PAGES.items() if name in made
    ]
    chosen = next((name for name in _WINNERS if name in made or (pages and name in read)), None)
    lines: list[str] = []
    if chosen is not None and dataset(catalog, chosen).exists():
        lines = _winners(dataset(catalog, chosen).load(), folder, _exported(catalog, made | read))
    elif searched := [name for name in _SEARCHED if f"candidates_of_{name}" in made]:
        score = (parameters.get("predictor") or {}).get("target", "accuracy")
        candidates, bounds = (dataset(catalog, f"{what}_of_{searched[0]}") for what in ("candidates", "constraints"))
        place = folder / f"candidates_of_{searched[0]}.parquet"
        lines = _candidates(candidates.load(), bounds.load(), score, place)
    if not lines and pages:
        pages[0] = f"Done. {pages[0]}"
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in (*lines, *(pages or _files(catalog, made, folder)))]


def _winners(winners: Sequence[Mapping[str, Any]], folder: Path, exported: Path | None) -> list[str]:
    """A line per budget, and under those without a winner the reason and the nearest misses."""
    if not winners:
        return []
    none = [winner for winner in winners if winner["status"] != "found"]
    head = "Done. The winner of each budget:"
    if none:
        head = f"{len(none)} of {len(winners)} budgets {'has' if len(none) == 1 else 'have'} no winner."
    width = min(_NAME, max(len(str(winner["budget"])) for winner in winners))
    return [head, *(line for winner in winners for line in _winner(winner, width, folder, exported))]


def _winner(winner: Mapping[str, Any], width: int, folder: Path, exported: Path | None) -> Iterator[str]:
    budget = f"  {_short(winner['budget']):{width}}  "
    if winner["status"] != "found":
        yield f"{budget}no winner: {winner['reason']}"
        for miss in winner["nearest_misses"]:
            yield f"{' ' * len(budget)}{numbers.percent(miss['excess'])} beyond: {_costs(miss)}: {miss['network']}"
        return
    lies = exported is not None and (exported / str(winner["budget"])).is_dir()
    place = f"  ->  {folder / 'networks' / str(winner['budget'])}" if lies else ""
    yield f"{budget}{_accuracy(winner)}, {_costs(winner)}: {winner['architecture']}{place}"


def _accuracy(winner: Mapping[str, Any]) -> str:
    """The accuracy that says most: of the exported file, of its trainings on the test images, or on validation."""
    if (exported := winner.get("exported_accuracy")) is not None:
        interval = [100 * bound for bound in winner.get("exported_accuracy_ci") or ()]
        return f"test accuracy {numbers.percent(exported)}{f' ({numbers.interval(interval, 1)})' if interval else ''}"
    for of in ("test", "validation"):
        if (mean := winner.get(f"{of}_accuracy_mean")) is not None:
            return f"{of} accuracy {numbers.percent_with_std(mean, winner.get(f'{of}_accuracy_std'))}"
    return "not trained"


def _candidates(candidates: pd.DataFrame, constraints: pd.DataFrame, target: str, table: Path) -> list[str]:
    """The first of each budget, by the rank that the search gave them."""
    lines = [f"The first {_CANDIDATES} candidates of each budget, with predicted scores (all: {table}):"]
    for budget, rows in candidates.groupby("budget", sort=False):
        asked = constraints[constraints["budget"] == budget].to_dict("records")
        bounds = [f"{_BOUNDS[one['bound']]} {numbers.cost(one['limit'], one['cost'])}" for one in asked]
        lines.append(f"  {_short(budget)}{': ' if bounds else ''}{', '.join(bounds)}; {len(rows)} candidates")
        best = rows.sort_values("rank").head(_CANDIDATES).to_dict("records")
        lines += [
            f"    {row['rank']}. {numbers.score(row['predicted_score'], target)}, {_costs(row)}: {row['network']}"
            for row in best
        ]
    return lines


def _costs(row: Mapping[Any, Any]) -> str:
    latency = row.get("latency_ms")
    latency, word = (row.get("predicted_latency_ms"), " predicted") if numbers.is_missing(latency) else (latency, "")
    told = [numbers.cost(row["macs"], "macs"), numbers.cost(row["params"], "params")]
    return ", ".join(told if numbers.is_missing(latency) else [*told, f"{numbers.milliseconds(latency)}{word}"])


def _exported(catalog: Catalog, known: Container[str]) -> Path | None:
    """The folder of exported networks, where the pipeline makes it, or reads what was said of its making."""
    if "networks" not in catalog or not ("networks" in known or "export_summary" in known):
        return None
    networks = dataset(catalog, "networks")
    return networks.load() if networks.exists() else None


def _files(catalog: Catalog, made: Iterable[str], folder: Path) -> list[str]:
    """Where the files lie that the pipeline made, by the names of their links."""
    # Those of a namespace are many, and share their names with others.
    kept = {name: dataset(catalog, name) for name in sorted(made) if "." not in name}
    paths = [path_of(one, None) for one in kept.values() if not is_volatile(one)]
    names = [path.name for path in paths if path is not None]
    if not names:
        return []
    told = ", ".join(names) if len(names) <= _FILES else f"{len(names)} results"
    return [f"Done. In {folder}: {told}"]


def _short(name: Any) -> str:
    text = str(name)
    return text if len(text) <= _NAME else f"{text[: _NAME - 3]}..."
