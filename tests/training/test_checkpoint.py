"""Checkpoints are written completely or not at all."""

import errno
import os
from pathlib import Path

import pytest
import torch

from paralign.errors import UserError
from paralign.training import DevelopmentScore, checkpoint
from paralign.training.checkpoint import latest, load, load_best, prune, read_state, save, save_best, step_of_best


def trained(seed=0):
    torch.manual_seed(seed)
    module = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 4))
    module[2].weight = module[0].weight  # tied, as embeddings and output layer are
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.1)
    module(torch.randn(8, 4)).square().sum().backward()
    optimizer.step()
    return module, optimizer


def test_module_and_optimizer_are_restored_exactly(tmp_path):
    module, optimizer = trained()
    folder = save(tmp_path, 7, module, optimizer, {"note": "x"})
    assert folder.name == "step-00000007"
    other, fresh = trained(seed=1)
    load(folder, other, fresh)
    for name, value in module.state_dict().items():
        assert torch.equal(other.state_dict()[name], value), name
    assert other[2].weight is other[0].weight
    for ours, theirs in zip(optimizer.state_dict()["state"].items(), fresh.state_dict()["state"].items(), strict=True):
        assert ours[0] == theirs[0]
        assert all(torch.equal(ours[1][key], theirs[1][key]) for key in ours[1])
    state = read_state(folder)
    assert (state["step"], state["note"]) == (7, "x")
    # And the next step of both is the same.
    for m, o in ((module, optimizer), (other, fresh)):
        o.zero_grad()
        m(torch.ones(3, 4)).sum().backward()
        o.step()
    assert all(torch.equal(a, b) for a, b in zip(module.parameters(), other.parameters(), strict=True))


def test_an_untrained_optimizer_has_no_moments_to_lose(tmp_path):
    module = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(module.parameters())
    load(save(tmp_path, 0, module, optimizer, {}), module, optimizer)
    assert optimizer.state_dict()["state"] == {}


def test_the_newest_complete_checkpoint_is_used_and_old_ones_are_removed(tmp_path):
    module, optimizer = trained()
    assert latest(tmp_path) is None
    for step in (2, 4, 10, 8):
        save(tmp_path, step, module, optimizer, {})
    (tmp_path / "step-00000099").mkdir()  # a folder without state is no checkpoint
    assert latest(tmp_path).name == "step-00000010"
    (tmp_path / "step-00000099").rmdir()
    (tmp_path / ".step-00000012.part").mkdir()
    (tmp_path / ".step-00000010.old").mkdir()
    prune(tmp_path, 2)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00000008", "step-00000010"]


def test_one_checkpoint_that_is_kept_is_a_complete_one(tmp_path):
    """The older one is removed only when the newer one is complete; a folder without state is no checkpoint."""
    module, optimizer = trained()
    save(tmp_path, 2, module, optimizer, {})
    (tmp_path / "step-00000009").mkdir()
    prune(tmp_path, 1)
    assert latest(tmp_path).name == "step-00000002"
    save(tmp_path, 4, module, optimizer, {})
    prune(tmp_path, 1)
    assert latest(tmp_path).name == "step-00000004"
    assert not (tmp_path / "step-00000002").exists()
    load(tmp_path / "step-00000004", *trained(seed=1))


@pytest.mark.parametrize("replaced", ["best-00000004", "step-00000004"])
@pytest.mark.parametrize("renames", [0, 1, 2])
def test_a_kill_while_the_only_folder_is_replaced_loses_nothing(tmp_path, replaced, renames):
    """A process that is killed runs no cleanup: it ends after some of the renames of the new and the old folder."""
    module, optimizer = trained()
    save(tmp_path, 4, module, optimizer, {})
    save_best(tmp_path, 4, module)
    left, rename = [renames], Path.rename

    def killed(path, target):
        if not left[0]:
            os._exit(9)
        left[0] -= 1
        return rename(path, target)

    process = os.fork()
    if not process:
        try:
            Path.rename = killed
            if replaced.startswith("best"):
                save_best(tmp_path, 4, module)
            else:
                save(tmp_path, 4, module, optimizer, {})
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == (9 if renames < 2 else 0)
    assert latest(tmp_path).name == "step-00000004"
    load(tmp_path / "step-00000004", *trained(seed=1))
    other, _ = trained(seed=1)
    load_best(tmp_path, 4, other)
    assert torch.equal(other[0].weight, module[0].weight)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_leaves_the_last_checkpoint(tmp_path, monkeypatch, code):
    module, optimizer = trained()
    save(tmp_path, 1, module, optimizer, {})
    before = {p.name: p.read_bytes() for p in (tmp_path / "step-00000001").iterdir()}

    def full(tensors, path, **_):
        path.write_bytes(b"half")
        raise OSError(code, "No space left on device", str(path))

    monkeypatch.setattr(checkpoint, "save_file", full)
    for step in (1, 2):
        with pytest.raises(UserError, match=r"the disk .*\(free some space; nothing was changed\)"):
            save(tmp_path, step, module, optimizer, {})
    assert [p.name for p in tmp_path.iterdir()] == ["step-00000001"]
    assert {p.name: p.read_bytes() for p in (tmp_path / "step-00000001").iterdir()} == before


