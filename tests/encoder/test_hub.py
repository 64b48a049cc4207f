"""Names that are neither folders nor reachable: an error within seconds, with similar names; the cache is used."""

import pytest

from paralign.encoder import hub
from paralign.encoder.loading import load_model, load_tokenizer
from paralign.errors import UserError
from paralign.models import shipped


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """The Hub does not answer, and its cache is an empty folder, which is returned."""
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub, "get_session", lambda: (_ for _ in ()).throw(OSError("no network")))
    monkeypatch.chdir(tmp_path)
    hub._answers.cache_clear()
    yield tmp_path / "cache"
    hub._answers.cache_clear()


def test_a_wrong_name_names_similar_ones(offline, monkeypatch):
    with pytest.raises(UserError, match=r"^paralign-min: .*cannot be reached \(did you mean 'paralign-mini'\?\)$"):
        load_model("paralign-min")
    with pytest.raises(UserError, match="did you mean 'paralign-mini'"):
        load_tokenizer("paralign-min")
    with pytest.raises(UserError, match=r"nobody/nothing: .*\(give a folder, or a name on the Hub\)$"):
        load_model("nobody/nothing")
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="no such folder, and HF_HUB_OFFLINE is set"):
        load_model("nobody/nothing")


def test_folders_here_and_models_in_the_cache_are_suggested(offline):
    here = offline.parent / "runs" / "ppa-de"
    here.mkdir(parents=True)
    (here / "config.json").write_text("{}")
    (offline / "models--someone--mdeberta-large").mkdir(parents=True)
    assert hub.similar_models("runs/ppa-d") == ["runs/ppa-de"]
    assert hub.similar_models("mdeberta-larg") == ["someone/mdeberta-large"]
    assert hub.similar_models("zzz") == []


def test_without_the_hub_a_model_is_read_from_its_cache(offline, monkeypatch):
    folder = shipped("paralign-mini")
    snapshot = offline / "models--org--name" / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("0" * 40)
    for file in folder.iterdir():
        if file.is_file():
            (snapshot / file.name).write_bytes(file.read_bytes())
    found = hub.snapshot_download("org/name", local_files_only=True, cache_dir=str(offline))
    monkeypatch.setattr(hub, "snapshot_download", lambda name, local_files_only: {"org/name": found}[name])
    assert load_model("org/name").config.model_type == load_model("paralign-mini").config.model_type
    assert load_tokenizer("org/name").get_vocab() == load_tokenizer("paralign-mini").get_vocab()


class Session:
    """Counts the questions."""

    def __init__(self):
        self.asked = []

    def head(self, url, timeout):
        assert timeout <= 5
        self.asked.append(url)


def test_any_answer_means_that_the_hub_is_reachable(offline, monkeypatch):
    session = Session()
    monkeypatch.setattr(hub, "get_session", lambda: session)
    monkeypatch.setattr(hub.time, "monotonic", lambda: 100.0)
    assert hub.hub_is_reachable()
    assert hub.hub_is_reachable()
    assert len(session.asked) == 1  # not once per model: the answer is kept for a minute
    monkeypatch.setattr(hub.time, "monotonic", lambda: 200.0)
    assert hub.hub_is_reachable()
    assert len(session.asked) == 2
