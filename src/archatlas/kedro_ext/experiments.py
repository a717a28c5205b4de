"""The newest finished run of every experiment, by its manifest."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError


class ExperimentsDataset(AbstractDataset[None, dict[str, Any]]):
    """Manifests by experiment: of each the newest of a finished run that names all of ``outputs``.

    Paths of outputs come out absolute. Manifests are those of :class:`archatlas.kedro_ext.manifest.ManifestHook`.

    Args:
        filepath: of the versioned manifests, with one ``*`` for the experiment: ``data/reporting/*/manifest.json``
        outputs: data sets that whoever loads this reads from the paths in the manifests; :meth:`artifact_paths` lists
            their files
        metadata: not used here
    """

    def __init__(self, *, filepath: str, outputs: Sequence[str] = (), metadata: dict[str, Any] | None = None) -> None:
        above, star, below = filepath.partition("*")
        if not star or "*" in below:
            raise DatasetError(f"`filepath` of experiments needs one `*`, for their names, but is {filepath}")
        self._filepath = filepath
        self._above, self._below = Path(above), below.strip("/")
        self._outputs = tuple(outputs)
        self.metadata = metadata

    def load(self) -> dict[str, Any]:
        return {name: manifest for name, (_, manifest) in self._newest().items()}

    def save(self, data: None) -> None:
        raise DatasetError("experiments are an input only: each run writes its own manifest")

    def artifact_paths(self) -> list[Path]:
        """Files whose content is all that depends on: the manifests, and the files of ``outputs`` that are there."""
        files = []
        for file, manifest in self._newest().values():
            outputs = _outputs(manifest)
            files += [file, *(Path(outputs[name]["path"]) for name in self._outputs)]
        return [file for file in files if file.exists()]

    def _newest(self) -> dict[str, tuple[Path, dict[str, Any]]]:
        folders = sorted(self._above.glob(f"*/{self._below}"))
        found = {folder.relative_to(self._above).parts[0]: next(self._usable(folder), None) for folder in folders}
        return {name: one for name, one in found.items() if one is not None}

    def _usable(self, folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
        for file in sorted(folder.glob(f"*/{folder.name}"), reverse=True):
            try:
                manifest = json.loads(file.read_text())
                if manifest["status"] == "finished" and set(self._outputs) <= set(_outputs(manifest)):
                    yield file, _with_absolute_paths(manifest, file)
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                raise DatasetError(
                    f"{file} is damaged: it is not the manifest that a run wrote ({type(error).__name__}: {error}). "
                    "Delete it: the run before it, or the next one, is then taken."
                ) from error

    def _exists(self) -> bool:
        return bool(self._newest())

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "outputs": self._outputs}


def _outputs(manifest: dict[str, Any]) -> dict[str, Any]:
    return {name: output for node in manifest["nodes"].values() for name, output in node["outputs"].items()}


def _with_absolute_paths(manifest: dict[str, Any], file: Path) -> dict[str, Any]:
    """Paths in a manifest are as seen from the project: the folder from which ``path`` leads to the manifest itself."""
    own = Path(manifest["path"])
    project = Path() if own.is_absolute() else file.absolute().parents[len(own.parts) - 1]
    for output in (output for node in manifest["nodes"].values() for output in node["outputs"].values()):
        output["path"] = str(project / output["path"])
    return manifest
