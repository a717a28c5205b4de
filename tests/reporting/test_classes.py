from __future__ import annotations

import base64
import dataclasses
import io
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from archatlas.reporting.class_results import (
    Confusion,
    balanced_accuracy,
    hardest_class,
    most_confused,
    unequal_classes,
    worst_mistakes,
)
from archatlas.reporting.figures.confusion import figure_confusion, shown_classes
from archatlas.reporting.figures.theme import RED
from archatlas.reporting.page import render_page, tiles
from archatlas.reporting.run import Run
from archatlas.reporting.sections.classes import classes_section, confused_sentence, data_uri
from archatlas.signals.classes import lost_sentence, never_found

COUNTS = np.array([[8, 2, 0, 0], [5, 0, 0, 0], [0, 1, 39, 0], [0, 0, 0, 0]])
NAMES = ["cat", "dog", "fox", "owl"]


def test_balanced_accuracy_counts_each_class_alike() -> None:
    assert balanced_accuracy({"per_class_accuracy": {"a": 1.0, "b": 0.0, "c": None, "d": 0.5}}) == 0.5
    assert balanced_accuracy({"balanced_accuracy": 0.25, "per_class_accuracy": {"a": 1.0}}) == 0.25
    assert balanced_accuracy({"per_class_accuracy": {}}) is None
    assert balanced_accuracy({"status": "none"}) is None


def test_the_hardest_class_and_those_that_are_never_found() -> None:
    winner = {"per_class_accuracy": {"a": 0.5, "b": 0.0, "c": None, "d": 0.0}}
    assert hardest_class(winner) == ("b", 0.0)
    assert never_found(winner) == ["b", "d"]
    assert hardest_class({}) is None
    assert never_found({}) == []


def test_the_pairs_that_are_confused_most() -> None:
    assert most_confused(COUNTS, NAMES) == [
        Confusion("dog", "cat", 5, 1.0),
        Confusion("cat", "dog", 2, 0.2),
        Confusion("fox", "dog", 1, 0.025),
    ]
    assert most_confused(np.diag([3, 4]), ["a", "b"]) == []
    equal = np.array([[8, 2, 0], [1, 0, 2], [0, 0, 5]])
    assert [pair.true_class for pair in most_confused(equal, ["a", "b", "c"])] == ["b", "a", "b"]


def test_sentences_name_what_is_lost_and_confused() -> None:
    assert lost_sentence("small", ["dog", "owl"], {"dog": 5}) == (
        "The winner of small never finds dog (0 of 5 test images), owl."
    )
    assert lost_sentence("small", [], {}) == ""
    many = lost_sentence("small", [str(number) for number in range(11)], {})
    assert many.endswith("6, 7 and 3 more classes.")
    assert confused_sentence("small", most_confused(COUNTS, NAMES)[1:]).replace("\N{NO-BREAK SPACE}", " ") == (
        "Confused most by the winner of small: cat taken for dog (2 images, 20 % of the class), fox taken for dog "
        "(1 image, 2 % of the class)."
    )
    assert confused_sentence("small", []) == ""


def test_confusion_is_drawn_with_counts_and_shares_and_what_is_never_found_in_a_frame() -> None:
    figure = figure_confusion(COUNTS, NAMES)
    (trace,) = figure.data
    assert [list(row) for row in trace.z] == [[0.8, 0.2, 0, 0], [1, 0, 0, 0], [0, 0.025, 0.975, 0], [None] * 4]
    assert [list(row) for row in trace.text] == [
        ["8", "2", "", ""], ["5", "0", "", ""], ["", "1", "39", ""], [""] * 4,
    ]  # fmt: skip
    assert trace.customdata[1][0].replace("\N{NO-BREAK SPACE}", " ") == "dog taken for cat: 5 of 5 (100.0 %)"
    assert trace.customdata[2][2].replace("\N{NO-BREAK SPACE}", " ") == "fox found: 39 of 40 (97.5 %)"
    labels = [label.replace("\N{NO-BREAK SPACE}", " ") for label in figure.layout.yaxis.ticktext]
    assert labels == ["cat  80 %", "dog  0 %", "fox  98 %", "owl  \u2013"]
    (frame,) = figure.layout.shapes
    assert (frame.x0, frame.x1, frame.y0, frame.y1, frame.line.color) == (0.5, 1.5, 0.5, 1.5, RED)


def test_of_many_classes_those_of_most_mistakes_are_shown_and_those_never_found_first_of_all() -> None:
    counts = np.diag(np.full(60, 10))
    counts[50, 51] = 4  # 50 and 51 take part in four mistakes, 7 in one and is never found
    counts[7, 7], counts[7, 6] = 0, 1
    assert shown_classes(counts, most=3) == [7, 50, 51]
    assert shown_classes(counts[:3, :3], most=3) == [0, 1, 2]
    figure = figure_confusion(counts, [f"class {number}" for number in range(60)])
    assert np.array(figure.data[0].z).shape == (40, 40)
    assert "class 7" in figure.layout.xaxis.ticktext


