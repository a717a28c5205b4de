"""What the names of node features tell: ``operation_<name>`` marks nodes of that operation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_OPERATION = "operation_"
_IDENTITIES = ("skip", "identity")
_ENDS = ("input", "output")


@dataclass(frozen=True)
class OperationColumns:
    """Which node features say what a node computes.

    Attributes:
        operations: features that say which operation a node has; none: all nodes have one and the same
        identities: of each operation, whether it passes on what it gets
        conditions: features that say what else is known of a node
    """

    operations: tuple[int, ...]
    identities: tuple[bool, ...]
    conditions: tuple[int, ...]

    @classmethod
    def of(cls, names: Sequence[str]) -> OperationColumns:
        """From names of features, as ``space.graph_features`` gives them."""
        operations = tuple(number for number, name in enumerate(names) if name.startswith(_OPERATION))
        identities = tuple(any(word in names[number] for word in _IDENTITIES) for number in operations)
        known = {*operations, *(number for number, name in enumerate(names) if name in _ENDS)}
        return cls(operations, identities, tuple(number for number in range(len(names)) if number not in known))

    @property
    def maps(self) -> int:
        """How many maps a direction has."""
        return max(len(self.operations), 1)
