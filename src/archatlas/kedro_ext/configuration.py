"""Kedro's configuration, whose mistakes are told by file and line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import yaml
from kedro.config import OmegaConfigLoader
from omegaconf.errors import OmegaConfBaseException

from archatlas.kedro_ext.names import nearest
from archatlas.kedro_ext.versions import relative
from archatlas.kedro_ext.yaml_files import Key, YamlFault, check_entries, lines_of, mapping_in, written_twice


class ConfigurationError(click.ClickException):
    """A mistake in the configuration: the file, the line, and what to do. Every command of Kedro's prints it alone."""


class CheckedConfigLoader(OmegaConfigLoader):
    """Kedro's loader, which reads nothing before all files that it is about to read were checked.

    Set as ``CONFIG_LOADER_CLASS`` in a project's ``settings.py``. The folder of the environment that runs where none is
    named (``conf/local``) may be missing: it holds what is one's own. Raises ConfigurationError.
    """

    def __init__(
        self,
        conf_source: str,
        env: str | None = None,
        *,
        base_env: str | None = None,
        default_run_env: str | None = None,
        **options: Any,
    ) -> None:
        folder = Path(conf_source)
        if folder.is_dir():
            if env and not (folder / env).is_dir():
                known = [inner.name for inner in folder.iterdir() if inner.is_dir() and inner.name[0] not in "._"]
                raise ConfigurationError(f"there is no environment `{env}` in {relative(folder)}{nearest(env, known)}")
            if not env and default_run_env and not (folder / default_run_env).is_dir():
                default_run_env = base_env
        super().__init__(conf_source, env, base_env=base_env, default_run_env=default_run_env, **options)

    def __getitem__(self, key: str) -> dict[str, Any]:
        if key in self or key not in self.config_patterns:
            return self._read(key)
        for environment in self._environments():
            self._check(key, environment)
        return self._read(key)

    def place(self, key: str, name: Key) -> str | None:
        """Where the value that counts of a key such as ``("search", "top_k")`` is set; None if nowhere.

        It is a file and a line, or ``--params``.
        """
        given: Any = self.runtime_params
        for number, part in enumerate(name):
            given = given.get(part) if isinstance(given, dict) else None
            if given is None:
                break
            if number == len(name) - 1:
                return "--params"
        for environment in reversed(self._environments()):
            for file, keys in self._keys(key, environment).items():
                if name in keys:
                    return f"{file}, line {keys[name][0]}"
        return None

    def _read(self, key: str) -> dict[str, Any]:
        try:
            found: dict[str, Any] = super().__getitem__(key)
            return found
        except yaml.YAMLError as error:  # Of what one parser lets pass and another does not.
            raise ConfigurationError(f"the files of {key} cannot be read: {error}") from error
        except OmegaConfBaseException as error:  # A `${...}` that leads nowhere, mostly.
            name = tuple(str(error.full_key or "").split("."))
            place = self.place(key, name) if key in self.config_patterns else None
            where = f"{place}: " if place else ""
            what = (str(error).splitlines() or [""])[0]
            raise ConfigurationError(f"{where}`{'.'.join(name)}` in {key} cannot be worked out: {what}") from error

    def _environments(self) -> list[str]:
        return list(dict.fromkeys([self.base_env, self.env or self.default_run_env]))

    def _check(self, key: str, environment: str) -> None:
        files = self._keys(key, environment)
        if key != "parameters":  # Of these Kedro takes a section from one file alone.
            files = {
                file: {name: (line, False) for name, (line, _) in keys.items() if len(name) == 1}
                for file, keys in files.items()
            }
        twice = [one for one in written_twice(files) if not one[0][0].startswith("_")]
        if twice:
            name, one, other = twice[0]
            more = f" ({len(twice) - 1} more names stand in both)" if len(twice) > 1 else ""
            raise ConfigurationError(
                f"`{'.'.join(name)}` is set twice in one environment: in {one}, and in {other}{more}. Delete one of "
                "the two, or move a file that is no part of the configuration out of the folder."
            )

    def _keys(self, key: str, environment: str) -> dict[str, dict[Key, tuple[int, bool]]]:
        """Keys, with line and kind, of every file of an environment, in the order of the files' names."""
        found = {}
        for path in self._files(key, environment):
            try:
                node = mapping_in(self._fs.cat_file(path.as_posix()))
                if key == "catalog":
                    check_entries(node)
                found[relative(path)] = lines_of(node)
            except YamlFault as fault:
                raise ConfigurationError(f"{relative(path)}, line {fault.line}: {fault}.") from fault
        return found

    def _files(self, key: str, environment: str) -> Iterator[Path]:
        """The files that Kedro reads for a key."""
        folder = self._get_conf_env_path(environment)
        matched = {Path(one) for glob in self.config_patterns[key] for one in self._fs.glob(f"{folder}/{glob}")}
        for path in sorted(matched):
            if self._is_valid_config_path(path) and not (self.ignore_hidden and self._is_hidden(path.as_posix())):
                yield path
