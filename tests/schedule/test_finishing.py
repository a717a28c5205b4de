from __future__ import annotations

import pytest

from archatlas.schedule.entrants import Timed
from archatlas.schedule.facts import Facts
from archatlas.schedule.finishing import Expected, Finishing, Sharing, finishing_of, time_left
from archatlas.verification.mobilenet import LABEL

PLANNED = {
    "prepare_images": 10.0, "measure_costs": 20.0, "plan_schedule": 5.0, "train_supernet": 300.0,
    "calibrate_predictor": 40.0, "finish_winners": 600.0, "export": 6.0, "audit": 6.0, "report": 8.0,
}  # fmt: skip


def test_what_was_expected_is_all_but_finishing_and_what_comes_after_it() -> None:
    assert Expected.of(PLANNED) == Expected(so_far=375.0, since=340.0, last=20.0)


@pytest.mark.parametrize(("slower", "left"), [(1.0, 580.0), (2.0, 280.0)])
def test_what_is_left_is_told_in_seconds_of_a_quiet_machine(slower: float, left: float) -> None:
    assert time_left(1000, 400, slower, Expected.of(PLANNED)) == left


def test_a_busy_machine_makes_all_slower_alike() -> None:
    timed = Timed({"e3k3": 1e6, f"{LABEL}0.5": 2e6}, [4.0, 6.0], [8.0])
    assert timed.on_a_quiet_machine(2.0) == Timed(timed.macs, [2.0, 3.0], [4.0])


def test_what_is_finished_takes_the_place_of_what_was_planned() -> None:
    facts = Facts(3068, 341, 256, 9e6, 9e6, 14e6, 141_120, largest_first=True)
    planned = {
        "seeds": 1, "contenders": 1, "processes": 1, "teacher": "none",
        "training": {"batch_size": 32, "epochs": 100, "warmup_epochs": 2.0},
    }  # fmt: skip
    shared = finishing_of(planned, Finishing(8, 60.0, "largest", 40), Sharing(2, 4, 16), facts)
    assert shared == {
        "seeds": 1, "contenders": 2, "processes": 4, "teacher": "largest", "taught_epochs": 40,
        "training": {"batch_size": 64, "epochs": 8, "warmup_epochs": 1.0},
    }  # fmt: skip
    alone = finishing_of(planned, Finishing(200, 60.0), Sharing(1, 1, 64), facts)
    assert alone["training"] == {"epochs": 200, "warmup_epochs": 2.0}  # Images of a step as configured again.
