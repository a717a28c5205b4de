"""Tasks on all machines of a Ray cluster. This process hands them out, and it alone writes files.

Ray does the scheduling, carries what is large and tells of deaths. Tasks are sent again from here, not by Ray: so it
can be counted and told of, and a task goes on from what it left in the work store. Where workers have nothing left to
do, they are sent what others take far longer for than usual, and who is first counts: a slow machine holds nobody up.
"""

from __future__ import annotations

import logging
import pickle
import platform
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from archatlas.engines.engine import Shares
from archatlas.engines.parameters import EngineParameters
from archatlas.engines.ray import cluster
from archatlas.engines.ray.identity import identity
from archatlas.engines.ray.post import Letter, Post
from archatlas.engines.ray.task import Ended, Order, OtherCodeError, run
from archatlas.errors import ArchatlasError
from archatlas.storage.keeper import keeper

Result = TypeVar("Result")

_log = logging.getLogger(__name__)
_PACKAGE = __name__.partition(".")[0]

_NONE_LEFT = object()
_WAITING = 2
"""Tasks that are sent for each that runs: the next one is there when a worker is free."""
_HEAD_SECONDS = 5.0
"""After so long it is looked whether the machine that the cluster began with answers."""
_LOOK_SECONDS = 30.0
"""After so long without any news it is looked whether there is a machine left."""
_END_SECONDS = 5.0
_SLOW_TIMES, _SLOW_SECONDS = 3.0, 5.0
"""A task is slow that takes so many times the median of those that have ended, and so much more."""
_LETTER_SECONDS = 10.0
"""So long the last letters of a task that has ended are waited for."""


class RayEngine:
    """Tasks on a cluster, which this process connects to when it first needs it; to be closed.

    Raises ArchatlasError where Ray is not installed; where the cluster does not answer, has no room for a task, or has
    machines without the same package, when it connects.
    """

    def __init__(self, parameters: EngineParameters) -> None:
        cluster.require_ray(parameters)
        self._parameters = parameters
        self.head: cluster.Head
        self._post: Any = None
        self._run: Any = None
        self._leaves = False
        self._numbers = 0
        self._unheard: set[int] = set()
        self._fetching: Any = None

    @property
    def accelerator(self) -> Literal["cpu", "cuda"]:
        return "cuda" if self._parameters.gpus_per_task else "cpu"

    def connect(self) -> None:
        """Find the cluster and look at its machines; if that is done, see that it is still there."""
        if self._post is not None:
            self.head.wait()
            return
        import ray

        self._leaves = cluster.connect(self._parameters.address)
        self.head = cluster.Head(self._parameters.address)
        try:
            cluster.require_room(self._parameters)
            cluster.require_alike()
            kept: dict[str, Any] = {
                "num_cpus": 0,
                "max_restarts": -1,
                "max_task_retries": -1,
                "max_concurrency": 10_000,
            }
            self._post = ray.remote(Post).options(**kept, **_beside_this()).remote()
        except BaseException:
            self.close()
            raise
        # Once: it is carried to the machines for each time that it is made.
        self._run = ray.remote(**_remote_options(self._parameters.gpus_per_task))(run)
        nodes = cluster.machines()
        _log.info(
            "%d machine%s of a Ray cluster with room for %d tasks",
            len(nodes), "s" * (len(nodes) > 1), self._room(self._parameters.cpus_per_task),
        )  # fmt: skip

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        import ray

        post, fetching, self._post, self._fetching = self._post, self._fetching, None, None
        if fetching is not None and ray.is_initialized():
            # It ends once nobody holds it; a call that is under way would be told of as failed.
            with suppress(Exception):  # It may be gone with the cluster.
                ray.get([post.send.remote((0, "end", ())), fetching], timeout=_END_SECONDS)
        del post, fetching
        if self._leaves:
            self._leaves = False
            ray.shutdown()

    def shares(self, jobs: int, *, threads: int | None) -> Shares:
        self.connect()
        threads = self._parameters.cpus_per_task if threads is None else threads
        if threads > self._parameters.cpus_per_task:
            cluster.require_processes(threads)
        return Shares(max(1, min(jobs, self._room(threads))), threads)

    def _room(self, cpus: int) -> int:
        most = cluster.room(cpus, self._parameters.gpus_per_task)
        return min(most, self._parameters.workers or most)

    @contextmanager
    def side_by_side(
        self, function: Callable[..., Result], jobs: Iterable[Any], given: tuple[Any, ...], shares: Shares
    ) -> Iterator[Iterator[Result]]:
        self.connect()
        work = _Work(self, function, given, shares)
        try:
            yield work.results(iter(jobs))
        finally:
            work.cancel()

    def drop(self, number: int, reference: Any) -> None:
        """End a task that nobody waits for any more, and its worker; what it still writes is not read.

        An exception in the task alone might come while it imports something, and leave half of that to the next task.
        """
        import ray

        self._unheard.add(number)
        with suppress(Exception):  # The cluster may be gone.
            ray.cancel(reference, force=True)

    def send(self, work: bytes, given: Any, threads: int) -> tuple[int, Any]:
        """Send a task: its number, and Ray's reference of what will become of it."""
        self._numbers += 1
        level = logging.getLogger(_PACKAGE).getEffectiveLevel()
        gpus = self._parameters.gpus_per_task
        order = Order(self._numbers, work, threads, gpus > 0, level, identity(), platform.node())
        # Not sent again by Ray.
        how: dict[str, Any] = {"num_cpus": max(1, threads), "max_retries": 0, "name": _PACKAGE}
        return self._numbers, self._run.options(**how).remote(order, [given], self._post)

    @property
    def fetching(self) -> Any:
        """Reference of the letters that come next."""
        if self._fetching is None:
            self._fetching = self._post.fetch.remote()
        return self._fetching

    def deal_with_letters(self) -> list[int]:
        """Do what the next letters ask for, and wait for them if there are none; the numbers of who wrote them."""
        import ray

        reference, self._fetching = self.fetching, None
        letters: list[Letter] = ray.get(reference)
        for letter in letters:
            if letter[0] not in self._unheard:
                self._deal_with(letter)
        return [number for number, _, _ in letters]

    def _deal_with(self, letter: Letter) -> None:
        _, what, about = letter
        if what == "log":
            name, level, told = about
            logging.getLogger(name).log(level, "%s", told)
        elif what == "write":
            keeper().write(*about)
        elif what == "discard":
            keeper().discard(*about)
        else:
            name, path = about
            self._post.answer.remote(name, _found(what, path))


