"""The project's commands: ``kedro run`` that answers a user's mistake in one message, and ``kedro clean``."""

from __future__ import annotations

from archatlas.errors import ArchatlasError
from archatlas.kedro_ext.clean import clean_command
from archatlas.kedro_ext.commands import incremental_run, project_group

run = incremental_run(ArchatlasError)
clean = clean_command(manifest="manifest", records="run_records", work_folder="work_folder")
cli = project_group("archatlas", run, clean)