def test_no_predictions_are_said_in_words() -> None:
    assert figure_confusion(np.zeros((2, 2), dtype=np.int64), ["a", "b"]).layout.annotations[0].text == (
        "No test image was predicted."
    )


def pixels_of(uri: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/png;base64,")))))


def test_pictures_are_the_pixels_themselves_unless_they_are_large() -> None:
    values = np.random.default_rng(0).integers(0, 256, (3, 8, 8), dtype=np.uint8)
    assert np.array_equal(pixels_of(data_uri(values)), values.transpose(1, 2, 0))
    assert np.array_equal(pixels_of(data_uri(values[:1])), values[0])
    assert pixels_of(data_uri(np.zeros((3, 224, 224), dtype=np.uint8))).shape == (96, 96, 3)


def test_the_worst_mistakes_have_their_pixels_and_files(run: Run) -> None:
    mistakes = worst_mistakes(run, "small")
    assert len(mistakes) == 12
    # The surest are the last images: 358 is an 8 that was taken for a 3 at 0.5 + 0.358.
    first = mistakes[0]
    assert (first.true_class, first.predicted_class, first.file) == ("8", "3", "digits/8/358.png")
    assert first.probability == pytest.approx(0.858)
    assert [int(mistake.pixels[0, 0, 0]) for mistake in mistakes] == list(range(12))
    probabilities = [mistake.probability for mistake in mistakes]
    assert probabilities == sorted(probabilities, reverse=True)
    unnamed = dataclasses.replace(run, split_files=pd.DataFrame())
    assert worst_mistakes(unnamed, "small")[0].file == "test image 358"
    assert worst_mistakes(run, "another budget") == []


def test_the_section_says_and_shows_it(run_data: dict[str, Any], make_run: Any) -> None:
    first, *others = run_data["winners"]
    lost = {**first, "per_class_accuracy": {**first["per_class_accuracy"], "8": 0.0}}
    page = render_page(make_run({**run_data, "winners": [lost, *others]}))
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)).replace("\N{NO-BREAK SPACE}", " ")
    images = run_data["class_counts"].query("split == 'test' and class_name == '8'")["images"].item()
    assert f"The winner of small never finds 8 (0 of {images} test images)." in text
    assert "Confused most by the winner of small: 8 taken for 3 (36 images, 100 % of the class)" in text
    assert "8 (0.0 %)" in text  # the hardest class, in the table
    assert "What each class is taken for: large" in text
    assert "taken for 3 (85.8 %)" in text
    assert "digits/8/358.png" in text
    assert page.count('<img src="data:image/png;base64,') == 36
    assert "image-rendering: pixelated" in page


def test_without_predictions_the_classes_still_have_their_accuracies(run: Run) -> None:
    without = dataclasses.replace(run, test_predictions=pd.DataFrame(), test_mistakes={}, split_files=pd.DataFrame())
    assert [block.kind for block in classes_section(without).blocks] == ["table", "chart"]
    assert [block.kind for block in classes_section(run).blocks] == [
        "table", "text", "text", "text", "chart", "grid", "pictures", "pictures", "pictures",
    ]  # fmt: skip
    untested = dataclasses.replace(run, winners=[{"budget": "small", "status": "none"}])
    assert [block.kind for block in classes_section(untested).blocks] == ["text"]


def test_hostile_names_of_files_and_classes_stay_text(run: Run) -> None:
    evil = '"><script>alert(1)</script>'
    files = run.split_files.assign(file=evil)
    description = {**run.image_description, "class_names": [evil] * 10}
    winners = [{**winner, "per_class_accuracy": {evil: 0.0}} for winner in run.winners]
    hostile = dataclasses.replace(run, split_files=files, image_description=description, winners=winners)
    assert "<script>alert" not in render_page(hostile)


def test_where_classes_are_unequal_the_first_figures_are_balanced_too(run: Run) -> None:
    counts = run.class_counts
    assert not unequal_classes(run)
    assert not any("count alike" in tile.label for tile in tiles(run))
    test = counts["split"] == "test"
    first = counts[test].index[0]
    images = counts["images"].where(counts.index != first, 2 * counts.loc[test, "images"].iloc[1:].min() + 1)
    winners = [{**winner, "balanced_accuracy": 0.5} for winner in run.winners]
    unequal = dataclasses.replace(run, class_counts=counts.assign(images=images), winners=winners)
    assert unequal_classes(unequal)
    told = [tile.label for tile in tiles(unequal) if "count alike" in tile.label]
    assert len(told) == len(run.found)
    assert all(label.endswith("; 50.0\N{NO-BREAK SPACE}% if all classes count alike") for label in told)
    assert not unequal_classes(dataclasses.replace(run, class_counts=counts.iloc[:0]))
