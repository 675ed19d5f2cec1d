"""Files that are written completely or not at all."""

import os

import pytest

from cxresearch.utils import atomic
from cxresearch.utils.atomic import atomic_write, leftovers, put_in_place, stage


@pytest.mark.parametrize("content", ["zwei\nZeilen\r\n", b"\x00\xff"])
@pytest.mark.parametrize("is_durable", [True, False])
def test_content_is_written_as_it_is(tmp_path, content, is_durable):
    file = tmp_path / "a.txt"
    file.write_text("before")
    assert atomic_write(file, content, is_durable=is_durable) == file
    assert file.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_file_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(atomic, "sync", lambda path: synced.append((path.name, path.exists())))
    file = atomic_write(tmp_path / "a.txt", "x", mark="m")
    assert synced == [(".a.txt.m.part", True), (tmp_path.name, True)]
    synced.clear()
    atomic_write(file, "y", is_durable=False)
    assert synced == []


def test_a_failure_leaves_what_was_there(tmp_path, monkeypatch):
    file = tmp_path / "a.txt"
    file.write_text("before")

    def full(_path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic, "sync", full)
    with pytest.raises(OSError, match="No space"):
        atomic_write(file, "after")
    assert file.read_text() == "before"
    assert leftovers(tmp_path) == []


def test_a_file_that_cannot_be_renamed_leaves_nothing(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "inside").touch()
    part = stage(tmp_path / "a", lambda p: p.write_text("x"))
    assert leftovers(tmp_path) == [part]
    with pytest.raises(OSError, match=os.strerror(21) + "|directory"):
        put_in_place(part, tmp_path / "a")
    assert leftovers(tmp_path) == []
