"""The node that writes winners as files for use elsewhere."""

import shutil
from pathlib import Path
from typing import Any

from archatlas.costs.parameters import CostsParameters
from archatlas.images.description import ImageDescription
from archatlas.kedro_ext.dependencies import depends_on
from archatlas.pipelines.timing import timed_on
from archatlas.spaces.tables.parameters import TableParameters
from archatlas.verification.export_parameters import ExportParameters
from archatlas.verification.truth.parameters import TruthParameters


@depends_on(states=(timed_on,), optional=("supernets",))
def export(
    finished_winners: list[dict[str, Any]],
    winner_weights: dict[str, Any],
    train_images: dict[str, Any],
    image_description: dict[str, Any],
    search_space: dict[str, Any],
    export: ExportParameters,
    costs: CostsParameters,
    work_folder: Path,
    seed: int,
    table: TableParameters | None = None,
    truth: TruthParameters | None = None,
    supernets: dict[str, Any] | None = None,
) -> tuple[Path, dict[str, Any]]:
    """A folder with each winner in all forms, and how exactly these and the super-networks agree."""
    folder = work_folder / "export"
    if folder.exists():  # A killed run left it.
        shutil.rmtree(folder)
    others = table or truth
    if others is not None:
        folder.mkdir(parents=True)
        return folder, _nothing_exported(finished_winners, others.name, "nothing" if table else "no winner")
    from archatlas.spaces.search_space import read_space
    from archatlas.verification.export import export_winners

    return folder, export_winners(
        finished_winners,
        winner_weights,
        supernets or {},
        space=read_space(search_space),
        images=ImageDescription.model_validate(image_description),
        train_images=train_images["images"],
        parameters=export,
        latency=costs.latency,
        folder=folder,
        seed=seed,
    )


def _nothing_exported(winners: list[dict[str, Any]], table: str, what: str) -> dict[str, Any]:
    reason = f"accuracies were looked up in the public table {table}, so {what} was trained that could be exported"
    budgets = {str(winner["budget"]): {"status": "skipped", "reason": reason} for winner in winners}
    return {"max_abs_difference": None, "budgets": budgets}
