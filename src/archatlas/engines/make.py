"""The engine that parameters ask for. Imported by what starts a run alone: no node's code reaches another engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from archatlas.engines.engine import using
from archatlas.engines.parameters import EngineParameters


@contextmanager
def working_on(parameters: EngineParameters) -> Iterator[None]:
    """Have tasks run as ``parameters`` say within the block; the cluster is left afterwards.

    Raises ArchatlasError where that cannot be: before the block where Ray is not installed or its cluster does not
    answer, has no room for a task, or has machines that are not like this one. ::

        with working_on(EngineParameters(name="ray", address="auto")):
            table = trainings.run(jobs)
    """
    if parameters.name == "local":
        yield
        return
    from archatlas.engines.ray.engine import RayEngine

    engine = RayEngine(parameters)
    try:
        engine.connect()
        with using(engine):
            yield
    finally:
        engine.close()
