"""``kedro run`` whose expected failures end in one message and a non-zero exit instead of a traceback."""

from __future__ import annotations

import copy
import functools
from typing import Any

import click
from kedro.config import MissingConfigException
from kedro.framework.cli.project import run as kedro_run
from kedro.io import DatasetError
from kedro.validation.exceptions import ParameterValidationError

_KEDRO_ERRORS = (DatasetError, MissingConfigException, ParameterValidationError)


def run_with_plain_errors(*expected: type[Exception]) -> click.Command:
    """Kedro's ``run`` command; exceptions of the ``expected`` kinds and Kedro's own print their message alone.

    Set ``--verbose`` on ``kedro`` to see the traceback all the same.
    """
    plain = (*expected, *_KEDRO_ERRORS)
    callback = kedro_run.callback
    assert callback is not None

    @functools.wraps(callback)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return callback(*args, **kwargs)
        except KeyboardInterrupt:
            raise _Interrupted("stopped. Run the same command again: finished parts are kept.") from None
        except Exception as error:
            if isinstance(error, plain) or _is_unknown_name(error):
                raise click.ClickException(_message(error, expected)) from error
            raise

    command = copy.copy(kedro_run)
    command.callback = run
    return command


def project_group(name: str, *commands: click.Command) -> click.Group:
    """A command group as Kedro looks for it in a project's ``cli.py``."""
    group = click.Group(name=name, help="Commands of this project.")
    for command in commands:
        group.add_command(command)
    return group


class _Interrupted(click.ClickException):
    exit_code = 130


def _is_unknown_name(error: Exception) -> bool:
    """Whether Kedro was asked for a pipeline or a node that there is not; it says so with a ValueError."""
    return isinstance(error, ValueError) and (
        "Failed to find the pipeline" in str(error) or "does not contain" in str(error)
    )


def _message(error: BaseException, expected: tuple[type[Exception], ...]) -> str:
    """The message of the deepest expected cause: a data set wraps what its node's stream raised."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, expected):
            return str(cause)
        cause = cause.__cause__ or cause.__context__
    return str(error)
