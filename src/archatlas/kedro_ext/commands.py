"""``kedro run`` whose expected failures end in one message and a non-zero exit instead of a traceback."""

from __future__ import annotations

import copy
import functools
import inspect
import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import yaml
from kedro.config import MissingConfigException
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import KedroCliError
from kedro.framework.project import pipelines as registered
from kedro.io import DatasetError
from kedro.utils import load_obj
from kedro.validation.exceptions import ParameterValidationError

from archatlas.kedro_ext.causes import causes
from archatlas.kedro_ext.default_pipelines import with_default_pipelines
from archatlas.kedro_ext.disk_trouble import disk_trouble
from archatlas.kedro_ext.internals import asks_for_nothing
from archatlas.kedro_ext.memory_trouble import memory_trouble
from archatlas.kedro_ext.selection import selected_pipeline
from archatlas.kedro_ext.stop import RunStopped, stoppable
from archatlas.kedro_ext.yaml_files import YamlFault, lines_of, mapping_in

_RUNNER = f"{__package__}.incremental.IncrementalRunner"
_NODES = "kedro.pipeline.node"
_EXPLAIN = "Say node by node whether it would run or its results be used again, and why; run nothing."
_KEDRO_ERRORS = (DatasetError, MissingConfigException, ParameterValidationError)


def run_with_plain_errors(*expected: type[Exception]) -> click.Command:
    """Kedro's ``run`` command, whose foreseeable ends need no traceback.

    Exceptions of the ``expected`` kinds and Kedro's own print their message alone, a full or closed disk says which
    file it was, want of memory what to do (exit code 1), Ctrl-C and SIGTERM say how to go on (130 and 143).
    """
    command = copy.copy(kedro_run)
    command.callback = with_plain_errors(kedro_run.callback, *expected)
    command.params = [_told_by_name(option) for option in kedro_run.params]
    return command


def incremental_run(*expected: type[Exception]) -> click.Command:
    """:func:`run_with_plain_errors` with the incremental runner as its default, and with ``--explain``.

    Where no pipelines are given, those of the environment run (:mod:`archatlas.kedro_ext.default_pipelines`). Names
    that nothing has, of pipelines, nodes, tags, data sets and runners, are told before anything else.
    """

    def run(*, explain: bool, **options: Any) -> Any:
        _check_runner(options)
        options = with_default_pipelines(options)
        selected = selected_pipeline(options, registered)
        if not explain:
            assert kedro_run.callback is not None
            return kedro_run.callback(**options)
        from archatlas.kedro_ext.explain import explain_run

        return explain_run(options, selected)

    command = copy.copy(kedro_run)
    command.callback = with_plain_errors(run, *expected)
    command.params = [_told_by_name(_with_default_runner(option)) for option in kedro_run.params]
    command.params.append(click.Option(["--explain"], is_flag=True, help=_EXPLAIN))
    return command


def _with_default_runner(option: click.Parameter) -> click.Parameter:
    if option.name == "runner":
        option = copy.copy(option)
        option.default = _RUNNER
    return option


