"""Small models on one thread: more threads cost more than they bring, and sum in another order."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def single_thread() -> Iterator[None]:
    """Inside the block BLAS, OpenMP and torch use one thread, so that results do not depend on how many there are.

    Matrices of some hundred rows are multiplied in less time than it takes to wake a second thread; where another
    process holds that core, waiting for it made a fit thirty times as slow.
    """
    from threadpoolctl import threadpool_limits

    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch is not None else None
    with threadpool_limits(1):
        if torch is not None:
            torch.set_num_threads(1)
        try:
            yield
        finally:
            if torch is not None and before is not None:
                torch.set_num_threads(before)
