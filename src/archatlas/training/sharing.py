"""One training in several processes, a device each, which share the images of its steps."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import sys
from collections.abc import Callable, Mapping
from functools import partial
from multiprocessing.util import Finalize
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from lightning_fabric import Fabric
from torch.multiprocessing.spawn import ProcessException, ProcessRaisedException

from archatlas.engines.processes import LogFormat, killed_worker, log_format, prepare_worker
from archatlas.images.dataset import ImageSplit
from archatlas.storage.large_arrays import folder_for
from archatlas.training.fabric import meeting_place

Result = TypeVar("Result")

_RESULT = "result"
"""The file, beside those of images, in which the first process leaves what came out."""


def share_out(
    fabric: Fabric,
    processes: int,
    task: Callable[[Fabric, Mapping[str, ImageSplit]], Result],
    splits: Mapping[str, ImageSplit],
) -> Result:
    """What the first of the processes gives, each of which does the task on the same images.

    Images lie in files that each process reads in place, those that other trainings have too in the same ones: what is
    handed over as it is would be copied to memory that they share. What comes out lies in a file too, not in the
    launcher's queue: it waits for the processes before it reads, and they for it once their results are more than a
    pipe holds.

    Raises:
        ArchatlasError: a process was killed.
    """
    _start_as_spawned()
    place = folder_for(sum(split.images.nbytes for split in splits.values() if split.file is None))
    with TemporaryDirectory(prefix="archatlas-", dir=place) as name, meeting_place():
        folder = Path(name)
        files = {split: images.in_file(folder / split) for split, images in splits.items()}
        try:
            fabric.launch(
                partial(_share, task=task, files=files, left=folder / _RESULT, parent=os.getpid(), told=log_format())
            )
        except ProcessException as error:
            # Where one is killed, another may have noticed that it is gone before it was missed here.
            if isinstance(error, ProcessRaisedException) and "Connection closed by peer" not in error.msg:
                raise
            raise killed_worker(processes, "device.devices", "finishing.processes", told=error.msg) from error
        result: Result = pickle.loads((folder / _RESULT).read_bytes())
    return result


def _start_as_spawned() -> None:
    """In a worker of joblib's, have spawned processes told of no other way to start some: they know nothing of its."""
    if multiprocessing.get_start_method(allow_none=True) not in (None, *multiprocessing.get_all_start_methods()):
        multiprocessing.set_start_method("spawn", force=True)


def _share(
    fabric: Fabric,
    task: Callable[[Fabric, Mapping[str, ImageSplit]], Result],
    files: Mapping[str, Path],
    left: Path,
    parent: int,
    told: LogFormat | None,
) -> None:
    """Do the task as one of several processes; the first has ``left`` what came out."""
    prepare_worker(parent, told)
    result = task(fabric, {name: ImageSplit.of_file(file) for name, file in files.items()})
    if fabric.is_global_zero:
        left.write_bytes(pickle.dumps(result))
    fabric.barrier()
    # The last thing, once the launcher has its answer. The group is never taken down: who does so holds Python's lock
    # and waits for a thread of the group, which at times waits for that lock; who ends without is at times aborted.
    Finalize(None, _end, exitpriority=_LAST)


_LAST = -1000
"""Of the priorities of what multiprocessing does before a process ends."""


def _end() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
