from __future__ import annotations

from dataclasses import replace

from archatlas.costs.counting import count_parts
from archatlas.schedule.facts import drawn_networks, timed_networks
from archatlas.schedule.pace import load_now, measure_pace
from archatlas.spaces.presets import preset
from archatlas.training.parameters import DeviceParameters


def test_the_pace_of_a_real_space_is_finite_and_training_is_slower_than_answering() -> None:
    space = preset("digits", (1, 8, 8), 10)
    choices, macs = drawn_networks(space, count_parts(space), 0)
    assert macs.is_monotonic_increasing
    rows, their = timed_networks(choices, macs)
    assert their[0] == macs.iloc[0]
    assert their[-1] == macs.iloc[-1]
    device = DeviceParameters(accelerator="cpu", workers=1)
    pace, reference = measure_pace(space, rows, their, device, 16, "32")
    middle = float(macs.median())
    assert 0 < pace.answer(middle) < pace.train(middle) < 1
    assert (reference.network, reference.batch_size) == (space.names(rows)[2], 16)
    # Timed again it is as fast as it was, or slower; a hundred times as slow it is called what it is.
    assert 1 <= load_now(reference, space, device) < 20
    assert load_now(replace(reference, seconds=reference.seconds / 100), space, device) > 20
