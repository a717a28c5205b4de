import pandas as pd
import pytest
from kedro.io import DatasetError

from archatlas.kedro_ext.datasets import FolderDataset, ParquetStreamDataset


def test_folder_is_made_when_loaded_and_cannot_be_saved(tmp_path):
    dataset = FolderDataset(filepath=str(tmp_path / "a" / "b"))
    assert dataset.load() == tmp_path / "a" / "b"
    assert (tmp_path / "a" / "b").is_dir()
    with pytest.raises(DatasetError, match="input only"):
        dataset.save(tmp_path)


def test_stream_writes_chunk_by_chunk_what_a_whole_frame_writes(tmp_path):
    frame = pd.DataFrame({"network": [f"n{i}" for i in range(10)], "score": range(10)})
    whole = ParquetStreamDataset(filepath=str(tmp_path / "whole.parquet"))
    streamed = ParquetStreamDataset(filepath=str(tmp_path / "streamed.parquet"))
    whole.save(frame)
    streamed.save(frame.iloc[start : start + 3] for start in range(0, 10, 3))
    pd.testing.assert_frame_equal(whole.load(), frame)
    pd.testing.assert_frame_equal(streamed.load(), frame)


def test_a_stream_that_breaks_leaves_the_old_table_and_no_litter(tmp_path):
    dataset = ParquetStreamDataset(filepath=str(tmp_path / "t.parquet"))
    dataset.save(pd.DataFrame({"a": [1]}))

    def chunks():
        yield pd.DataFrame({"a": [2]})
        raise OSError("disk full")

    with pytest.raises(DatasetError, match="disk full"):
        dataset.save(chunks())
    assert dataset.load()["a"].tolist() == [1]
    assert [path.name for path in tmp_path.iterdir()] == ["t.parquet"]


def test_a_stream_without_chunks_is_an_error(tmp_path):
    with pytest.raises(DatasetError, match="no chunk"):
        ParquetStreamDataset(filepath=str(tmp_path / "t.parquet")).save(iter([]))
