from __future__ import annotations

import numpy as np

from archatlas.encodings.one_hot import one_hot


def test_one_column_per_position_and_choice() -> None:
    encoded = one_hot(np.array([[0, 2], [1, 0]], dtype=np.int8), (2, 3))
    np.testing.assert_array_equal(encoded, [[1, 0, 0, 0, 1], [0, 1, 1, 0, 0]])
