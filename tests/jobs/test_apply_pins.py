"""People with a PIN in a merchant file."""

from __future__ import annotations

import pytest

from core.actions.pins import check_pin
from core.actions.team import let_go, list_team, name_of
from jobs.apply_file import apply_file
from jobs.merchant_file import BadFile
from jobs.operate import _merchant

FILE = """
[merchant]
key = "aozora"
name = "あおぞら珈琲"

[[shop]]
key = "main"
name = "本店"

[[staff]]
email = "owner@example.jp"
name = "青山"
role = "owner"
password = "asa no kissaten 2026"
pin = "4071"

[[staff]]
name = "佐藤"
role = "clerk"
pin = "5093"
"""


@pytest.fixture
def apply(db, vault, settings, tmp_path, clock):
    async def run(text=FILE):
        file = tmp_path / "shop.toml"
        file.write_text(text, encoding="utf-8")
        return await apply_file(db, vault, settings, file, clock.now())

    return run


@pytest.fixture
def who(db, vault, clock):
    """The name of whoever has a PIN."""

    async def find(merchant_id, pin):
        found = await db.write(
            check_pin,
            merchant_id=merchant_id,
            pin_mac=vault.pin_mac(merchant_id, pin),
            place="device:1",
            now=clock.now(),
        )
        return name_of(found) if hasattr(found, "role") else None

    return find


async def test_somebody_with_a_name_and_a_pin_needs_no_address(
    apply, who, db, settings
):
    told = (await apply()).as_dict()
    assert told["staff"] == [{"email": "owner@example.jp"}, {"name": "佐藤"}]
    merchant_id = told["merchant"]["id"]
    assert await who(merchant_id, "4071") == "青山"
    assert await who(merchant_id, "5093") == "佐藤"
    assert "4071" not in str(told)

    shown = await db.read(_merchant, "aozora", settings)
    assert shown["staff"] == [
        {"name": "佐藤", "role": "clerk", "pin": True},
        {"email": "owner@example.jp", "name": "青山", "role": "owner", "pin": True},
    ]


async def test_the_same_file_again_makes_nobody_twice(apply, db):
    first = await apply()
    await apply()
    team = await db.read(list_team, first.merchant_id)
    assert [name_of(m.staff) for m in team] == ["青山", "佐藤"]


async def test_two_may_change_their_pins_about(apply, who):
    merchant_id = (await apply()).merchant_id
    swapped = FILE.replace("4071", "x").replace("5093", "4071").replace('"x"', '"5093"')
    await apply(swapped)
    assert await who(merchant_id, "4071") == "佐藤"
    assert await who(merchant_id, "5093") == "青山"


async def test_a_pin_of_somebody_else_changes_nothing(apply, who):
    merchant_id = (await apply()).merchant_id
    other = FILE.replace("佐藤", "田中").replace('name = "あおぞら', 'name = "あかね')
    with pytest.raises(BadFile) as error:
        await apply(other)
    assert error.value.problems == (
        "staff: Another member of staff has it. Please choose another.",
    )
    assert await who(merchant_id, "5093") == "佐藤"


async def test_who_was_let_go_is_not_brought_back_by_an_old_file(apply, who, db, clock):
    merchant_id = (await apply()).merchant_id
    owner, clerk = (m.staff for m in await db.read(list_team, merchant_id))
    await db.write(let_go, by=owner, staff_id=clerk.id, now=clock.now())

    told = (await apply()).as_dict()
    assert told["notes"] == ["staff 佐藤: was let go, and stays so"]
    assert await who(merchant_id, "5093") is None
    assert len(await db.read(list_team, merchant_id)) == 2


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('pin = "5093"', 'pin = "1234"', "staff[2].pin: A PIN of digits in a row"),
        ('pin = "5093"', "pin = 5093", "staff[2].pin: must be a text"),
        ('pin = "5093"', "", "staff[2].email: Please fill this in"),
        ('name = "佐藤"', "", "staff[2].email: Please fill this in"),
        ('pin = "5093"', 'pin = "4071"', "staff: two people have the same pin"),
        ('role = "clerk"', 'role = "viewer"', "staff[2].pin: Who may only look"),
        (
            'pin = "5093"',
            'pin = "5093"\npassword = "a long one, 15+"',
            "needs an email",
        ),
    ],
)
async def test_what_is_wrong_with_a_person_is_said(apply, db, old, new, problem):
    with pytest.raises(BadFile) as error:
        await apply(FILE.replace(old, new))
    assert any(problem in line for line in error.value.problems), error.value.problems
