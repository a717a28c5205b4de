from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from archatlas.costs.imported_latency import import_table
from archatlas.costs.latency import latency_tables
from archatlas.costs.latency_columns import LATENCY_TYPES
from archatlas.costs.parameters import LatencyParameters
from archatlas.errors import ArchatlasError

NEEDED = ["part", "position", "choice", "operation", "latency_ms"]


def write(table, tmp_path, name="table.csv"):
    path = tmp_path / name
    table.to_csv(path, index=False) if name.endswith("csv") else table.to_parquet(path, index=False)
    return path


@pytest.mark.parametrize("name", ["table.csv", "table.parquet"])
def test_a_table_comes_back_in_the_order_of_the_space(tiny, timed, tmp_path, name, monkeypatch):
    path = write(timed.sample(frac=1, random_state=0), tmp_path, name)
    imported = import_table(path, tiny)
    assert imported["source"].unique().tolist() == ["imported"]
    assert imported[NEEDED].equals(timed[NEEDED])
    assert {name: str(kind) for name, kind in imported.dtypes.items()} == LATENCY_TYPES
    table, check = latency_tables(tiny, LatencyParameters(source="imported", table=str(path)), seed=0)
    assert table.equals(imported)
    assert check.empty
    monkeypatch.setenv("HOME", str(tmp_path))
    table, _ = latency_tables(tiny, LatencyParameters(source="imported", table=f"~/{name}"), seed=0)
    assert table.equals(imported)


def test_what_the_table_does_not_say_is_marked(tiny, timed, tmp_path):
    imported = import_table(write(timed[NEEDED], tmp_path), tiny)
    assert imported["device"].unique().tolist() == ["unknown"]
    assert imported["batch_size"].unique().tolist() == [0]
    assert imported["latency_upper_quartile_ms"].isna().all()


def _changed(column, row, value):
    def change(table):
        table = table.astype({column: object})
        table.loc[row, column] = value
        return table

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop(index=[3, 12]), r"lacks parts of tiny \(2\): block 0 choice 2, head 4 choice 0"),
        (lambda table: table.iloc[:0], r"lacks parts of tiny \(13\): .* and 8 more"),
        (_changed("position", 12, 9), r"lacks parts of tiny \(1\): head 4 choice 0"),
        (_changed("choice", 1, 2), r"two rows for block 0 choice 2"),
        (_changed("operation", 1, "k7e7"), r"operation of block 0 choice 0 is k7e7 there, but k3e1 here"),
        (_changed("latency_ms", 2, -1.0), r"at least 0, .* but is -1.0 for block 0 choice 1"),
        (_changed("latency_ms", 2, np.nan), r"at least 0, .* but is nan for block 0 choice 1"),
        (_changed("latency_ms", 2, np.inf), r"at least 0, .* but is inf"),
        (_changed("latency_ms", 2, 1e308), r"at most 1e\+06, but is 1e\+308 for block 0 choice 1"),
        (_changed("latency_ms", 2, "fast"), r"latency_ms is 'fast' in row 2, but must be a number"),
        (_changed("choice", 2, 0.5), r"choice is '0\.5' in row 2, but must be a whole number"),
        (_changed("position", 2, None), r"position is 'nan' in row 2, but must be a whole number"),
        (lambda table: table.assign(batch_size=["many"] * len(table)), r"batch_size is 'many' in row 0"),
        (lambda table: table.assign(batch_size=[1] * 12 + [8]), r"mixes several values of batch_size \(1, 8\)"),
        (lambda table: table.assign(device=["a"] * 12 + ["b"]), r"mixes several values of device \(a, b\)"),
        (lambda table: table.drop(columns="operation"), r"lacks the columns \['operation'\]"),
        (_changed("choice", 2, 1e300), r"choice is '1e\+300' in row 2, but must be a whole number"),
        (_changed("choice", 2, True), r"choice is 'True' in row 2, but must be a whole number"),
        (lambda table: table.assign(threads=-2), r"threads is -2, but must be 0 at least"),
        (
            lambda table: table.assign(latency_upper_quartile_ms=np.inf),
            r"latency_upper_quartile_ms must be a number of at least 0, .* but is inf for stem -1 choice 0",
        ),
        (lambda table: table.rename(columns={"operation": "latency_ms"}), "has two columns called latency_ms"),
        (lambda table: table.assign(macs=7), r"macs of stem -1 choice 0 is 7 there"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(tiny, timed, tmp_path, change, message):
    path = write(change(timed[NEEDED].copy()), tmp_path)
    with pytest.raises(ArchatlasError, match=message):
        import_table(path, tiny)


def test_a_table_of_a_larger_space_is_refused(tiny, timed, tmp_path):
    shallow = replace(tiny, stages=tiny.stages[:1])
    with pytest.raises(ArchatlasError, match=r"lacks parts of tiny \(1\): head 2 choice 0"):
        import_table(write(timed, tmp_path), shallow)


def test_what_is_no_table_is_refused(tiny, tmp_path):
    with pytest.raises(ArchatlasError, match="there is no file"):
        import_table(tmp_path / "nowhere.csv", tiny)
    (tmp_path / "table.xlsx").write_text("x")
    with pytest.raises(ArchatlasError, match=r"must be a .csv or .parquet file"):
        import_table(tmp_path / "table.xlsx", tiny)
    (tmp_path / "table.parquet").write_bytes(b"PAR1 truncated")
    with pytest.raises(ArchatlasError, match="cannot be read as a table"):
        import_table(tmp_path / "table.parquet", tiny)


def test_a_column_that_nothing_reads_is_named(tiny, timed, tmp_path, caplog):
    import_table(write(timed.assign(energy_mj=1.0), tmp_path), tiny)
    assert "columns that nothing reads: energy_mj" in caplog.text


def test_a_file_far_larger_than_any_such_table_is_refused_before_it_is_read(tiny, tmp_path):
    rows = pd.DataFrame({"part": np.zeros(200_001, dtype=np.int8)})
    path = write(rows, tmp_path, "huge.parquet")
    assert path.stat().st_size < 100_000
    with pytest.raises(ArchatlasError, match=r"huge\.parquet has more than 100,000 rows, and is no latency table"):
        import_table(path, tiny)


def test_a_row_of_more_values_than_columns_is_refused(tiny, timed, tmp_path):
    path = write(timed, tmp_path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], *(f"more,{line}" for line in lines[1:])]))
    with pytest.raises(ArchatlasError, match=r"table.csv, line 2: 12 values for 11 columns"):
        import_table(path, tiny)


