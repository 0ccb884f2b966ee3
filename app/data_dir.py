"""The folder `DATA_DIR`: the generated secret key, and the locks that tell which workers live."""

from __future__ import annotations

import fcntl
import os
import secrets
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from app.errors import SettingsError


class DataDir:
    """A folder of this server's own. Raises `SettingsError` if it cannot be used."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._workers = path / "workers"
        try:
            self._workers.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(f"DATA_DIR: {error.strerror}; write a folder that the server may write to") from error

    def secret_key(self) -> str:
        """The key of this installation, made at the first call; readable by this user only."""
        path = self.path / "secret_key"
        try:
            if not path.exists():
                self._make_key(path)
            key = path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"SECRET_KEY: {path.name} in DATA_DIR cannot be used; set SECRET_KEY") from error
        if len(key) < 16:
            raise SettingsError(f"SECRET_KEY: {path.name} in DATA_DIR is damaged; remove it, or set SECRET_KEY")
        return key

    def _make_key(self, path: Path) -> None:
        # Written whole under another name, then linked: two servers that start at once get the same key.
        draft = path.with_name(f"secret_key.{uuid.uuid4().hex}")
        with open(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Run a block that only one process at a time may be in: a worker's start."""
        with open(self.path / "start.lock", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def new_worker(self) -> str:
        """The id of this process as a worker, locked as long as it lives, whichever way it dies.

        To be called `alone`, like `sweep`.
        """
        worker_id = uuid.uuid4().hex
        # Never closed: the system lets go of the lock when the process ends, also after a `kill -9`.
        descriptor = os.open(self._workers / worker_id, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return worker_id

    def dead_workers(self, worker_ids: Iterable[str]) -> list[str]:
        """Those of `worker_ids` whose process is gone."""
        return [worker_id for worker_id in worker_ids if not self._lives(self._workers / worker_id)]

    def note(self, worker_id: str, number: int) -> None:
        """Write a number that other processes can read for as long as this worker lives."""
        with open(self._workers / worker_id, "r+") as file:
            file.write(f"{number:020d}")

    def is_dead(self, worker_id: str) -> bool:
        """Whether a process is gone. One that is no worker, such as a command, is not known to be."""
        return "/" not in worker_id and " " not in worker_id and not self._lives(self._workers / worker_id)

    def notes(self) -> dict[str, int]:
        """The numbers of the workers that live; 0 of one that has not written any."""
        living = [path for path in self._workers.iterdir() if self._lives(path)]
        return {path.name: int(path.read_text() or 0) for path in living if path.exists()}

    def neighbours(self, own_id: str) -> int:
        """How many other workers live that use this folder."""
        return sum(path.name != own_id and self._lives(path) for path in self._workers.iterdir())

    def sweep(self) -> None:
        """Remove the locks of dead workers."""
        for path in self._workers.iterdir():
            if not self._lives(path):
                path.unlink(missing_ok=True)

    @staticmethod
    def _lives(path: Path) -> bool:
        try:
            with open(path) as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False
