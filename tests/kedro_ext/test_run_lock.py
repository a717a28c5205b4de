import os
import subprocess
import sys
import time

import pytest
from kedro.io import DatasetError

from archatlas.kedro_ext.run_lock import take_lock

HOLD = """
import sys, time
from pathlib import Path
from archatlas.kedro_ext.run_lock import take_lock
lock = take_lock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def test_second_run_is_told_who_holds_the_folder_and_a_dead_holder_does_not_block(tmp_path, repository):
    environment = os.environ | {"PYTHONPATH": str(repository / "src")}
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True, env=environment
    )
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(DatasetError, match=rf"process {holder.pid} on .* since 20"):
            take_lock(tmp_path)
    finally:
        holder.kill()
        holder.wait()
    deadline = time.monotonic() + 5
    while True:
        try:
            take_lock(tmp_path).release()
            break
        except DatasetError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
