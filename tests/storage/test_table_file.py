from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from archatlas.storage import table_file
from archatlas.storage.table_file import TableFile, parts_of

TABLE = pd.DataFrame({"network": [f"n{row}" for row in range(10)], "macs": np.arange(10), "score": np.arange(10) / 7})


def written(table: pd.DataFrame, path: Path, rows: int) -> TableFile:
    pq.write_table(pa.Table.from_pandas(table, preserve_index=False), path, row_group_size=rows)
    return TableFile(path)


def test_columns_are_those_of_the_table(tmp_path: Path) -> None:
    file = written(TABLE, tmp_path / "t.parquet", 3)
    assert len(file) == 10
    assert not file.empty
    assert file.columns == ["network", "macs", "score"]
    assert "macs" in file
    assert "params" not in file
    pd.testing.assert_series_equal(file["score"], TABLE["score"])
    pd.testing.assert_frame_equal(file.table(), TABLE)
    with pytest.raises(KeyError, match="params"):
        file["params"]


@pytest.mark.parametrize(("most", "lengths"), [(100, [10]), (6, [6, 4]), (7, [6, 4]), (1, [3, 3, 3, 1])])
def test_parts_are_whole_row_groups_in_their_order(
    tmp_path: Path, most: int, lengths: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_file, "_PART", most)
    parts = list(parts_of(written(TABLE, tmp_path / "t.parquet", 3)))
    assert [len(part) for part in parts] == lengths
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), TABLE)


def test_an_empty_table_and_one_in_memory_are_one_part(tmp_path: Path) -> None:
    (empty,) = parts_of(written(TABLE[:0], tmp_path / "t.parquet", 3))
    pd.testing.assert_frame_equal(empty, TABLE[:0])
    (whole,) = parts_of(TABLE)
    assert whole is TABLE
