from __future__ import annotations

from archatlas.costs.counting import count_parts
from archatlas.schedule.facts import drawn_networks, timed_networks
from archatlas.schedule.pace import measure_pace
from archatlas.spaces.presets import preset
from archatlas.training.parameters import DeviceParameters


def test_the_pace_of_a_real_space_is_finite_and_training_is_slower_than_answering() -> None:
    space = preset("digits", (1, 8, 8), 10)
    choices, macs = drawn_networks(space, count_parts(space), 0)
    assert macs.is_monotonic_increasing
    rows, their = timed_networks(choices, macs)
    assert their[0] == macs.iloc[0]
    assert their[-1] == macs.iloc[-1]
    pace = measure_pace(space, rows, their, DeviceParameters(accelerator="cpu", workers=1), 16, "32")
    middle = float(macs.median())
    assert 0 < pace.answer(middle) < pace.train(middle) < 1
