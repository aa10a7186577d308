from dataclasses import replace
from typing import Any

import pytest

from core.rules.types import CardId, Reward
from passes.art import Art, art_hash, picture_path, read_picture_name
from tests.passes.faces import BROWN, make_face

MINE = replace(BROWN, icon=f"picture:{'ab' * 32}")


def test_an_address_names_design_and_count_but_nobody() -> None:
    face = make_face(3)
    digest = art_hash(Art.of_face(face))
    address = f"/pictures/01KBCOFFEE/2/hero-3-{digest}.png"
    assert picture_path(face, "hero") == address
    somebody = replace(face, card_id=CardId("d"), code="other", member_no="9", total=70)
    assert picture_path(somebody, "hero") == address


@pytest.mark.parametrize(
    "change",
    [
        {"look": replace(BROWN, background="#5A3A23")},
        {"look": replace(BROWN, foreground="#FFFFFE")},
        {"look": replace(BROWN, icon="heart")},
        {"look": MINE},
        {"goal": 11},
        {"rewards": (Reward(at=10, name="x"),)},
        {"balance": 4},
    ],
)
def test_whatever_is_drawn_differently_has_another_address(change: Any) -> None:
    face = make_face(3)
    assert picture_path(face, "strip") != picture_path(replace(face, **change), "strip")


def test_the_words_of_a_reward_do_not_change_its_address() -> None:
    face = make_face()
    renamed = tuple(replace(reward, name="ケーキ") for reward in face.rewards)
    again = replace(face, rewards=renamed, program_name="新しい名前")
    assert picture_path(again, "hero") == picture_path(face, "hero")


def test_a_logo_has_the_same_address_for_every_count() -> None:
    assert picture_path(make_face(3), "logo") == picture_path(make_face(9), "logo")


def test_a_lowered_goal_shows_a_full_card() -> None:
    assert "/strip-10-" in picture_path(make_face(12), "strip")


def test_a_name_is_read_back_as_it_was_written() -> None:
    name = picture_path(make_face(7), "strip").rsplit("/", 1)[1].removesuffix(".png")
    assert read_picture_name(name) == ("strip", 7, name[-12:])
    for odd in ("", "strip", "strip-07-" + "a" * 12, "icon-7-" + "a" * 12, name + "\n"):
        assert read_picture_name(odd) is None, odd
