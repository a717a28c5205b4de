from __future__ import annotations

import re
from dataclasses import replace
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archatlas.schedule.allocation import FEWEST_AUDITED, MOST_MAPPED, Schedule, allocate, more_time
from archatlas.schedule.epochs import MOST_EPOCHS, batch_size
from archatlas.schedule.facts import Facts
from archatlas.schedule.finishing import Sharing, expected_load, finishing_now, sharing_of
from archatlas.schedule.overlay import scheduled
from archatlas.schedule.pace import Pace, _line
from archatlas.supernet.parameters import SupernetParameters
from archatlas.verification.parameters import FinishingParameters, VerificationParameters

PACE = Pace(workers=2, train_fixed=5e-4, train_per_mac=2.5e-10, answer_fixed=1e-4, answer_per_mac=7e-11)
"""Some 500 images of a network of six million MACs a second."""
PHOTOGRAPHS = Facts(3068, 341, 256, 9e6, 9e6, 14e6, 141_120, largest_first=True, limits={"small": 6e6})


def test_half_an_hour_goes_to_the_winner_first() -> None:
    schedule = allocate(1800, PACE, PHOTOGRAPHS)
    assert 0.85 * 1800 <= schedule.promised <= 1800
    assert max(schedule.seconds, key=schedule.seconds.__getitem__) == "finish_winners"
    assert schedule.verification["audit"]["networks"] == 0
    assert schedule.gave_up[0].startswith("no audit: ")
    assert schedule.gave_up[0].endswith("h would allow 20")
    hours = float(schedule.gave_up[0].split("; ")[1].removesuffix(" h would allow 20"))
    assert allocate(hours * 3600, PACE, PHOTOGRAPHS).verification["audit"]["networks"] >= FEWEST_AUDITED
    assert allocate((hours - 0.1) * 3600, PACE, PHOTOGRAPHS).verification["audit"]["networks"] == 0


def test_two_hours_allow_an_audit_that_says_something() -> None:
    schedule = allocate(7200, PACE, PHOTOGRAPHS)
    assert schedule.verification["audit"]["networks"] >= FEWEST_AUDITED
    assert not any(line.startswith("no audit") for line in schedule.gave_up)
    assert 0.9 * 7200 <= schedule.promised <= 7200


def test_where_the_time_is_short_for_many_networks_that_is_not_what_is_said() -> None:
    few = replace(PHOTOGRAPHS, train=1200, validation=400, mean_macs=2e6, limits={"small": 2e6})
    line = allocate(2900, PACE, few).gave_up[0]
    assert line.startswith("no audit: the winner needs the time; ")
    assert allocate(3 * 3600, PACE, few).verification["audit"]["networks"] >= FEWEST_AUDITED


def test_what_the_winner_cannot_use_is_for_the_audit_and_for_what_is_alike() -> None:
    pace = replace(PACE, processes=2)
    small, middle, large = (
        allocate(7200, pace, replace(PHOTOGRAPHS, limits={"small": most})) for most in (5e6, 20e6, 60e6)
    )
    assert small.finishing["training"]["epochs"] == 320 > middle.finishing["training"]["epochs"] > 160
    assert small.verification["training"]["epochs"] > middle.verification["training"]["epochs"]
    assert small.supernet == middle.supernet == large.supernet
    # And an audit leaves the winner half of the epochs that make sense, or a quarter of the time.
    for planned in (middle, large):
        assert planned.verification["audit"]["networks"] >= FEWEST_AUDITED
        assert planned.seconds["finish_winners"] > 0.23 * 7200


def test_too_little_time_is_said_and_the_least_that_makes_sense_is_planned() -> None:
    schedule = allocate(180, PACE, replace(PHOTOGRAPHS, train=50_000, validation=5_000))
    assert schedule.promised > 180
    assert any("are too few for these images" in line for line in schedule.gave_up)


def everything_is_a_valid_parameter(schedule: Schedule) -> None:
    supernet = scheduled(SupernetParameters(), schedule.supernet)
    assert supernet.largest_first_epochs == schedule.supernet["largest_first_epochs"]
    verification = scheduled(VerificationParameters(), schedule.verification)
    assert verification.training.epochs >= 1
    assert verification.training.warmup_epochs < verification.training.epochs
    assert 1 <= scheduled(FinishingParameters(), schedule.finishing).training.epochs <= 10_000


