"""What a run happened on: the commit of its code, the versions of its libraries, the machine."""

from __future__ import annotations

import os
import platform
import re
import socket
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil


def git_state(folder: Path) -> dict[str, Any]:
    """Commit, whether there are uncommitted changes, and branch; each None where there is no git or no repository."""
    unknown = {"commit": None, "dirty": None, "branch": None}
    command = ["git", "-C", str(folder), "status", "--porcelain=v2", "--branch"]
    try:
        # Without GIT_OPTIONAL_LOCKS=0, looking would write to the index, and could be in the way of a commit.
        environment = os.environ | {"GIT_OPTIONAL_LOCKS": "0"}
        answer = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True, env=environment)
    except (OSError, subprocess.SubprocessError):
        return unknown
    lines = answer.stdout.splitlines()
    headers = dict(line[2:].split(" ", 1) for line in lines if line.startswith("# "))
    commit, branch = headers.get("branch.oid"), headers.get("branch.head")
    return {
        "commit": None if commit == "(initial)" else commit,
        "dirty": any(not line.startswith("#") for line in lines),
        "branch": None if branch == "(detached)" else branch,
    }


def library_versions(distribution: str) -> dict[str, str]:
    """Installed versions of a distribution and of what it depends on, without its extras; {} if it is not installed."""
    try:
        required = metadata.requires(distribution) or []
    except metadata.PackageNotFoundError:
        return {}
    names = [distribution]
    for requirement in required:
        start = re.match(r"[A-Za-z0-9._-]+", requirement)
        if start and not re.search(r";.*\bextra\s*==", requirement):
            names.append(start.group())
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # A requirement of another system.
            continue
    return found


def hardware() -> dict[str, Any]:
    """The machine's name, system, processor, usable cores and memory, and the GPUs that PyTorch is using."""
    from joblib import cpu_count

    return {
        "host": socket.gethostname(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _processor(),
        "cores": cpu_count(),
        "memory_mib": psutil.virtual_memory().total // 2**20,
        "gpus": gpus_in_use(),
    }


def gpus_in_use() -> list[str]:
    """Names of the GPUs, if this process has made use of one: to ask earlier would take memory on each."""
    torch: Any = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "cuda") or not torch.cuda.is_initialized():
        return []
    return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]


def _processor() -> str:
    """The processor's name where the system tells, else its architecture."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
