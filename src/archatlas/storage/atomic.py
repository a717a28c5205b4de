"""Files that are either whole or not there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; when the block ends well, flush it to disk and rename it to ``path``.

    A reader sees the old file or the new one, never half of one. If the block raises, ``path`` is left as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not tempfile: its files could be read by nobody else, and what is renamed keeps its mode.
    temporary = path.parent / f".{path.name}.{uuid4().hex}.partial"
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
