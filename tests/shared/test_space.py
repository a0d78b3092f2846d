"""Room on the disks, and what takes it."""

import os
from pathlib import Path
from typing import Any

import pytest

from shared import space


def test_the_size_of_a_folder_is_that_of_all_files_in_it(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    for path in (tmp_path / "one", tmp_path / "a" / "b" / "two"):
        path.write_bytes(b"x" * 500)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert 1000 <= space.size_of(tmp_path) < 1100  # a link has a few bytes of its own


def test_what_vanishes_while_somebody_looks_counts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    (tmp_path / "file").write_bytes(b"x" * 500)
    scandir = os.scandir

    def vanish(path: Any) -> Any:
        if str(path).endswith("gone"):
            raise FileNotFoundError(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", vanish)
    assert space.size_of(tmp_path) == 500
    assert space.size_of(tmp_path / "never") == 0


def test_a_folder_that_can_be_written_into_is_made_and_left_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    for _ in range(2):
        space.try_writing(folder)
    assert list(folder.iterdir()) == [] and folder.stat().st_mode & 0o777 == 0o700
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        space.try_writing(tmp_path / "file")
