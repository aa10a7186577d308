"""Whatever a design says, its form shows, sends and reads back the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from multidict import MultiDict

from core.errors import Invalid
from core.rules.publishing import REMIND_DAYS, design_from_dict
from core.rules.spending import double_hours_text
from core.rules.types import Design, DoubleHours, Gift, Spend
from tests.builders import coffee
from tests.webhooks.desk import form_fields
from tests.webhooks.templates import draw
from webhooks.merchant.card import form_context
from webhooks.merchant.changes import changes
from webhooks.merchant.design_form import DesignForm, form_of_design, read_form

# A line that a browser keeps: one-line fields have no breaks, and outer blanks go.
lines = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=40)
maybe = st.just("") | lines
valid = st.none() | st.builds(
    "{}{}".format, st.integers(1, 999), st.sampled_from(["m", "d"])
)
days = st.sets(st.integers(0, 6), min_size=1).map(lambda found: tuple(sorted(found)))
spans = st.builds(
    DoubleHours, days=days, start=st.integers(0, 1439), end=st.integers(0, 1440)
)
limits = (
    st.sampled_from(["none", "day"])
    | st.integers(1, 72).map("{}h".format)
    | st.integers(1, 99).map("{}/day".format)
)
ends = (
    st.just("none")
    | st.builds(
        "{}m after {}".format, st.integers(1, 60), st.sampled_from(["last", "first"])
    )
    | st.dates(date(2000, 1, 1), date(2100, 1, 1)).map(date.isoformat)
)
colours = st.from_regex(r"\A#[0-9A-Fa-f]{6}\Z")


@st.composite
def designs(draw_one) -> Design:
    goal = draw_one(st.integers(1, 50))
    counts = draw_one(st.sets(st.integers(1, goal), max_size=6))
    amounts = st.integers(0, 1_000_000)
    gift = draw_one(maybe)
    return design_from_dict(
        {
            "name": draw_one(lines),
            "goal": goal,
            "bonus": draw_one(st.integers(0, goal - 1)),
            "limit": draw_one(limits),
            "expires": draw_one(ends),
            "remind_days": draw_one(st.lists(st.sampled_from(REMIND_DAYS))),
            "next_program": draw_one(st.none() | st.just("gold")),
            "background": draw_one(colours),
            "foreground": draw_one(colours),
            "icon": draw_one(st.sampled_from(["star", "gift", "picture:" + "a" * 64])),
            "guide": "\n".join(draw_one(st.lists(lines, max_size=3))),
            "thanks": draw_one(maybe),
            "stamp_per": draw_one(amounts),
            "minimum": draw_one(amounts),
            "double_hours": [
                double_hours_text(span)
                for span in draw_one(st.lists(spans, max_size=7))
            ],
            "day_cap": draw_one(st.integers(0, 99)),
            "referral": draw_one(st.integers(0, goal)),
            "birthday_reward": gift,
            "birthday_valid": draw_one(valid) if gift else None,
            "screenshot_protection": draw_one(st.booleans()),
            "reward": [
                {"at": at, "name": draw_one(lines), "valid": draw_one(valid)}
                for at in counts
            ],
        }
    )


def page_of(form: DesignForm, problems: Sequence[str] = (), do: str = "") -> str:
    """The page that shows this form."""
    program = SimpleNamespace(
        id="P", version=1, state="active", draft=None, design=coffee()
    )
    gold = SimpleNamespace(key="gold", design=coffee(name="ゴールド"))
    faces = SimpleNamespace(
        chat="",
        apple="",
        google="",
        balance=3,
        goal=10,
        is_pale=False,
        is_changing=False,
    )
    return draw(
        "merchant/card.html",
        program=program,
        preview=faces,
        others=[gold],
        done="",
        may_edit=True,
        progress=SimpleNamespace(n_waiting=0),
        **form_context(form, dict.fromkeys(problems, "!"), do),
    )


def posted(form: DesignForm) -> MultiDict[str]:
    """What a browser sends of that page, untouched."""
    return MultiDict(form_fields(page_of(form)))


@given(designs())
@example(coffee(double_hours=(DoubleHours(days=(0,), start=0, end=1440),)))
@example(coffee(double_hours=(DoubleHours(days=(0, 6), start=840, end=0),) * 7))
@example(coffee(spend=Spend(per=1, minimum=1_000_000), birthday=Gift(name="0")))
@settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_any_design_comes_back_from_its_form_as_it_was(design):
    assert read_form(posted(form_of_design(design))).design() == design


@given(designs(), designs())
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_every_difference_of_two_designs_is_said_in_both_languages(old, new):
    for language in ("ja", "en"):
        said = changes(old, new, language)
        assert bool(said) == (old != new)
        assert all(before != after for _, before, after in said)


SETTINGS = {
    "spend": (
        {"spend": Spend(per=1500, minimum=500)},
        "¥1,500ごとに1個 (¥500以上のお会計)",
        "1 stamp for each ¥1,500 (purchases from ¥500)",
    ),
    "double_hours": (
        {
            "double_hours": (
                DoubleHours(days=tuple(range(7)), start=840, end=1020),
                DoubleHours(days=(5, 6), start=1320, end=120),
                DoubleHours(days=(0,), start=1320, end=0),
            )
        },
        "毎日 14:00〜17:00\n土・日 22:00〜翌2:00\n月 22:00〜24:00",
        "Daily 14:00–17:00\nSat, Sun 22:00–2:00 (next day)\nMon 22:00–24:00",
    ),
    "day_cap": ({"day_cap": 3}, "3個", "3 stamps"),
    "referral": ({"referral": 1}, "1個", "1 stamp"),
    "changing_code": ({"changing_code": True}, "使う", "Used"),
    "birthday": (
        {"birthday": Gift(name="ケーキ", valid="30d")},
        "ケーキ (30日有効)",
        "ケーキ (valid 30 days)",
    ),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_that_is_new_is_said_before_and_after(name):
    changed, japanese, english = SETTINGS[name]
    for language, text in (("ja", japanese), ("en", english)):
        [(_, before, after)] = changes(coffee(), coffee(**changed), language)
        assert after == text
        assert before in {"-", "使わない", "Not used"}
        [(_, after, before)] = changes(coffee(**changed), coffee(), language)
        assert after == text


def typed(**fields: str) -> DesignForm:
    """The form of the coffee card with some fields typed over."""
    sent = posted(form_of_design(coffee()))
    for name, value in fields.items():
        sent[name] = value
    return read_form(sent)


def a_double(days=("mon",), start="14:00", end="17:00") -> dict[str, str]:
    fields = {"double_row": "0", "double_from": start, "double_to": end}
    return fields | ({"double_day": f"0:{days[0]}"} if days else {})


WRONG = [
    ({"spend_kind": "amount", "stamp_per": ""}, "stamp_per"),
    ({"spend_kind": "amount", "stamp_per": "0"}, "stamp_per"),
    ({"spend_kind": "amount", "stamp_per": "1000001"}, "stamp_per"),
    ({"spend_kind": "amount", "minimum": "-1"}, "minimum"),
    ({"day_cap": "100"}, "day_cap"),
    ({"referral": "11"}, "referral"),
    ({"birthday_valid": "30", "birthday_unit": "d"}, "birthday.name"),
    ({"birthday_name": "あ" * 41}, "birthday.name"),
    ({"birthday_name": "ケーキ", "birthday_valid": "0"}, "birthday.valid"),
    (a_double(days=()), "double.0"),
    (a_double(start=""), "double.0"),
    (a_double(end="25:00"), "double.0"),
]


@pytest.mark.parametrize(("fields", "place"), WRONG)
def test_what_cannot_be_kept_is_said_at_its_own_field(fields, place):
    with pytest.raises(Invalid) as error:
        typed(**fields).design()
    assert list(error.value.problems) == [place]


def test_more_double_hours_than_may_be_kept_are_said_once():
    span = DoubleHours(days=(0,), start=0, end=60)
    form = form_of_design(coffee(double_hours=(span,) * 7))
    assert form.with_double() is form
    form = replace(form, doubles=form.doubles * 2)
    with pytest.raises(Invalid) as error:
        form.design()
    assert list(error.value.problems) == ["double_hours"]


def test_what_is_half_typed_leaves_the_rest_of_the_design_alone():
    last = coffee(day_cap=4, double_hours=(DoubleHours(days=(0,), start=0, end=60),))
    form = read_form(posted(form_of_design(last)))
    form = form.with_texts(day_cap="x", name="新しい名前").with_double()
    assert form.design_or(last) == replace(last, name="新しい名前")


def test_an_amount_that_is_not_used_is_no_mistake():
    assert typed(spend_kind="none", stamp_per="", minimum="9" * 9).design() == coffee()


def test_the_part_for_the_rare_is_closed_and_counts_what_is_in_use():
    def part(form: DesignForm, problems: Sequence[str] = (), do: str = "") -> str:
        page = page_of(form, problems, do)
        return page.split('<details class="panel more"')[1].split("</summary>")[0]

    plain = form_of_design(coffee())
    used = form_of_design(coffee(day_cap=2, birthday=Gift(name="ケーキ")))
    assert part(plain).startswith(">")
    assert "使用中" not in part(plain)
    assert part(used, ["name"]).startswith(">")
    assert "2件 使用中" in part(used)
    assert part(used, ["double.0"]).startswith(" open>")
    assert part(plain, do="add_double").startswith(" open>")
