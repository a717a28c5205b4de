from __future__ import annotations

import subprocess
import sys

import pytest

# Page faults while a block of 48 MiB is asked for, filled and freed, again and again.
PROGRAM = """
import resource, sys
import torch
from archatlas.training.memory import keep_freed_memory

if sys.argv[1] == "kept":
    keep_freed_memory()
    keep_freed_memory()
def use():
    torch.ones(12 * 2**20)
for _ in range(10):
    use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(way: str) -> int:
    run = subprocess.run([sys.executable, "-c", PROGRAM, way], capture_output=True, text=True, check=True)
    return int(run.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="an option of glibc's allocator")
def test_memory_that_was_freed_is_used_again_without_asking_the_system() -> None:
    assert 4 * faults("kept") < faults("freed")
