"""The project's commands: ``kedro run``, which answers a user's mistake in one message, ``clean`` and ``verify``."""

from __future__ import annotations

from archatlas.errors import ArchatlasError
from archatlas.kedro_ext.clean import clean_command
from archatlas.kedro_ext.commands import incremental_run, project_group
from archatlas.kedro_ext.verify import verify_command

run = incremental_run(ArchatlasError)
clean = clean_command(manifest="manifest", records="run_records", work_folder="work_folder")
verify = verify_command(manifest="manifest", records="run_records", work_folder="work_folder", links="current_results")
cli = project_group("archatlas", run, clean, verify)
