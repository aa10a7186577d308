"""Both languages say the same things, and every reason has its sentence."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files

import pytest

from core.rules.types import Why
from core.wording import keys, pick_language, say


def test_japanese_and_english_have_the_same_sentences():
    assert set() == keys("ja") ^ keys("en")


@pytest.mark.parametrize("why", list(Why))
@pytest.mark.parametrize("language", ["ja", "en"])
def test_every_reason_has_a_sentence(why, language):
    assert say(f"why.{why}", language, time="11/24 5:00")


def test_an_unknown_sentence_is_an_error():
    with pytest.raises(KeyError):
        say("why.because", "ja")


def test_both_languages_fill_the_same_blanks():
    for key in keys("ja"):
        assert blanks(key, "ja") == blanks(key, "en"), key


@pytest.mark.parametrize(
    ("tag", "language"),
    [("ja", "ja"), ("ja-JP", "ja"), ("", "ja"), (None, "ja"), ("fr", "en")],
)
def test_languages_fall_back_to_english_and_silence_to_japanese(tag, language):
    assert language == pick_language(tag)


def blanks(key, language):
    """The blanks of a sentence; `n` may be spelt out in one language."""
    found = None
    for whole in texts(language):
        node = whole
        for part in key.split("."):
            node = node.get(part) if isinstance(node, dict) else None
        found = node if found is None else found
    text = found["other"] if isinstance(found, dict) else found
    return set(re.findall(r"{(\w+)", text)) - {"n"}


@cache
def texts(language):
    """What is in each file of that language. Read once: there are many sentences."""
    found = files("core").joinpath("text").iterdir()
    return [
        tomllib.loads(file.read_text(encoding="utf-8"))
        for file in found
        if file.name.endswith(f"{language}.toml")
    ]
