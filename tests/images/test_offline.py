from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

READ = """
import sys
from archatlas.images.parameters import ImagesParameters
from archatlas.images.reading import open_records
with open_records(ImagesParameters(source=sys.argv[1], path=sys.argv[2])) as records:
    assert len(records.fetch([0, 1])) == 2
    print(*records.class_names)
"""


def test_images_of_this_machine_are_read_without_a_word_to_others(tmp_path: Path, watched: Any) -> None:
    buffer = io.BytesIO()
    Image.new("L", (4, 4)).save(buffer, "PNG")
    images = [{"bytes": buffer.getvalue(), "path": None}] * 4
    (tmp_path / "images").mkdir()
    pd.DataFrame({"image": images, "label": ["cat", "dog"] * 2}).to_parquet(tmp_path / "images" / "all.parquet")
    done = subprocess.run(
        [sys.executable, "-c", READ, "parquet", str(tmp_path / "images")],
        env=watched.environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.split() == ["cat", "dog"], done.stderr
    assert watched.hosts == set()
