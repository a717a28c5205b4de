"""Files and folders that are either whole or not there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; when the block ends well, flush it to disk and rename it to ``path``.

    A reader sees the old file or the new one, never half of one, also after a crash. If the block raises, nothing is
    left but what was there; a process killed at once leaves ``.<name>.<hex>.partial`` beside ``path``.
    """
    with _beside(path) as temporary:
        yield temporary
        _flush(temporary)
        os.replace(temporary, path)
        _flush(path.parent)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder beside ``path``; when the block ends well, flush all in it and rename it.

    ``path`` must not exist (FileExistsError): a folder that holds something cannot be replaced in one step, so that
    whoever wants a newer one gives it another path. Otherwise as :func:`atomic_path`.
    """
    if path.exists():
        raise FileExistsError(f"{path} is there already, and a folder cannot be replaced in one step")
    with _beside(path) as temporary:
        temporary.mkdir()
        yield temporary
        for folder, _, files in os.walk(temporary):
            for file in files:
                _flush(Path(folder, file))
            _flush(Path(folder))
        os.rename(temporary, path)
        _flush(path.parent)


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A free path in the folder of ``path``, which is made; after an exception, all that is new is removed."""
    made = [folder for folder in path.parents if not folder.exists()]
    # Not tempfile: its files could be read by nobody else, and what is renamed keeps its mode.
    temporary = path.parent / f".{path.name}.{uuid4().hex}.partial"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for folder in made:
            _flush(folder.parent)
        yield temporary
    except BaseException as error:
        error.add_note(f"while writing {path}")  # A full disk does not say which file there was no space for.
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        with suppress(OSError):  # It was a folder, was not made yet, or could not be; the first error is what counts.
            temporary.unlink()
        for folder in made:
            with suppress(OSError):  # Somebody else has put something into it.
                folder.rmdir()
        raise


def _flush(path: Path) -> None:
    """Have the content of a file, or the names in a folder, on the disk: what was renamed is durable only then."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
