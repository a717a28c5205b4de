"""The training of the super-networks."""

from __future__ import annotations

from archatlas.reporting.blocks import Chart, Section
from archatlas.reporting.figures.training import figure_learning_curves
from archatlas.reporting.run import Run


def supernet_section(run: Run) -> Section | None:
    if run.table is not None or not (run.has_atlas or len(run.supernet_curves)):
        return None
    seeds = run.supernet_curves["seed"].nunique() if len(run.supernet_curves) else 0
    text = ["Loss and accuracy on the training images by epoch, averaged over the subnets of each step."]
    if run.largest_first_epochs:
        text.append(
            f"In the first {run.largest_first_epochs} epochs the largest path is trained alone; then blocks that "
            "expand begin anew as slices of its."
        )
    if run.image_sizes:
        sides = ", ".join(map(str, run.image_sizes))
        text.append(f"Super-networks see images of {sides} pixels, in turn, so their curves differ.")
    text.append(
        "What super-networks disagree on is taken for the noise that the predictor must see through."
        if seeds > 1
        else "Only one seed was trained, so there is no cross-seed score."
    )
    return Section(
        "supernet",
        "The super-network's training",
        " ".join(text),
        [Chart("learning-curves", figure_learning_curves(run.supernet_curves), "Learning curves of the super-network")],
    )
