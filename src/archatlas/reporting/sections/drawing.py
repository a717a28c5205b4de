"""The winners, drawn."""

from __future__ import annotations

from typing import Any

from archatlas.costs.counting import count_parts
from archatlas.reporting.architecture_drawing import draw_chain
from archatlas.reporting.blocks import Drawing, Section, Text
from archatlas.reporting.cell_drawing import draw_cell
from archatlas.reporting.run import Run
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.protocol import chains_of


def _drawing(run: Run, name: str) -> str:
    from archatlas.verification.members import member_of

    member = member_of(run.space, name)
    if not isinstance(member.space, ChainSpace):
        return draw_cell(member.space, member.network)
    costs = run.cost_table if member.space is run.space else count_parts(member.space)
    return draw_chain(member.space, member.network, costs)


def drawing_section(run: Run) -> Section:
    blocks: list[Any] = [
        Drawing(
            _drawing(run, str(winner["architecture"])),
            f"{winner['budget']}: {winner['architecture']}",
        )
        for winner in run.found
    ]
    return Section(
        "drawing",
        "The winners, drawn",
        "Each box is an operation with its widths (channels in \u2192 out) and its MACs; images flow along the "
        "arrows, a row per stage. The colour is the kernel size, an arc above a box says that its input is added to "
        "its output, and a dashed box is a skip, which computes nothing."
        if chains_of(run.space)
        else "The cell, which the network repeats: each box is an operation, images flow along the arrows, and what "
        "meets is added up, or at the output joined if the space does so. Operations that lead nowhere are left out. "
        "The colour is the kernel size, and a dashed box is a skip, which computes nothing.",
        blocks or [Text("There is no winner to draw.")],
    )
