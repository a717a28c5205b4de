"""How fast networks are that winners are trained on from, and those that may teach them: timed, once they are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archatlas.schedule.finishing import Sharing
from archatlas.schedule.pace import training_seconds
from archatlas.spaces.protocol import SearchSpace
from archatlas.training.parameters import DeviceParameters
from archatlas.verification.members import member_of
from archatlas.verification.teaching import largest_network
from archatlas.verification.winners import entrants_of


@dataclass(frozen=True)
class Timed:
    """Seconds of an image forward and backward.

    Attributes:
        macs: of each entrant, by its name.
        entrants: seconds of each, in their order.
        teachers: the same of those that may teach.
    """

    macs: Mapping[str, float]
    entrants: Sequence[float]
    teachers: Sequence[float]

    def on_a_quiet_machine(self, load: float) -> Timed:
        """The same of a machine on which all is faster by the factor ``load``."""
        entrants, teachers = ([seconds / load for seconds in of] for of in (self.entrants, self.teachers))
        return Timed(self.macs, entrants, teachers)


def time_entrants(
    winners: Sequence[dict[str, Any]],
    space: SearchSpace,
    sharing: Sharing,
    device: DeviceParameters,
    *,
    with_teachers: bool,
) -> Timed:
    """Time what is trained on for each winner that was found, by as many workers as will train, and so many images.

    The largest network for each size of images is timed ``with_teachers``.
    """
    entrants = [entrant for document in winners for entrant in entrants_of(document, sharing.contenders)]
    macs = {entrant["architecture"]: float(entrant["macs"]) for entrant in entrants}
    members = [member_of(space, name) for name in macs]
    sizes = {one.space.input_shape[-1] for one in members} if with_teachers else set()
    teachers = [largest_network(space, size, 0) for size in sorted(sizes)]
    networks = [(one.space, one.network) for one in members] + [(one.space, one.network) for one in teachers]
    seconds = training_seconds(networks, device, sharing.share)
    return Timed(macs, seconds[: len(macs)], seconds[len(macs) :])
