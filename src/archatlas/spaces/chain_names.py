"""How chains are spelled: a token for every position, with separators between positions and between stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from archatlas.errors import ArchatlasError
from archatlas.spaces.chain_parts import Operation, Position
from archatlas.spaces.protocol import Choices, Names

Bytes = NDArray[np.uint8]

_SEPARATORS = ("-", "_")
"""Between positions of a stage, and between stages. A space of one-character tokens uses none."""
_GAP = b" "


@dataclass(frozen=True)
class ChainSpelling:
    """Names of one length, read and written for many architectures at once.

    Attributes:
        tokens: of each position ``[choices, width]``
        offsets: where each position's token begins
        template: a name with its separators, and gaps where the tokens stand
    """

    tokens: tuple[Bytes, ...]
    offsets: tuple[int, ...]
    template: Bytes

    @classmethod
    def of(cls, positions: Sequence[Position], token_of: Mapping[Operation, str]) -> ChainSpelling:
        """ArchatlasError if tokens differ in length."""
        width = max(len(token) for token in token_of.values())
        if any(len(token) != width for token in token_of.values()):
            raise ArchatlasError(f"tokens must have one length, but got {tuple(token_of.values())}")
        tables: list[Bytes] = []
        offsets: list[int] = []
        template = b""
        for index, position in enumerate(positions):
            if index and width > 1:
                template += _SEPARATORS[position.stage != positions[index - 1].stage].encode()
            offsets.append(len(template))
            template += _GAP * width
            tokens = [token_of[operation].encode() for operation in position.operations]
            tables.append(np.frombuffer(b"".join(tokens), dtype=np.uint8).reshape(-1, width))
        return cls(tuple(tables), tuple(offsets), np.frombuffer(template, dtype=np.uint8))

    def names(self, choices: Choices) -> Names:
        """Of rows ``[n, positions]``."""
        text = np.tile(self.template, (len(choices), 1))
        for position, (table, offset) in enumerate(zip(self.tokens, self.offsets, strict=True)):
            text[:, offset : offset + table.shape[1]] = table[choices[:, position]]
        names: Names = np.ascontiguousarray(text).view(f"S{len(self.template)}")[:, 0].astype(np.str_)
        return names

    def parse(self, names: Names) -> Choices:
        """Rows ``[n, positions]``; -1 at positions that cannot be read, everywhere in a name of another form."""
        length = len(self.template)
        text = names.astype(f"U{length}").view(np.uint32).reshape(-1, length)
        choices = np.full((len(names), len(self.tokens)), -1, dtype=np.int8)
        for position, (table, offset) in enumerate(zip(self.tokens, self.offsets, strict=True)):
            part = text[:, offset : offset + table.shape[1]]
            for choice, token in enumerate(table):
                choices[(part == token).all(axis=1), position] = choice
        separators = self.template != ord(_GAP)
        other = (np.char.str_len(names) != length) | (text[:, separators] != self.template[separators]).any(axis=1)
        choices[other] = -1
        return choices