@settings(max_examples=200)
@given(
    seconds=st.floats(120, 100_000),
    train=st.integers(30, 200_000),
    workers=st.integers(1, 64),
    macs=st.floats(1e4, 1e9),
    budgets=st.integers(1, 6),
    networks=st.integers(2, 10**12),
    chain=st.booleans(),
)
def test_every_schedule_is_valid_and_keeps_its_time_or_says_that_it_cannot(
    seconds: float, train: int, workers: int, macs: float, budgets: int, networks: int, chain: bool
) -> None:
    facts = Facts(
        train,
        train // 5 + 1,
        min(256, train),
        macs,
        macs,
        2 * macs,
        min(networks, 10**6),
        largest_first=chain,
        limits={str(number): macs for number in range(budgets)},
        comparisons=chain,
    )
    pace = replace(PACE, workers=workers, processes=workers)
    schedule = allocate(seconds, pace, facts)
    everything_is_a_valid_parameter(schedule)
    assert all(value >= 0 for value in schedule.seconds.values())
    assert schedule.promised <= 1.1 * seconds or "are too few for these images" in schedule.gave_up[-1]
    assert len(more_time(seconds, pace, facts)) == 2


def test_another_budget_changes_what_is_trained_alone_and_nothing_of_the_search() -> None:
    one = allocate(7200, PACE, PHOTOGRAPHS)
    two = allocate(7200, PACE, replace(PHOTOGRAPHS, limits={"small": 6e6, "large": 12e6}))
    assert (one.supernet, one.sample, one.tuning) == (two.supernet, two.sample, two.tuning)
    assert one.finishing != two.finishing


@pytest.mark.parametrize("networks", [10**7, 10**17, 10**400])
def test_a_space_that_is_too_large_to_be_written_out_takes_no_time_from_training(networks: int) -> None:
    largest = allocate(1800, PACE, replace(PHOTOGRAPHS, networks=MOST_MAPPED))
    assert allocate(1800, PACE, replace(PHOTOGRAPHS, networks=networks)) == largest
    assert 0.85 * 1800 <= largest.promised <= 1800


