"""Whose a running trial is, and whether its owner still lives."""

from __future__ import annotations

import json
import os
import socket
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import optuna


def process_id() -> str:
    """The running process, in words that another can check: host, number and start."""
    return json.dumps({"host": socket.gethostname(), "pid": os.getpid(), "started": _started(os.getpid())})


def _started(pid: int) -> str:
    """When a process began, where the system says so (Linux), to tell a process from a later one with its number."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def discard_abandoned(study: optuna.Study) -> int:
    """Mark trials left running by a dead process of this machine as failed; returns how many.

    This process has no trial yet, so a trial of its own number is from before. A trial that does not say whose it is
    was left within an instant of its birth: it is failed once it is a minute old. Trials of other machines are left
    alone.
    """
    from optuna.trial import TrialState

    abandoned = 0
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if _is_abandoned(trial):
            study.tell(trial.number, state=TrialState.FAIL)
            abandoned += 1
    return abandoned


def _is_abandoned(trial: optuna.trial.FrozenTrial) -> bool:
    if "process" not in trial.user_attrs:
        return trial.datetime_start is None or datetime.now() - trial.datetime_start > timedelta(minutes=1)
    owner = json.loads(trial.user_attrs["process"])
    if owner["host"] != socket.gethostname():
        return False
    if owner["pid"] == os.getpid():
        return True
    try:
        os.kill(owner["pid"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return bool(owner["started"] != _started(owner["pid"]))
