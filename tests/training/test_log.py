"""The log of a run."""

import errno
import os

import pytest

from paralign.training.log import RunLog

resource = pytest.importorskip("resource")


def test_an_error_of_the_system_names_the_log(tmp_path):
    log = RunLog(tmp_path / "log.jsonl")
    log.open()
    log.write(step=1)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (log.size(), limits[1]))  # as if the disk were full
    try:
        with pytest.raises(OSError, match=r"log\.jsonl") as caught:
            log.write(step=2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(tmp_path / "log.jsonl"))


def test_a_closed_log_is_on_disk(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr("os.fsync", lambda file: synced.append(os.fstat(file).st_size))
    log = RunLog(tmp_path / "log.jsonl")
    log.open()
    log.write(step=1)
    size = log.size()
    log.close()
    assert synced == [size]


def test_entries_after_the_checkpoint_are_removed_on_resume(tmp_path):
    log = RunLog(tmp_path / "log.jsonl")
    log.open()
    log.write(step=1)
    size, digest = log.size(), log.digest()
    log.write(step=2)
    log.close()
    resumed = RunLog(tmp_path / "log.jsonl")
    resumed.open(size, digest)
    assert (resumed.size(), resumed.digest()) == (size, digest)
    resumed.write(step=3)
    resumed.close()
    assert (tmp_path / "log.jsonl").read_text() == '{"step": 1}\n{"step": 3}\n'