def test_few_images_are_passed_over_more_often_in_smaller_steps() -> None:
    few = allocate(1800, PACE, replace(PHOTOGRAPHS, train=100, validation=30))
    assert few.supernet["training"]["batch_size"] == 8 == batch_size(100)
    assert few.finishing["training"]["epochs"] * (100 // 8) >= 10_000
    assert "batch_size" not in allocate(1800, PACE, PHOTOGRAPHS).supernet["training"]
    shared = allocate(600, PACE, replace(PHOTOGRAPHS, train=100, validation=20, devices=3))
    assert shared.verification["training"]["batch_size"] == 6  # Each device takes an equal share.
    assert [batch_size(images) for images in (1, 128, 300, 1024, 50_000)] == [8, 8, 16, 64, 64]
    assert allocate(10**6, PACE, PHOTOGRAPHS).finishing["training"]["epochs"] == 320 >= MOST_EPOCHS


@pytest.mark.parametrize(
    ("now", "so_far", "load"),
    [
        (1.0, 1.0, 1.0),
        (0.9, 0.8, 1.0),  # Timing is not exact: no machine is less busy than a quiet one.
        (1.5, 1.5, 1.5),  # As busy as it was all the time.
        (2.25, 1.0, 1.5),  # Something has just begun: it may stay or not.
        (1.0, 2.25, 1.5),  # Something has just ended.
        (4.0, 1.0, 2.5),  # If it stays, training takes 1.6 times as long as planned.
    ],
)
def test_the_load_that_is_expected_lies_between_now_and_before(now: float, so_far: float, load: float) -> None:
    assert expected_load(now, so_far) == pytest.approx(load)


def test_finishing_takes_what_is_left_but_not_next_to_nothing() -> None:
    planned = allocate(1800, PACE, PHOTOGRAPHS)
    epochs, seconds = planned.finishing["training"]["epochs"], planned.seconds["finish_winners"]
    sharing = sharing_of(1, PACE, PHOTOGRAPHS)

    def now(left_s: float, *macs: float) -> int:
        return finishing_now(left_s, epochs, [PACE.train(one) for one in macs], sharing, PACE, PHOTOGRAPHS).epochs

    assert planned.finishing["contenders"] == sharing.contenders == 2
    assert now(seconds, 5.4e6, 5.4e6) == pytest.approx(epochs, abs=1)
    assert now(seconds / 2, 5.4e6, 5.4e6) == pytest.approx(epochs / 2, abs=1)
    assert now(seconds, 2.7e6, 2.7e6) > 1.3 * epochs
    # Side by side the larger decides how long.
    assert now(seconds, 5.4e6, 2.7e6) == pytest.approx(epochs, abs=1)
    assert now(-100, 5.4e6) == epochs // 6


def test_where_time_is_left_over_the_largest_network_teaches() -> None:
    pace, chain = replace(PACE, processes=2), replace(PHOTOGRAPHS, one_is_largest=True)
    shorter, longer = (allocate(hours * 3600, pace, chain) for hours in (1, 4))
    assert shorter.finishing["teacher"] == "none"
    most = 320
    assert longer.finishing["teacher"] == "largest"
    assert longer.finishing["taught_epochs"] == most >= longer.finishing["training"]["epochs"] >= 0.3 * most
    assert longer.promised <= 4 * 3600
    assert allocate(4 * 3600, pace, PHOTOGRAPHS).finishing["teacher"] == "none"
    gains = more_time(3600, pace, chain)[1]
    assert "the largest network as the winners' teacher" in gains

    sharing, own, largest = sharing_of(1, pace, chain), pace.train(5.4e6), pace.train(14e6)
    enough = longer.seconds["finish_winners"]
    planned = longer.finishing["training"]["epochs"]
    taught = finishing_now(enough, planned, [own], sharing, pace, chain, [largest])
    assert (taught.teacher, taught.of_winners, taught.seconds) == ("largest", most, pytest.approx(enough, rel=0.05))
    # In half of the time it is trained alone; and the largest network needs no lessons from itself.
    assert finishing_now(enough / 2, planned, [own], sharing, pace, chain, [largest]).teaching == {"teacher": "none"}
    assert finishing_now(enough, planned, [largest], sharing, pace, chain, [largest]).teacher == "none"


@pytest.mark.parametrize("teacher", ["largest", "contenders"])
def test_a_teacher_that_was_asked_for_has_its_time(teacher: str) -> None:
    asked = replace(PHOTOGRAPHS, teacher=teacher, taught_epochs=30)
    schedule, without = allocate(1800, PACE, asked), allocate(1800, PACE, PHOTOGRAPHS)
    assert schedule.finishing["teacher"] == teacher
    assert schedule.finishing["taught_epochs"] == 30
    assert schedule.seconds["finish_winners"] == pytest.approx(without.seconds["finish_winners"], rel=0.1)
    assert 4 < schedule.finishing["training"]["epochs"] < without.finishing["training"]["epochs"]


def test_winners_that_are_not_trained_on_leave_their_time_to_what_is_alike() -> None:
    asked, without = (allocate(1800, PACE, replace(PHOTOGRAPHS, finishes=one)) for one in (True, False))
    assert without.seconds["finish_winners"] == 0
    assert without.verification["training"]["epochs"] > 2 * asked.verification["training"]["epochs"]
    assert 0.8 * 1800 <= without.promised <= 1800
    assert not any("winners are trained on" in line for line in without.gave_up)


def test_networks_that_calibrate_a_predictor_have_their_time() -> None:
    plain, calibrated = (allocate(1800, PACE, replace(PHOTOGRAPHS, calibrated=count)) for count in (0, 10))
    epochs = calibrated.verification["training"]["epochs"]
    each = 3068 * PACE.train(9e6) * 1.12 / 2
    assert calibrated.seconds["calibrate_predictor"] == pytest.approx(10 * epochs * each)
    assert epochs < plain.verification["training"]["epochs"]
    assert calibrated.promised <= 1800


def test_a_choice_is_between_several_and_few_are_named() -> None:
    two_budgets = replace(PHOTOGRAPHS, limits={"small": 6e6, "large": 9e6})
    schedule = allocate(1200, PACE, two_budgets)
    told = schedule.verification["top_k"], schedule.verification["random_networks"]
    assert told == (2, 2)
    assert "2 finalists and 2 random networks of each budget are compared: more would say more" in schedule.gave_up
    gains = more_time(1200, PACE, two_budgets)[1]
    assert "4 finalists of each budget instead of 2" in gains


def test_where_images_are_too_many_it_says_how_many_would_fit() -> None:
    many = replace(PHOTOGRAPHS, train=120_000, validation=20_000, images=160_000)
    schedule = allocate(400, PACE, many)
    (line,) = (line for line in schedule.gave_up if "too few for these images" in line)
    images = int(line.partition("`images.max_images` of ")[2].split()[0])
    assert allocate(400, PACE, many.of_fewer(images / 160_000)).promised <= 1.1 * 400
    assert 160_000 > images >= 8_000


@pytest.mark.parametrize(("train", "minutes"), [(8_000, 10), (24_000, 10), (24_000, 30), (80_000, 30), (80_000, 120)])
def test_of_many_images_an_epoch_has_a_part_so_that_the_winner_keeps_the_longest_part_of_the_time(
    train: int, minutes: int
) -> None:
    many = replace(PHOTOGRAPHS, train=train, validation=1_000, images=train + 2_000, limits={"a": 6e6, "b": 9e6})
    schedule = allocate(60 * minutes, PACE, many)
    assert schedule.promised <= 60 * minutes
    assert schedule.seconds["finish_winners"] > schedule.seconds["verify_candidates"]
    images = schedule.images_per_epoch
    assert images is not None
    assert 2_000 <= images < train
    assert schedule.part == images / train
    assert schedule.verification["training"]["images_per_epoch"] == images
    assert schedule.verification["audit"]["training"]["images_per_epoch"] == images
    assert f"what is trained alone sees {images:,} of {train:,} images in an epoch, others in each" in schedule.gave_up
    everything_is_a_valid_parameter(schedule)
    # Super-networks do not depend on what is trained alone.
    assert allocate(60 * minutes, PACE, replace(many, limits={"a": 6e6})).supernet == schedule.supernet


def test_of_few_images_an_epoch_has_all() -> None:
    two = replace(PHOTOGRAPHS, limits={"a": 6e6, "b": 9e6})
    assert allocate(1800, PACE, two).images_per_epoch is None
    assert "images_per_epoch" not in allocate(1800, PACE, two).supernet["training"]
    # In ten minutes for two budgets three quarters of them: passes count, whatever an epoch is.
    gains = more_time(600, PACE, two)[0]
    assert re.search(r"\d+ epochs for the winners instead of \d+, [\d.]+ epochs for finalists instead of 3$", gains)


def test_super_networks_are_as_many_as_there_are_sizes_for_them_to_see() -> None:
    short = allocate(600, PACE, replace(PHOTOGRAPHS, fewest_supernets=3))
    assert short.supernet["seeds"] == 3
    assert scheduled(SupernetParameters(seeds=3, image_sizes=(8, 6, 4)), short.supernet).seeds == 3


def test_what_a_step_trains_and_what_is_compared_is_counted() -> None:
    plain = allocate(1800, PACE, PHOTOGRAPHS)
    sandwich = allocate(1800, PACE, replace(PHOTOGRAPHS, paths=3))
    assert sandwich.supernet["training"]["epochs"] < 0.6 * plain.supernet["training"]["epochs"]
    assert sandwich.seconds["train_supernet"] == pytest.approx(plain.seconds["train_supernet"], rel=0.15)
    evaluated = allocate(1800, PACE, replace(PHOTOGRAPHS, candidates=40))
    assert evaluated.seconds["verify_candidates"] > plain.seconds["verify_candidates"] + 2
    sizes = allocate(1800, PACE, replace(PHOTOGRAPHS, comparisons=2)).verification
    assert (sizes["random_networks"] + 2) % PACE.workers == 0
    read = allocate(600, PACE, replace(PHOTOGRAPHS, prepared_s=300.0))
    assert read.seconds["prepare_images"] == 300.0
    assert read.promised <= 600


def test_weights_of_others_need_fewer_epochs() -> None:
    small = replace(PHOTOGRAPHS, largest_first=False, mean_macs=1e5)
    afresh, warm = (allocate(7200, PACE, replace(small, warm=warm)).supernet for warm in (False, True))
    assert warm["training"]["epochs"] == pytest.approx(afresh["training"]["epochs"] / 2, abs=1)


def test_more_time_brings_larger_images_where_their_size_is_open() -> None:
    open_sizes = replace(PHOTOGRAPHS, images=3781, image_size=32, suitable_sizes=(32, 48, 64))
    with mock.patch("joblib.cpu_count", return_value=2):
        lines = more_time(1800, PACE, open_sizes)
        assert lines[1].startswith("120 minutes: images of 48 pixels, ")
        larger = open_sizes.in_time(7200)
    assert (larger.image_size, larger.mean_macs, larger.limits) == (48, 2.25 * 9e6, {"small": 2.25 * 6e6})
    assert larger.area(open_sizes) == 2.25
    assert PACE.on_larger(2.25).train(2.25e6) == pytest.approx(2.25 * PACE.train(1e6))
    assert "pixels" not in more_time(1800, PACE, PHOTOGRAPHS)[1]


def test_more_time_names_what_it_would_buy_alone() -> None:
    lines = more_time(10**6, PACE, PHOTOGRAPHS)
    assert [line.split(": ")[1] for line in lines] == ["nothing more", "nothing more"]


def test_workers_that_would_wait_train_more_for_the_comparison() -> None:
    def contestants(workers: int, seconds: float) -> tuple[int, int]:
        planned = allocate(seconds, replace(PACE, workers=workers), PHOTOGRAPHS).verification
        return planned["top_k"], planned["random_networks"]

    # A MobileNet stands beside the random ones: either number, with it, is a multiple of the workers.
    assert contestants(2, 2400) == (4, 5)
    assert contestants(2, 1800) == (4, 3)
    assert contestants(4, 2400) == (4, 7)
    assert contestants(8, 1800) == (8, 7)
    assert contestants(32, 1800) == (8, 7)


def test_workers_share_the_winners_trainings_while_an_epoch_has_steps_enough() -> None:
    def shared(budgets: int, cores: int, train: int) -> tuple[int, int]:
        pace = replace(PACE, workers=cores, processes=cores)
        sharing = sharing_of(budgets, pace, replace(PHOTOGRAPHS, train=train))
        return sharing.contenders, sharing.processes

    assert shared(budgets=1, cores=2, train=3068) == (1, 2)
    assert shared(budgets=3, cores=2, train=3068) == (1, 1)
    assert shared(budgets=1, cores=2, train=1238) == (1, 2)
    assert shared(budgets=1, cores=2, train=900) == (2, 1)  # Two shares of 32 would make too few steps an epoch.
    assert shared(budgets=1, cores=8, train=3068) == (2, 4)
    assert shared(budgets=3, cores=8, train=6664) == (1, 2)
    # One training is no faster for a GPU's, or a cluster's, other workers.
    others = [sharing_of(budgets, replace(PACE, workers=4), PHOTOGRAPHS) for budgets in (0, 1, 2, 5)]
    assert others == [Sharing(3, 1, 64), Sharing(3, 1, 64), Sharing(2, 1, 64), Sharing(1, 1, 64)]


def test_shares_are_of_a_size_that_an_epoch_has_steps_enough_of() -> None:
    pace = replace(PACE, workers=3, processes=3)
    shared = {train: sharing_of(1, pace, replace(PHOTOGRAPHS, train=train)).batch for train in (500, 1238, 3068, 9000)}
    assert [batch.get("batch_size") for batch in shared.values()] == [None, 64, 96, 192]


def test_with_validation_images_there_are_more_to_train_on_and_nothing_to_choose_by() -> None:
    both = replace(PHOTOGRAPHS, train=800, validation=300, with_validation=True)
    assert sharing_of(1, replace(PACE, processes=2), both) == Sharing(1, 2, 32)
    assert sharing_of(1, PACE, both).contenders == 1
    more, fewer = (
        allocate(1800, PACE, replace(PHOTOGRAPHS, validation=1534, with_validation=asked)).finishing["training"]
        for asked in (True, False)
    )
    assert more["epochs"] == pytest.approx(fewer["epochs"] / 1.5, abs=1), "half as many images again"


def test_what_is_shared_has_larger_steps_and_more_epochs() -> None:
    alone, shared = (allocate(1800, replace(PACE, processes=count), PHOTOGRAPHS).finishing for count in (1, 2))
    assert (alone["contenders"], shared["contenders"]) == (2, 1)
    assert (alone["processes"], shared["processes"]) == (1, 2)
    assert shared["training"]["batch_size"] == 128
    assert 1.7 < shared["training"]["epochs"] / alone["training"]["epochs"] <= 2


def test_the_pace_is_a_line_through_what_was_timed() -> None:
    import numpy as np

    macs = np.array([1e6, 4e6, 9e6])
    assert _line(macs, 1e-4 + 2e-10 * macs) == pytest.approx((1e-4, 2e-10))
    # A time that falls with MACs is no reason for a negative slope.
    fixed, slope = _line(macs, np.array([3e-4, 2e-4, 1e-4]))
    assert slope == 0
    assert fixed > 0


def test_an_overlay_changes_what_it_names_level_by_level_and_nothing_else() -> None:
    parameters = SupernetParameters()
    changed = scheduled(parameters, {"seeds": 1, "training": {"epochs": 7}})
    assert (changed.seeds, changed.training.epochs) == (1, 7)
    assert changed.training.batch_size == parameters.training.batch_size
    assert scheduled(parameters, {}) is parameters
    assert scheduled(parameters, None) is parameters