def _cut(folder):
    data = (folder / "module.safetensors").read_bytes()
    (folder / "module.safetensors").write_bytes(data[: len(data) // 2])


@pytest.mark.parametrize(
    "spoil",
    [
        _cut,
        lambda folder: (folder / "optimizer.safetensors").unlink(),
        lambda folder: (folder / "optimizer.safetensors").write_bytes(b""),
        lambda folder: (folder / "module.safetensors").write_bytes(b"\xff" * 100),
    ],
)
def test_a_damaged_checkpoint_is_reported_with_a_hint(tmp_path, spoil):
    module, optimizer = trained()
    folder = save(tmp_path, 3, module, optimizer, {})
    spoil(folder)
    with pytest.raises(UserError, match=r"step-00000003/\w+\.safetensors: .*\(remove step-00000003 to start again\)"):
        load(folder, module, optimizer)
    save(tmp_path, 1, module, optimizer, {})
    with pytest.raises(UserError, match=r"remove step-00000003 to use the previous one, step-00000001"):
        load(folder, module, optimizer)
    (folder / "digests.json").unlink()
    with pytest.raises(UserError, match=r"step-00000003: the checkpoint is damaged \(remove step-00000003 to use"):
        load(folder, module, optimizer)


@pytest.mark.parametrize("name", ["module.safetensors", "optimizer.safetensors", "state.json", "digests.json"])
def test_one_flipped_bit_is_noticed(tmp_path, name):
    module, optimizer = trained()
    folder = save(tmp_path, 3, module, optimizer, {"note": "x" * 50})
    data = bytearray((folder / name).read_bytes())
    data[-20] ^= 1
    (folder / name).write_bytes(data)
    for read in (read_state, lambda folder: load(folder, module, optimizer)):
        with pytest.raises(UserError, match=f"step-00000003/{name}: the file is damaged"):
            read(folder)


def test_damaged_best_weights_are_noticed(tmp_path):
    module, _ = trained()
    save_best(tmp_path, 4, module)
    data = bytearray((tmp_path / "best-00000004" / "module.safetensors").read_bytes())
    data[-1] ^= 128
    (tmp_path / "best-00000004" / "module.safetensors").write_bytes(data)
    with pytest.raises(UserError, match=r"best-00000004/module\.safetensors: the file is damaged.*\(start a new run"):
        load_best(tmp_path, 4, module)


def test_a_checkpoint_that_is_needed_is_not_removed(tmp_path):
    module, optimizer = trained()
    for step in (2, 4, 6, 8):
        save(tmp_path, step, module, optimizer, {})
    prune(tmp_path, 1, needed=4)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00000004", "step-00000008"]


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"schema": 99}'])
def test_a_damaged_state_is_reported(tmp_path, text):
    module, optimizer = trained()
    folder = save(tmp_path, 3, module, optimizer, {})
    (folder / "state.json").write_text(text)
    with pytest.raises(UserError, match=r"damaged|another version"):
        read_state(folder)


def test_a_checkpoint_of_another_module_is_refused(tmp_path):
    module, optimizer = trained()
    folder = save(tmp_path, 3, module, optimizer, {})
    for other in (torch.nn.Linear(4, 4), torch.nn.Sequential(torch.nn.Linear(5, 4))):
        with pytest.raises(UserError, match="another model or other objectives"):
            load(folder, other, torch.optim.AdamW(other.parameters()))


def test_best_weights_are_kept_as_long_as_a_checkpoint_that_names_them(tmp_path):
    module, optimizer = trained()
    for step, best in ((4, 3), (8, 6), (12, 6)):
        save_best(tmp_path, best, module)
        save(tmp_path, step, module, optimizer, {"best": {"step": best, "score": 0.5}})
        prune(tmp_path, 2)
        names = {path.name for path in tmp_path.iterdir()}
        if step == 8:  # the older checkpoint can still be resumed from
            assert names == {"best-00000003", "best-00000006", "step-00000004", "step-00000008"}
    assert names == {"best-00000006", "step-00000008", "step-00000012"}
    load_best(tmp_path, 6, module)
    with pytest.raises(UserError, match=r"best-00000003: the best weights of this run are missing \(restore them"):
        load_best(tmp_path, 3, module)


def test_the_step_of_the_best_weights_is_that_of_the_development_score():
    assert step_of_best({"step": 4}) == 0
    assert step_of_best({"step": 4, "best": {"step": 3, "score": 0.5}}) == 3
    assert step_of_best({"step": 4, DevelopmentScore.name: DevelopmentScore(lambda: 0.5).state_dict()}) == 0