def _remote_options(gpus: float) -> dict[str, Any]:
    """With GPUs, each task has a process of its own: one that goes on would keep the first GPU that it was given."""
    return {"num_gpus": gpus, "max_calls": 1} if gpus else {"num_gpus": 0}


def _found(what: str, path: Path) -> Any:
    try:
        return keeper().read(path) if what == "read" else keeper().names(path)
    except OSError as error:
        return error


def _beside_this() -> dict[str, Any]:
    """Where this process is in the cluster: on its machine, if there is room."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    if ray.util.client.ray.is_connected():  # type: ignore[no-untyped-call]
        return {}
    here = ray.get_runtime_context().get_node_id()
    return {"scheduling_strategy": NodeAffinitySchedulingStrategy(here, soft=True)}


@dataclass(frozen=True)
class _Sent:
    """A task that was sent.

    Attributes:
        number: of this sending.
        job: place of its job among all.
        work: function and job, pickled.
        before: how often its worker has died before.
        when: on this process's clock.
    """

    number: int
    job: int
    work: bytes
    before: int
    when: float


class _Work:
    """The tasks of one call."""

    def __init__(self, engine: RayEngine, function: Callable[..., Any], given: tuple[Any, ...], shares: Shares) -> None:
        import ray

        self._engine, self._function, self._shares = engine, function, shares
        self._given = ray.put(given)
        self._sent: dict[Any, _Sent] = {}
        self._letters: Counter[int] = Counter()
        self._seconds: list[float] = []
        self._news = self._looked = time.monotonic()

    def results(self, jobs: Iterator[Any]) -> Iterator[Any]:
        """Results as they come; only so many jobs are taken as can be sent."""
        numbered, more = enumerate(jobs), True
        while True:
            while more and len(self._sent) < self._most:
                number, job = next(numbered, (0, _NONE_LEFT))
                more = job is not _NONE_LEFT
                if more:
                    self._send(number, self._pickled(job), 0)
            if not self._sent:
                return
            for reference in self._ready(idle=not more and len(self._sent) < self._shares.workers):
                sent = self._sent.pop(reference, None)  # None: another was first, a moment ago.
                ended = None if sent is None else self._ended(reference, sent)
                del reference  # The last one: its bytes leave the object store.
                if sent is not None and ended is not None:
                    self._drop_others(sent.job)
                    self._hear_out(sent.number, ended.letters)
                    self._seconds.append(ended.seconds)
                    yield _result(ended)

    @property
    def _most(self) -> int:
        limit = self._engine._parameters.workers
        return self._shares.workers if limit is not None else _WAITING * self._shares.workers

    def _pickled(self, job: Any) -> bytes:
        from ray import cloudpickle

        content: bytes = cloudpickle.dumps((self._function, job), protocol=5)  # type: ignore[no-untyped-call]
        return content

    def _send(self, job: int, work: bytes, before: int) -> None:
        number, reference = self._engine.send(work, self._given, self._shares.threads)
        self._sent[reference] = _Sent(number, job, work, before, time.monotonic())

    def _ready(self, idle: bool) -> list[Any]:
        """Tasks that have ended, one at least; letters are dealt with meanwhile, and slow tasks if workers are idle."""
        import ray

        while True:
            if idle:
                self._send_slow_ones_twice()
            self._look_at_head()
            with self._engine.head.blamed():
                fetching, patience = self._engine.fetching, _SLOW_SECONDS if idle and self._seconds else _HEAD_SECONDS
                ready, _ = ray.wait([fetching, *self._sent], num_returns=1, timeout=patience)
                if ready:
                    self._news = time.monotonic()
                elif time.monotonic() - self._news >= _LOOK_SECONDS and self._engine.head.look():
                    self._look()
                ended, _ = ray.wait([fetching, *self._sent], num_returns=1 + len(self._sent), timeout=0)
                if fetching in ended:
                    self._letters.update(self._engine.deal_with_letters())
            ended = [reference for reference in ended if reference is not fetching and reference in self._sent]
            if ended:
                return ended

    def _look_at_head(self) -> None:
        if time.monotonic() - self._looked >= _HEAD_SECONDS:
            self._looked = time.monotonic()
            self._engine.head.look()

    def _send_slow_ones_twice(self) -> None:
        """To other workers too: those that take far longer than what has ended, as many as there is room for."""
        if not self._seconds:
            return
        late = time.monotonic() - (statistics.median(self._seconds) * _SLOW_TIMES + _SLOW_SECONDS)
        times = Counter(sent.job for sent in self._sent.values())
        slow = [sent for sent in self._sent.values() if sent.when < late and times[sent.job] == 1]
        for sent in slow[: max(0, self._shares.workers - len(self._sent))]:
            _log.info("a task takes far longer than others: it is sent to another worker too, and the first one counts")
            self._send(sent.job, sent.work, sent.before)

    def _drop_others(self, job: int) -> None:
        """End what was sent twice, once one of both has ended."""
        for reference in [reference for reference, sent in self._sent.items() if sent.job == job]:
            self._engine.drop(self._sent.pop(reference).number, reference)

    def _look(self) -> None:
        self._news = time.monotonic()
        if cluster.room(max(1, self._shares.threads), self._engine._parameters.gpus_per_task) == 0:
            _log.warning("no machine of the cluster is left that has room for a task: waiting until one joins")

    def _ended(self, reference: Any, sent: _Sent) -> Ended | None:
        """What became of a task; None if its worker died and it was sent again."""
        import ray
        from ray import exceptions

        died = (
            exceptions.WorkerCrashedError,
            exceptions.NodeDiedError,
            exceptions.LocalRayletDiedError,
            exceptions.OutOfMemoryError,
            exceptions.ObjectLostError,
        )
        try:
            ended: Ended = ray.get(reference)
        except died as error:
            self._engine.head.wait()  # With that machine all would be lost, and no task be sent again.
            if any(other.job == sent.job for other in self._sent.values()):
                return None  # It was sent twice, and the other is under way.
            how = _manner_of(error)
            most = self._engine._parameters.max_retries
            if sent.before >= most:
                raise ArchatlasError(_given_up(how, sent.before + 1, most)) from error
            _log.warning("%s: its task is sent again (%d of %d)", how, sent.before + 1, most)
            self._send(sent.job, sent.work, sent.before + 1)
            return None
        except exceptions.RayTaskError as error:
            raise ArchatlasError(
                f"a machine of the cluster cannot run a task of this version of archatlas: {error.cause or error}"
            ) from error
        return ended

    def _hear_out(self, number: int, count: int) -> None:
        """Wait for the last letters of a task that has ended: what it left in the work store comes first."""
        import ray

        while self._letters[number] < count:
            arrived, _ = ray.wait([self._engine.fetching], timeout=_LETTER_SECONDS)
            if not arrived:
                _log.warning("what a task wrote last has been lost with a machine; its result has not")
                break
            self._letters.update(self._engine.deal_with_letters())
        del self._letters[number]

    def cancel(self) -> None:
        """End all tasks that have not ended."""
        while self._sent:
            reference, sent = self._sent.popitem()
            self._engine.drop(sent.number, reference)


def _manner_of(error: Exception) -> str:
    from ray import exceptions

    if isinstance(error, exceptions.OutOfMemoryError):
        return "memory ran out on a machine of the cluster, and a worker was killed"
    if isinstance(error, exceptions.NodeDiedError | exceptions.ObjectLostError):
        return "a machine of the cluster was lost"
    return "a worker of the cluster was killed"


def _given_up(how: str, times: int, most: int) -> str:
    return (
        f"{how}, the {_nth(times)} time for the same task (`engine.max_retries` is {most}), mostly a sign that memory "
        "runs out: set `engine.workers` lower or `engine.cpus_per_task` higher, so that fewer tasks share a machine, "
        "and run the same command again. What was finished is kept."
    )


def _nth(number: int) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(number, f"{number}th")


class _RemoteTraceback(Exception):  # noqa: N818 (a note, as joblib and concurrent.futures have one)
    """Where an exception was raised on another machine."""


def _result(ended: Ended) -> Any:
    value = pickle.loads(ended.result)
    if ended.failed is None:
        return value
    if isinstance(value, OtherCodeError):
        raise ArchatlasError(str(value)) from value
    raise value from _RemoteTraceback(f"\n{ended.failed}")
