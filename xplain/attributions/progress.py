"""Progress that a caller asks to be shown: a bar by tqdm where it is installed, else a line."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from xplain.attributions.engine.session import Progress

#: Seconds between two pictures of the bar: for people who watch, and for a file that keeps each.
_SECONDS = {True: 0.1, False: 10.0}


@contextmanager
def shown(progress: bool | Progress | None) -> Iterator[Progress | None]:
    """Yield what to call with (evaluations done, evaluations planned); None where nobody asks for it.

    Parameters
    ----------
    progress : bool or callable, optional
        True shows it on standard error; a callable is yielded as it is.
    """
    if not isinstance(progress, bool):
        yield progress
        return
    if not progress:
        yield None
        return
    bar = _bar()
    try:
        yield _Shown(bar)
    finally:
        bar.close()


class _Shown:
    """Moves a bar; what is planned grows on the way, and begins anew with each text, recording or photo of some."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._before = self._last = 0

    def __call__(self, done: int, total: int) -> None:
        if done < self._last:
            self._before += self._last
        self._last = done
        self._bar.total = self._before + total
        self._bar.update(self._before + done - self._bar.n)


def _bar() -> Any:
    is_watched = sys.stderr is not None and (sys.stderr.isatty() or "ipykernel" in sys.modules)
    try:
        tqdm = importlib.import_module("tqdm.auto").tqdm
    except ImportError:
        return _Line()
    return tqdm(total=0, unit="evaluation", mininterval=_SECONDS[is_watched])


class _Line:
    """What tqdm would show, in short, at the end."""

    def __init__(self) -> None:
        self.total = self.n = 0

    def update(self, count: int) -> None:
        """Count evaluations."""
        self.n += count

    def close(self) -> None:
        """Show the line."""
        print(f"{self.n}/{self.total} evaluations", file=sys.stderr)
