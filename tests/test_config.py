from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError, model_validator

from paralign.config import (
    Config,
    did_you_mean,
    dump_toml,
    load_toml,
    merge,
    parse_override,
    resolve,
)
from paralign.errors import UserError


class Moco(Config):
    queue: int = 32
    temperature: float = Field(default=0.1, gt=0)


class Settings(Config):
    seed: int = 0
    moco: Moco = Moco()
    second: Moco | None = None
    named: dict[str, Moco] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _lucky(self) -> "Settings":
        if self.seed == 13:
            raise ValueError("13 brings bad luck")
        return self


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("seed=3", {"seed": 3}),
        ("moco.queue = 64", {"moco": {"queue": 64}}),
        ("a.b.c=1.5e-3", {"a": {"b": {"c": 0.0015}}}),
        ("on=true", {"on": True}),
        ("layers=[1, 2]", {"layers": [1, 2]}),
        ("name=bert-base", {"name": "bert-base"}),
        ('name="3"', {"name": "3"}),
        ("name=", {"name": ""}),
        ("filter=a=b", {"filter": "a=b"}),
        ("text=1\nother = 2", {"text": "1\nother = 2"}),
    ],
)
def test_parse_override(text, expected):
    assert parse_override(text) == expected


@pytest.mark.parametrize("text", ["seed", "=3", "moco.=3", ".queue=3", "a..b=1"])
def test_parse_override_refuses(text):
    with pytest.raises(UserError, match=r"section\.key=value"):
        parse_override(text)


def test_later_layers_win_deeply_and_none_says_nothing():
    layers: list[dict[str, Any]] = [
        {"a": {"x": 1, "y": 2}, "b": 1},
        {"a": {"y": 3}, "b": None},
        {"a": {"z": 4}},
    ]
    assert merge(*layers) == {"a": {"x": 1, "y": 3, "z": 4}, "b": 1}
    assert layers[0] == {"a": {"x": 1, "y": 2}, "b": 1}, "the layers stay as they were"


scalars = st.one_of(st.integers(-(2**40), 2**40), st.booleans(), st.text(max_size=8), st.floats(allow_nan=False))
trees = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(min_size=1, max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.text(min_size=1, max_size=5), trees, max_size=4))
def test_toml_round_trip(tmp_path_factory, tree):
    path = tmp_path_factory.mktemp("toml") / "s.toml"
    path.write_bytes(dump_toml(tree).encode())
    assert load_toml(path) == tree


def test_dump_leaves_out_what_toml_cannot_say(tmp_path):
    assert dump_toml({"a": None, "b": [1, None], "c": {"d": None}, "e": tmp_path}).split() == [
        *("b", "=", "[", "1,", "]", "e", "=", f'"{tmp_path}"', "[c]")
    ]


@pytest.mark.parametrize(
    ("content", "says"), [("a = 1\nb = = 2", "line 2"), (None, "no such"), (b"\xff = 1", "not valid")]
)
def test_load_toml_errors_name_the_file(tmp_path, content, says):
    path = tmp_path / "recipe.toml"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=says) as caught:
        load_toml(path)
    assert caught.value.where == str(path)


def test_a_byte_order_mark_is_no_part_of_the_settings(tmp_path):
    (tmp_path / "recipe.toml").write_bytes(b"\xef\xbb\xbfa = 1\n")
    assert load_toml(tmp_path / "recipe.toml") == {"a": 1}


def test_resolve_merges_and_validates():
    assert resolve(Settings, {"moco": {"queue": 5}}, {"moco": {"temperature": 0.2}}) == Settings(
        moco=Moco(queue=5, temperature=0.2)
    )


@pytest.mark.parametrize(
    ("layer", "message", "hint"),
    [
        ({"sed": 1}, "unknown setting 'sed'", "did you mean 'seed'?"),
        ({"moco": {"quue": 1}}, "unknown setting 'moco.quue'", "did you mean 'queue'?"),
        ({"second": {"quue": 1}}, "unknown setting 'second.quue'", "did you mean 'queue'?"),
        ({"named": {"de": {"quue": 1}}}, "unknown setting 'named.de.quue'", "did you mean 'queue'?"),
        ({"moco": {"zzz": 1}}, "unknown setting 'moco.zzz'", "available: queue, temperature"),
        (
            {"moco": {"temperature": 0}},
            "setting 'moco.temperature': must be greater than 0, not 0",
            None,
        ),
        ({"seed": 13}, "settings: 13 brings bad luck", None),
        ({"seed": True}, "setting 'seed': must be a number, not True", None),
        ({"moco": {"temperature": False}}, "setting 'moco.temperature': must be a number, not False", None),
    ],
)
def test_resolve_errors_are_one_line_with_a_hint(layer, message, hint):
    with pytest.raises(UserError) as caught:
        resolve(Settings, layer, where="ppa.toml")
    assert (caught.value.message, caught.value.hint, caught.value.where) == (message, hint, "ppa.toml")


def test_settings_do_not_change_once_made():
    with pytest.raises(ValidationError, match="frozen"):
        Settings().seed = 1  # type: ignore[misc]


def test_did_you_mean():
    assert did_you_mean("temprature", ["queue", "temperature"]) == "did you mean 'temperature'?"
    assert did_you_mean("x", ["b", "a"]) == "available: a, b"
