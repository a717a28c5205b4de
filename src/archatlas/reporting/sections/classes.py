"""The section on classes: how well each is found, what it is taken for, and the worst mistakes as pictures."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archatlas.reporting import numbers
from archatlas.reporting.blocks import Chart, Grid, Picture, Pictures, Section, TableBlock, Text
from archatlas.reporting.class_results import (
    Confusion,
    balanced_accuracy,
    class_names,
    hardest_class,
    most_confused,
    worst_mistakes,
)
from archatlas.reporting.figures.confusion import figure_confusion, shown_classes
from archatlas.reporting.figures.results import figure_class_accuracy
from archatlas.reporting.run import Json, Run
from archatlas.reporting.tables import Table, cells
from archatlas.signals.classes import images_in_test, lost_sentence, never_found
from archatlas.verification.mistakes import confusion_counts

_PICTURE_SIDE = 96
"""Pixels: pictures are shown at this size, and larger images are sent no larger."""


def classes_section(run: Run) -> Section | None:
    """What the winners make of each class of the test images."""
    if run.alone_is_looked_up:
        return None
    tested = [winner for winner in run.found if winner.get("per_class_accuracy")]
    lead = (
        "How many of the test images of each class the winners name rightly; a class with few images has a coarse "
        "figure. Balanced accuracy is the mean over classes, so that a rare class counts as much as a frequent one. "
        "Where winners' answers were kept, a matrix says what each class is taken for, and the pictures are the "
        "mistakes that a winner was surest of: look there for wrong labels first."
    )
    if not tested:
        return Section("classes", "Accuracy of each class", lead, [Text("No winner was tested.")])
    blocks: list[Any] = [TableBlock(balance_table(tested), "Accuracy over images and over classes")]
    blocks += [Text(text) for winner in tested if (text := _sentence(run, winner))]
    blocks.append(
        Chart(
            "class-accuracy",
            figure_class_accuracy(run.winners, class_names(run)),
            "Test accuracy of each class by winner",
        )
    )
    charts = tuple(
        _confusion_chart(run, number, winner) for number, winner in enumerate(tested) if _answered(run, winner)
    )
    if charts:
        blocks.append(Grid(charts))
    for winner in tested:
        blocks += _mistake_blocks(run, str(winner["budget"]))
    return Section("classes", "Accuracy of each class", lead, blocks)


def balance_table(tested: list[Json]) -> Table:
    """A row per winner: accuracy of all test images, balanced accuracy, the hardest class."""
    rows = []
    for winner in tested:
        hardest = hardest_class(winner)
        accuracy = winner.get("exported_accuracy")
        rows.append(
            cells(
                str(winner["budget"]),
                numbers.percent(winner.get("test_accuracy_mean") if numbers.is_missing(accuracy) else accuracy),
                numbers.percent(balanced_accuracy(winner)),
                numbers.DASH if hardest is None else f"{hardest[0]} ({numbers.percent(hardest[1])})",
            )
        )
    columns = (
        ("budget", "left"),
        ("test accuracy", "right"),
        ("balanced accuracy", "right"),
        ("hardest class", "right"),
    )
    return Table(columns, tuple(rows))


def confused_sentence(budget: str, pairs: list[Confusion]) -> str:
    """Which classes are taken for which most often; empty if none is."""
    if not pairs:
        return ""
    named = [
        f"{pair.true_class} taken for {pair.predicted_class} ({pair.images} image{'s' * (pair.images > 1)}, "
        f"{numbers.percent(pair.share, 0)} of the class)"
        for pair in pairs
    ]
    return f"Confused most by the winner of {budget}: {', '.join(named)}."


def _sentence(run: Run, winner: Json) -> str:
    budget = str(winner["budget"])
    parts = [lost_sentence(budget, never_found(winner), images_in_test(run.class_counts))]
    if _answered(run, winner):
        parts.append(confused_sentence(budget, most_confused(_counts(run, budget), class_names(run))))
    return " ".join(part for part in parts if part)


def _answered(run: Run, winner: Json) -> bool:
    """Whether the winner's answers were kept."""
    return not run.test_predictions.empty and bool((run.test_predictions["budget"] == str(winner["budget"])).any())


def _counts(run: Run, budget: str) -> NDArray[np.int64]:
    return confusion_counts(run.test_predictions, budget, len(class_names(run)))


def _confusion_chart(run: Run, number: int, winner: Json) -> Chart:
    budget, names = str(winner["budget"]), class_names(run)
    counts = _counts(run, budget)
    shown = len(shown_classes(counts))
    some = f", the {shown} of {len(names)} classes that are confused most" if shown < len(names) else ""
    return Chart(
        f"confusion-{number}",
        figure_confusion(counts, names),
        f"Confusion matrix of the winner of {budget}: true classes by predicted classes{some}",
        f"What each class is taken for: {budget}{some}",
    )


def _mistake_blocks(run: Run, budget: str) -> list[Any]:
    mistakes = worst_mistakes(run, budget)
    if not mistakes:
        return []
    pictures = tuple(
        Picture(
            source=data_uri(mistake.pixels),
            label=f"test image {mistake.file}",
            title=f"taken for {mistake.predicted_class} ({numbers.percent(mistake.probability)})",
            note=f"is {mistake.true_class}",
            file=mistake.file,
        )
        for mistake in mistakes
    )
    return [Pictures(f"The surest mistakes of the winner of {budget}", pictures)]


def data_uri(pixels: NDArray[np.uint8]) -> str:
    """A PNG of uint8 [c, h, w] (grey or RGB) as an address that needs no request; no larger than it is shown."""
    from PIL import Image

    image = Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    image.thumbnail((_PICTURE_SIDE, _PICTURE_SIDE))
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
