"""Letters between tasks and the process that sent them, which cannot be called: an actor that both can reach."""

from __future__ import annotations

import asyncio
from typing import Any, TypeAlias

Letter: TypeAlias = tuple[int, str, tuple[Any, ...]]
"""Number of the task that wrote it, what it asks to be done, and with what."""


class Post:
    """Keeps letters until they are fetched, and questions until they are answered; runs as an actor.

    Where it dies and is started anew, Ray calls again what was under way: questions are asked again, under the same
    name. Letters that nobody had fetched are lost; none of them holds a result.
    """

    def __init__(self) -> None:
        self._letters: list[Letter] = []
        self._questions: dict[str, asyncio.Future[Any]] = {}
        self._there = asyncio.Event()

    async def send(self, letter: Letter) -> None:
        """Keep a letter."""
        self._letters.append(letter)
        self._there.set()

    async def ask(self, name: str, letter: Letter) -> Any:
        """Keep a letter that is answered under this name, and give the answer."""
        number, what, about = letter
        answer = self._questions.setdefault(name, asyncio.get_running_loop().create_future())
        await self.send((number, what, (name, *about)))
        try:
            return await answer
        finally:
            self._questions.pop(name, None)

    async def answer(self, name: str, answer: Any) -> None:
        """Answer a question; one that nobody asks any more is passed over."""
        waiting = self._questions.get(name)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    async def fetch(self) -> list[Letter]:
        """All letters that came since the last call, in their order; waits for the first one."""
        await self._there.wait()
        self._there.clear()
        letters, self._letters = self._letters, []
        return letters