def test_text_and_spelling_of_csv_files_as_spreadsheets_write_them(tiny, timed, tmp_path):
    path = write(timed.assign(device='a "phone", new'), tmp_path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n") + b"\r\n")
    imported = import_table(path, tiny)
    assert imported["device"].unique().tolist() == ['a "phone", new']
    assert imported["latency_ms"].equals(timed["latency_ms"])


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("part", pa.array([["stem"]] * 13), r"the column part must hold numbers or text, not list"),
        ("choice", pa.array([True] * 13), r"the column choice must hold numbers or text, not bool"),
        ("latency_ms", pa.array(range(13), pa.timestamp("ns")), r"latency_ms must hold numbers or text, not timestamp"),
        ("device", pa.array([b"x"] * 13), r"the column device must hold numbers or text, not binary"),
        # Packed to some kilobytes by the dictionary, and to a few by compression.
        ("device", pa.array(["x" * 100_000] * 13), r"has more than 1,000 letters in one text"),
        ("device", pa.array([f"{n}" * 2_000_000 for n in range(10, 23)]), r"16,000,000 bytes when it is unpacked"),
    ],
)
def test_what_a_parquet_file_packs_is_bounded(tiny, timed, tmp_path, column, values, message):
    table = pa.table({name: values if name == column else pa.array(timed[name].tolist()) for name in timed})
    path = tmp_path / "table.parquet"
    pq.write_table(table, path, compression="zstd")
    assert path.stat().st_size < 200_000
    with pytest.raises(ArchatlasError, match=message):
        import_table(path, tiny)


def test_texts_of_a_csv_file_are_bounded_too(tiny, timed, tmp_path):
    letters = {"device": "x" * 1000}
    assert import_table(write(timed.assign(**letters), tmp_path, "table.csv"), tiny)["device"].str.len().eq(1000).all()
    letters["device"] += "x"
    with pytest.raises(ArchatlasError, match=r"table.csv has more than 1,000 letters in one text"):
        import_table(write(timed.assign(**letters), tmp_path, "table.csv"), tiny)


def test_texts_of_a_parquet_file_may_be_categories(tiny, timed, tmp_path):
    kinds = {"part": "category", "device": "category", "operation": "category"}
    assert import_table(write(timed.astype(kinds), tmp_path, "table.parquet"), tiny)[NEEDED].equals(timed[NEEDED])


def test_a_hostile_name_is_shortened(tiny, tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(",".join(["y" * 10_000, "\x1b[2J", *(f"x{number}" for number in range(1000))]))
    with pytest.raises(ArchatlasError, match=r"lacks the columns .* and 982 more") as refused:
        import_table(path, tiny)
    assert len(str(refused.value)) < 700
    assert "\x1b" not in str(refused.value)