def _told_by_name(option: click.Parameter) -> click.Parameter:
    """The option, whose value, where it cannot be read, is refused by the option's name and what is wrong with it.

    Kedro reads ``--params`` and the file of ``--config`` as YAML, and lets the parser's errors out; its own errors of
    options lose their text on the way to the terminal.
    """
    parse = option.callback
    if parse is None:
        return option

    def parsed(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
        try:
            if parameter.name == "config" and value:
                _check_options_file(Path(value), str(context.info_name))
            return parse(context, parameter, value)
        except KedroCliError as error:
            raise click.BadParameter(str(error), context, parameter) from error
        except yaml.YAMLError as error:
            what = getattr(error, "problem", None) or error
            raise click.BadParameter(
                f"`{value}` cannot be read as YAML ({what}): put text that holds brackets or the like in quotes",
                context,
                parameter,
            ) from error

    option = copy.copy(option)
    option.callback = parsed
    return option


def _check_options_file(file: Path, command: str) -> None:
    """Raise click.ClickException where a file of ``--config`` is not as Kedro reads it."""
    try:
        keys = lines_of(mapping_in(file.read_bytes()))
    except YamlFault as fault:
        raise click.ClickException(f"{file}, line {fault.line}: {fault}.") from fault
    if not keys.get((command,), (0, False))[1]:
        raise click.ClickException(f"{file} has no section `{command}`, below which the options must stand")


def _check_runner(options: Mapping[str, Any]) -> None:
    """Raise click.ClickException for a runner that there is not, or is refused, or arguments that it does not take."""
    from kedro.runner import ParallelRunner, ThreadRunner

    name = options.get("runner") or _RUNNER
    try:
        runner = load_obj(name, "kedro.runner")
    except (ImportError, AttributeError, ValueError) as error:
        raise click.ClickException(
            f"--runner: there is no `{name}` ({error}); leave --runner out, or take SequentialRunner"
        ) from error
    if inspect.isclass(runner) and issubclass(runner, ParallelRunner | ThreadRunner):
        raise click.ClickException(
            f"--runner={name} runs nodes side by side, of which no complete manifest can be written, and which would "
            "share the machine with what is timed; nodes that can use several processors do so themselves. Leave "
            "--runner out, or take SequentialRunner."
        )
    given = dict(options.get("runner_params") or {})
    if options.get("is_async"):
        given["is_async"] = True
    try:
        runner(**given)
    except (TypeError, ValueError) as error:
        named = "--async" if options.get("is_async") else "--runner-params"
        raise click.ClickException(f"{named}: {name} does not take this ({error})") from error


def with_plain_errors(callback: Any, *expected: type[Exception]) -> Any:
    """The callback of a command, with what :func:`run_with_plain_errors` says of ``kedro run``."""
    plain = (*expected, *_KEDRO_ERRORS)

    def is_told_here(error: BaseException | None) -> bool:
        return isinstance(error, Exception) and (
            isinstance(error, plain) or _expected_cause(error, expected) is not None or _trouble(error) is not None
        )

    @functools.wraps(callback)
    def command(*args: Any, **kwargs: Any) -> Any:
        try:
            with stoppable(), _not_told_twice(is_told_here):
                return callback(*args, **kwargs)
        except RunStopped as stopped:
            click.echo(stopped, err=True)
            sys.exit(stopped.exit_code)
        except Exception as error:
            cause = _expected_cause(error, expected)
            trouble = None if cause is not None else _trouble(error)
            if trouble is not None:
                raise click.ClickException(trouble) from error
            if isinstance(error, plain) or _is_unknown_name(error):
                raise click.ClickException(str(cause or error)) from error
            raise

    return command


@contextmanager
def _not_told_twice(is_told_here: Callable[[BaseException | None], bool]) -> Iterator[None]:
    """Without the line of Kedro's nodes about an error whose message this command prints itself."""

    def keep(record: logging.LogRecord) -> bool:
        return not is_told_here(sys.exc_info()[1])

    logger = logging.getLogger(_NODES)
    logger.addFilter(keep)
    try:
        yield
    finally:
        logger.removeFilter(keep)


def project_group(name: str, *commands: click.Command) -> click.Group:
    """A command group as Kedro looks for it in a project's ``cli.py``."""
    group = click.Group(name=name, help="Commands of this project.")
    for command in commands:
        group.add_command(command)
    return group


def _is_unknown_name(error: Exception) -> bool:
    """Whether Kedro was asked for a pipeline, nodes or data sets that there are not; it says so with a ValueError."""
    return isinstance(error, ValueError) and asks_for_nothing(error)


def _trouble(error: BaseException) -> str | None:
    """What to say if the machine is behind the error: its disk, its memory."""
    return disk_trouble(error) or memory_trouble(error)


def _expected_cause(error: BaseException, expected: tuple[type[Exception], ...]) -> BaseException | None:
    """The first expected cause of an error: a data set wraps what its node's stream raised."""
    return next((cause for cause in causes(error) if isinstance(cause, expected)), None)
