"""Pipelines that an environment runs where ``kedro run`` is given none.

``conf/<environment>/globals.yml`` may say ``pipelines: name`` (or a list of names): an environment that is made for one
pipeline then needs no ``--pipelines``. Without it, Kedro's ``__default__`` runs as ever.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kedro.config import MissingConfigException
from kedro.framework.project import settings
from kedro.utils import find_kedro_project


def with_default_pipelines(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of ``kedro run`` with the environment's pipelines where the user has named none."""
    given = dict(options)
    if given.get("pipeline") or given.get("pipelines"):
        return given
    return {**given, "pipelines": default_pipelines(given.get("env"), given.get("conf_source"))}


def default_pipelines(env: str | None = None, conf_source: str | None = None) -> list[str]:
    """What the globals of an environment say under ``pipelines``; none where they say nothing.

    ``env`` and ``conf_source`` are those of ``kedro run``: None stands for what Kedro takes then.
    """
    project = find_kedro_project(Path.cwd()) or Path.cwd()
    loader = settings.CONFIG_LOADER_CLASS(
        conf_source=conf_source or str(Path(project) / settings.CONF_SOURCE),
        env=env or os.getenv("KEDRO_ENV"),
        **settings.CONFIG_LOADER_ARGS,
    )
    try:
        named = loader["globals"].get("pipelines")
    except (KeyError, MissingConfigException):
        return []
    return [named] if isinstance(named, str) else [str(name) for name in named or ()]
