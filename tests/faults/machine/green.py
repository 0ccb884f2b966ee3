"""Green threads that only a test moves: each runs until it waits, or until the test holds it at a point.

What the house calls a green thread (or, with `ASYNC_MODE=threading`, a real one) is a greenlet here, its locks
and events wait for the scheduler, and time stands still until the test lets it pass. The same calls give the
same run, so that hypothesis can shrink what it found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from greenlet import GreenletExit, getcurrent, greenlet  # type: ignore[import-untyped]

AT_MOST = 20_000
"""Switches in one run of the scheduler; whoever needs more is going in circles."""


@dataclass(eq=False)
class Life:
    """One life of a worker. `gone`: its process has died; what still belonged to it does nothing any more."""

    number: int
    gone: bool = False


@dataclass(eq=False)
class Task:
    """A green thread. `held`: stopped in the middle of its work, until the test lets it go on."""

    name: str
    life: Life
    body: greenlet
    ready: Callable[[], bool] = field(default=lambda: True)
    held: bool = False
    killed: bool = False
    wakes_at: float | None = None


class Green:
    """The scheduler and the time. `now` is in seconds."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.tasks: list[Task] = []
        self._hub = getcurrent()
        self._current: Task | None = None
        self._points_left = 0

    def spawn(self, name: str, life: Life, work: Callable[[], object]) -> Task:
        """A green thread that starts when it is its turn. A dead worker starts nothing."""
        task = Task(name, life, greenlet(lambda: self._live(work), parent=self._hub))
        if not life.gone:
            self.tasks.append(task)
        return task

    def run(self, hold_at: int = 0) -> None:
        """Run what can run, first come first served. `hold_at`: the point (from 1) at which its task is held."""
        self._points_left = hold_at
        for _ in range(AT_MOST):
            task = next((task for task in self.tasks if not task.held and task.ready()), None)
            if task is None:
                return
            self._resume(task)
        raise AssertionError(f"going in circles: {[task.name for task in self.tasks]}")

    def point(self) -> None:
        """A place where other threads may come in between."""
        task = self._current
        if task is None:
            return
        if task.life.gone:
            raise GreenletExit
        if self._points_left:
            self._points_left -= 1
            if not self._points_left:
                task.held = True
                self._wait(task)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Let others run until `condition` holds."""
        task = self._current
        assert task is not None, "only a green thread can wait"
        while not condition():
            if task.life.gone:
                raise GreenletExit
            task.ready = condition
            self._wait(task)

    def sleep(self, seconds: float) -> None:
        wakes_at = self.now + seconds
        task = self._current
        assert task is not None
        task.wakes_at = wakes_at
        self.wait_for(lambda: self.now >= wakes_at)
        task.wakes_at = None

    def kill(self, task: Task) -> None:
        """End a green thread where it waits, as soon as it is its turn."""
        if not task.body and task in self.tasks:
            self.tasks.remove(task)
        task.killed, task.held, task.ready = True, False, lambda: True

    def bury(self, life: Life, doomed: Callable[[Task], bool]) -> None:
        """Take the tasks of a dead worker away, without a line of theirs being run."""
        for task in [task for task in self.tasks if task.life is life and doomed(task)]:
            self.tasks.remove(task)
            gone, life.gone, self._current = life.gone, True, task
            task.body.throw(GreenletExit)
            life.gone, self._current = gone, None
            assert task.body.dead

    @property
    def held(self) -> list[Task]:
        return [task for task in self.tasks if task.held]

    def _live(self, work: Callable[[], object]) -> None:
        self.point()
        work()

    def _resume(self, task: Task) -> None:
        task.ready = lambda: True
        self._current = task
        try:
            task.body.switch()
        finally:
            self._current = None
            if task.body.dead and task in self.tasks:
                self.tasks.remove(task)

    def _wait(self, task: Task) -> None:
        self._hub.switch()
        if task.killed:
            task.killed = False
            raise GreenletExit


class GreenLock:
    """`threading.Lock` as a context manager."""

    def __init__(self, green: Green) -> None:
        self._green = green
        self._taken = False

    def __enter__(self) -> None:
        if self._taken:
            self._green.wait_for(lambda: not self._taken)
        self._taken = True

    def __exit__(self, *_exception: object) -> None:
        self._taken = False


class GreenEvent:
    """`threading.Event` without a deadline."""

    def __init__(self, green: Green) -> None:
        self._green = green
        self._set = False

    def set(self) -> None:
        self._set = True

    def clear(self) -> None:
        self._set = False

    def is_set(self) -> bool:
        return self._set

    def wait(self) -> None:
        self._green.wait_for(self.is_set)


class GreenThreading:
    """Stands in a module for its import `threading`."""

    def __init__(self, green: Green) -> None:
        self._green = green

    def Lock(self) -> GreenLock:
        return GreenLock(self._green)

    def Event(self) -> GreenEvent:
        return GreenEvent(self._green)
