"""What was asked: images, space, budgets."""

from __future__ import annotations

from typing import Any

from archatlas.reporting import numbers, sentences, tables
from archatlas.reporting.blocks import Chart, Facts, Grid, Section, TableBlock, Text
from archatlas.reporting.figures.results import figure_class_counts
from archatlas.reporting.run import Run
from archatlas.reporting.words import words_of
from archatlas.spaces.protocol import Described, SearchSpace


def asked_section(run: Run) -> Section:
    description, space = run.image_description, run.space_summary
    size = description.get("image_size")
    facts = (
        ("images", words_of(run).images),
        ("form", f"{size} × {size} pixels, {'grey' if description.get('channels') == 1 else 'colour'}"),
        ("classes", numbers.whole(len(description.get("class_names", ())))),
        ("search space", f"{space.get('name')}: {len(run.space.num_choices)} positions"),
        ("architectures", numbers.whole(space.get("size"))),
        ("distinct networks", numbers.whole(space.get("networks"))),
        ("samples are", space.get("sampler", numbers.DASH)),
    )
    blocks: list[Any] = [
        Facts(facts),
        Text(sentences.twins(space, why_twins(run.space), run.table)),
    ]
    if run.table is None:
        counts = figure_class_counts(run.class_counts)
        chart = Chart("class-counts", counts, "Images of each class by split", "Images per class")
        blocks.append(Grid((TableBlock(tables.splits_table(run), "Images of each split"), chart)))
    balance = sentences.imbalance(run.class_counts)
    if balance:
        blocks.append(Text(balance))
    if len(run.feasibility):
        blocks.append(TableBlock(tables.budgets_table(run.feasibility), "Budgets, and what the space has to offer"))
    return Section(
        "asked",
        "What was asked",
        "The images, the space of networks that was searched, and the limits that a winner must keep. A limit given "
        "as a percentage lies that part of the way from the least cost in the space to the largest.",
        blocks,
    )


def why_twins(space: SearchSpace) -> str:
    """Why several architectures of the space are one network."""
    return space.twins_because if isinstance(space, Described) else "several of them can compute the same"
