from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.data_dir import DataDir
from app.errors import SettingsError

HOLD = "import sys; from pathlib import Path; from app.data_dir import DataDir; print(DataDir(Path(sys.argv[1])).new_worker(), flush=True); sys.stdin.read()"  # noqa: E501


def test_the_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    key = DataDir(tmp_path).secret_key()
    assert len(key) >= 32
    assert DataDir(tmp_path).secret_key() == key
    assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", ["", "short", "\n"])
def test_a_key_that_is_damaged_is_refused_and_not_signed_with(tmp_path: Path, content: str) -> None:
    (tmp_path / "secret_key").write_text(content)
    with pytest.raises(SettingsError, match="SECRET_KEY: secret_key in DATA_DIR is damaged"):
        DataDir(tmp_path).secret_key()


def test_servers_that_start_together_get_the_same_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        keys = set(pool.map(lambda _: DataDir(tmp_path).secret_key(), range(16)))
    assert len(keys) == 1
    assert [path.name for path in tmp_path.glob("secret_key*")] == ["secret_key"]


def test_a_folder_that_cannot_be_made_is_a_settings_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SettingsError, match="DATA_DIR"):
        DataDir(tmp_path / "file" / "data")


def test_a_worker_counts_as_living_until_its_process_is_killed(tmp_path: Path) -> None:
    data_dir = DataDir(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    worker = process.stdout.readline().strip()
    assert data_dir.dead_workers([worker, "never-seen"]) == ["never-seen"]
    data_dir.sweep()
    assert data_dir.dead_workers([worker]) == []
    process.kill()
    process.communicate()
    assert data_dir.dead_workers([worker]) == [worker]
    data_dir.sweep()
    assert list((tmp_path / "workers").iterdir()) == []


def test_a_number_of_a_living_worker_is_read_by_others_and_goes_with_it(tmp_path: Path) -> None:
    mine, other = DataDir(tmp_path), DataDir(tmp_path)
    me = mine.new_worker()
    assert other.notes() == {me: 0}
    for number in (17, 4_000_000_000):
        mine.note(me, number)
        assert other.notes() == {me: number}
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    worker = holder.stdout.readline().strip()
    assert set(other.notes()) == {me, worker}
    assert not other.is_dead(worker)
    holder.kill()
    holder.wait()
    assert set(other.notes()) == {me}
    assert other.is_dead(worker)
    assert not other.is_dead("command 123")
