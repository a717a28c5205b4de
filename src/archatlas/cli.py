"""The project's commands: ``kedro run`` that answers a user's mistake in one message."""

from __future__ import annotations

from archatlas.errors import ArchatlasError
from archatlas.kedro_ext.commands import project_group, run_with_plain_errors

run = run_with_plain_errors(ArchatlasError)
cli = project_group("archatlas", run)
