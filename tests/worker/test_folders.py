"""Work folders: one attempt works in each, and only where nobody does anything is removed."""

import shutil
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

import pytest

from shared.ids import new_id
from shared.settings import Settings
from worker import folders
from worker.folders import LOCK, empty, own_folder, remove_unused, work_dir, work_folders


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A job's folder, not made yet."""
    return work_dir(Settings(_env_file=None, data_dir=tmp_path), new_id())


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {LOCK}


def test_two_attempts_at_once_have_a_folder_each_and_the_next_one_resumes_in_the_first(folder: Path) -> None:
    with own_folder(folder) as first, own_folder(folder) as second, own_folder(folder) as third:
        assert first == folder
        assert [second.name, third.name] == [f"{folder.name}.1", f"{folder.name}.2"]
        (first / "media.part").touch()
        assert not any(remove_unused(used) for used in (first, second, third))
    with own_folder(folder) as again:
        assert again == folder and names(again) == {"media.part"}


def test_nobody_works_in_a_folder_that_is_removed_in_the_moment_he_begins(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, left = folders._lock, [2]

    def removed_first(file: BinaryIO) -> bool:
        if left[0]:
            left[0] -= 1
            shutil.rmtree(folder)
        return lock(file)

    monkeypatch.setattr(folders, "_lock", removed_first)
    with own_folder(folder) as mine:
        assert mine == folder and (folder / LOCK).exists()
        assert not remove_unused(folder)


def test_a_lock_is_on_a_file_that_is_open_for_writing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modes: list[bool] = []
    monkeypatch.setattr(folders, "_lock", lambda file: modes.append(file.writable()) or True)
    with own_folder(folder):
        assert modes == [True]  # NFS refuses others


def test_what_nobody_uses_goes_with_all_that_is_in_it(folder: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.touch()
    with own_folder(folder):
        (folder / "sub" / "deep").mkdir(parents=True)
        (folder / "sub" / "deep" / "file").touch()
        (folder / "link").symlink_to(kept)
    assert remove_unused(folder)
    assert not folder.exists() and kept.exists()
    assert remove_unused(folder) and not folder.exists()


def test_what_cannot_be_removed_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with own_folder(folder):
        (folder / "stuck").touch()
    monkeypatch.setattr(folders, "empty", lambda _: None)
    with pytest.raises(OSError, match="not empty"):
        remove_unused(folder)
    monkeypatch.undo()
    assert remove_unused(folder)


def test_emptied_it_is_still_locked(folder: Path) -> None:
    with own_folder(folder):
        (folder / "media.part").touch()
        empty(folder)
        assert names(folder) == set()
        assert not remove_unused(folder)


def test_folders_are_found_by_their_job_the_youngest_last(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, data_dir=tmp_path)
    assert work_folders(settings) == []
    old, young = UUID(int=1), UUID(int=2)
    for name in (str(young), f"{old}.1", str(old), "notes", "notes.txt"):
        (settings.work_folder / name).mkdir(parents=True)
    found = [(job_id, path.name) for job_id, path in work_folders(settings)]
    assert found == [(old, str(old)), (old, f"{old}.1"), (young, str(young))]
