"""A merchant file is applied whole or not at all, and twice is once."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from core.actions.channels import (
    APPLE_KEY,
    GOOGLE_ACCOUNT,
    LINE_SECRET,
    apple_credentials,
    google_credentials,
    line_channel,
    update_line_identity,
)
from core.actions.publish import list_programs
from core.actions.signin import logins, merchant_of_key
from core.store.tables import metadata
from core.vault import check_password, hash_token
from jobs.apply_file import apply_file
from jobs.demo.certificates import make_apple
from jobs.demo.google_wallet import make_service_account
from jobs.merchant_file import BadFile, read_merchant_file
from jobs.passwords import is_common, is_too_short

FILE = """
[merchant]
key = "aozora"
name = "あおぞら珈琲"
day_starts_at = 5

[line]
channel_id = "1234567890"
channel_secret = "the first secret"

[[program]]
key = "coffee"
name = "コーヒーカード"
goal = 10
limit = "day"
expires = 2027-03-31
next_program = "gold"
[[program.reward]]
at = 10
name = "コーヒー1杯"
valid = "3m"

[[program]]
key = "gold"
name = "ゴールド"
goal = 20

[[shop]]
key = "main"
name = "本店"
latitude = 35.68
longitude = 139.76

[[staff]]
email = "Owner@Example.jp"
role = "owner"

[[staff]]
email = "clerk@example.jp"
role = "clerk"
password = "asa no kissaten 2026"

[[api_key]]
name = "pos"
"""


@pytest.fixture
def apply(db, vault, settings, tmp_path, clock):
    async def run(text=FILE):
        file = tmp_path / "shop.toml"
        file.write_text(text, encoding="utf-8")
        return await apply_file(db, vault, settings, file, clock.now())

    return run


async def counts(db):
    def count(tx):
        return {
            table.name: tx.execute(select(func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
        }

    return await db.read(count)


async def test_the_answer_has_ids_addresses_and_new_secrets(apply, db):
    handed = await apply()
    told = handed.as_dict()

    assert told["merchant"] == {
        "key": "aozora",
        "id": handed.merchant_id,
        "name": "あおぞら珈琲",
    }
    assert told["line_webhook_url"] == "https://stamps.example.jp/line/aozora"
    assert told["google_callback_url"] == "https://stamps.example.jp/google/aozora"
    assert [p["key"] for p in told["programs"]] == ["coffee", "gold"]
    assert [s["key"] for s in told["shops"]] == ["main"]
    owner, clerk = told["staff"]
    assert owner["email"] == "owner@example.jp"
    assert clerk == {"email": "clerk@example.jp"}
    (login,) = await db.read(logins, "owner@example.jp")
    assert check_password(login.password_hash, owner["password"])
    (login,) = await db.read(logins, "clerk@example.jp")
    assert check_password(login.password_hash, "asa no kissaten 2026")
    (key,) = told["api_keys"]
    assert key["key"].startswith("sk_")
    merchant = await db.read(merchant_of_key, hash_token(key["key"]))
    assert merchant.id == handed.merchant_id


async def test_screenshot_protection_is_a_line_of_a_program(apply, db):
    limit = 'limit = "day"\n'
    protected = FILE.replace(limit, f"{limit}screenshot_protection = true\n")
    handed = await apply(protected)
    [coffee, gold] = await db.read(list_programs, handed.merchant_id)
    assert (coffee.design.changing_code, gold.design.changing_code) == (True, False)
    with pytest.raises(BadFile) as caught:
        await apply(protected.replace("= true", '= "yes"'))
    [problem] = caught.value.problems
    assert problem == "program[1].screenshot_protection: Enter true or false."
    # Left out, it is off again.
    await apply()
    [coffee, _] = await db.read(list_programs, handed.merchant_id)
    assert coffee.design.changing_code is False


async def test_the_same_file_twice_changes_nothing_and_tells_no_secret(apply, db):
    first = await apply()
    before = await counts(db)
    (login,) = await db.read(logins, "owner@example.jp")

    second = await apply()

    told = second.as_dict()
    assert told["programs"] == first.as_dict()["programs"]
    assert told["shops"] == first.as_dict()["shops"]
    assert all("password" not in person for person in told["staff"])
    assert told["api_keys"] == [{"name": "pos"}]
    after = await counts(db)
    assert {k: n for k, n in after.items() if k != "journal"} == {
        k: n for k, n in before.items() if k != "journal"
    }
    assert (await db.read(logins, "owner@example.jp"))[0].password_hash == (
        login.password_hash
    )
    versions = await db.read(list_programs, second.merchant_id)
    assert [program.version for program in versions] == [1, 1]


async def test_what_changed_in_the_file_changes(apply, db):
    await apply()
    handed = await apply(
        FILE.replace("コーヒー1杯", "ケーキ").replace("本店", "駅前店")
    )

    coffee, gold = await db.read(list_programs, handed.merchant_id)
    assert coffee.design.rewards[0].name == "ケーキ"
    assert (coffee.version, gold.version) == (2, 1)


async def test_a_new_line_secret_keeps_the_old_one_until_the_next(apply, db, vault):
    handed = await apply()
    merchant = handed.merchant_id

    def opened(channel):
        return [
            sealed and vault.open(sealed, merchant, LINE_SECRET)
            for sealed in (channel.sealed_secret, channel.sealed_previous_secret)
        ]

    assert opened(await db.read(line_channel, merchant)) == ["the first secret", None]
    second = FILE.replace("the first secret", "the second secret")
    await apply(second)
    await apply(second)
    assert opened(await db.read(line_channel, merchant)) == [
        "the second secret",
        "the first secret",
    ]


async def test_what_line_said_of_the_account_stays_unless_the_channel_is_another(
    apply, db, clock
):
    merchant = (await apply()).merchant_id
    await db.write(update_line_identity, merchant, "U1", "@aozora", clock.now())
    await apply()
    channel = await db.read(line_channel, merchant)
    assert (channel.bot_user_id, channel.basic_id) == ("U1", "@aozora")

    await apply(FILE.replace("1234567890", "999"))
    channel = await db.read(line_channel, merchant)
    assert (channel.bot_user_id, channel.basic_id) == ("", "")
    assert channel.sealed_previous_secret is None


async def test_files_are_found_beside_the_merchant_file(
    apply, db, vault, tmp_path, clock
):
    made = make_apple(tmp_path, "pass.example.x", "ABCDE12345", clock.now())
    account, _ = make_service_account()
    (tmp_path / "sa.json").write_text(account)
    (tmp_path / "line.secret").write_text("from a file\n")
    text = FILE.replace(
        'channel_secret = "the first secret"', 'channel_secret_file = "line.secret"'
    )
    handed = await apply(
        text
        + f"""
[apple]
pass_type_id = "pass.example.x"
team_id = "ABCDE12345"
certificate_file = "{made.certificate_pem.relative_to(tmp_path)}"
key_file = "{made.key_pem.relative_to(tmp_path)}"
wwdr_file = "{made.wwdr_pem.relative_to(tmp_path)}"
[google]
issuer_id = "3388000000000000000"
service_account_file = "sa.json"
"""
    )
    merchant = handed.merchant_id
    apple = await db.read(apple_credentials, merchant)
    google = await db.read(google_credentials, merchant)
    line = await db.read(line_channel, merchant)
    assert apple.certificate_pem == made.certificate_pem.read_text()
    opened = vault.open(apple.sealed_key, merchant, APPLE_KEY)
    assert opened == made.key_pem.read_text()
    sealed = google.sealed_service_account
    assert vault.open(sealed, merchant, GOOGLE_ACCOUNT) == account
    assert vault.open(line.sealed_secret, merchant, LINE_SECRET) == "from a file"


async def test_a_certificate_that_does_not_fit_stops_everything(
    apply, db, tmp_path, clock
):
    made = make_apple(tmp_path, "pass.example.x", "ABCDE12345", clock.now())
    (tmp_path / "sa.json").write_text("{}")
    with pytest.raises(BadFile) as caught:
        await apply(
            FILE
            + f"""
[apple]
pass_type_id = "pass.example.other"
team_id = "ABCDE12345"
certificate_file = "{made.certificate_pem}"
key_file = "{made.key_pem}"
wwdr_file = "{made.wwdr_pem}"
[google]
issuer_id = "1"
service_account_file = "sa.json"
"""
        )
    places = {problem.split(":")[0] for problem in caught.value.problems}
    assert places == {"apple.pass_type_id", "google.service_account_file"}
    assert (await counts(db))["merchant"] == 0


async def test_every_problem_is_told_at_once_and_nothing_is_written(apply, db):
    with pytest.raises(BadFile) as caught:
        await apply(
            """
unknown = 1
[merchant]
key = "AO"
name = "x"
timezone = "Asia/Nowhere"
day_starts_at = 12
languages = ["ja", "fr"]
colour = "blue"
[line]
channel_id = 5
channel_secret = "a"
channel_secret_file = "b"
[apple]
pass_type_id = "x"
[[program]]
key = "coffee"
name = ""
goal = 99
background = "red"
colour = 10
[[program.reward]]
at = 5
title = "x"
[[shop]]
key = "main"
name = "a"
latitude = 99.5
[[shop]]
key = "main"
name = "b"
[[staff]]
email = "nobody"
role = "boss"
password = "short"
[[staff]]
email = "a@example.jp"
role = "clerk"
password = "passwordpassword"
[[api_key]]
"""
        )
    assert {problem.split(":")[0] for problem in caught.value.problems} == {
        "unknown",
        "merchant.key",
        "merchant.timezone",
        "merchant.day_starts_at",
        "merchant.languages",
        "merchant.colour",
        "line.channel_id",
        "line.channel_secret",
        "apple.team_id",
        "apple.certificate_file",
        "apple.key_file",
        "apple.wwdr_file",
        "program[1].name",
        "program[1].goal",
        "program[1].background",
        "program[1].colour",
        "program[1].reward.0.name",
        "program[1].reward[1].title",
        "shop[1].latitude",
        "shop",
        "staff[1].email",
        "staff[1].role",
        "staff[1].password",
        "staff[2].password",
        "api_key[1].name",
    }
    assert (await counts(db))["merchant"] == 0


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[merchant", "shop.toml: "),
        ("", "merchant: "),
        ("merchant = 5", "merchant: must be a table"),
        ("[merchant]\nkey='aaa'\nname='a'\n[shop]\nkey='x'", "shop: must be a list"),
        ("[merchant]\nkey='aaa'\nname=5", "merchant.name: must be a text"),
        (
            """
            merchant = {key = "aaa", name = "a"}
            staff = [{email = "a@b.jp", role = "clerk", password = 12345}]
            """,
            "staff[1].password: must be a text",
        ),
    ],
)
def test_files_of_another_shape_are_refused(tmp_path, text, problem):
    file = tmp_path / "shop.toml"
    file.write_text(text)
    with pytest.raises(BadFile) as caught:
        read_merchant_file(file)
    assert any(problem in found for found in caught.value.problems)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(BadFile, match="cannot read"):
        read_merchant_file(tmp_path / "none.toml")


async def test_a_rank_up_card_that_is_not_there_yet_is_worth_a_word(apply):
    handed = await apply(
        FILE.replace('"gold"\n[[program.reward', '"silver"\n[[program.reward')
    )

    [note] = handed.as_dict()["notes"]
    assert "next_program names no program yet: silver" in note


def test_no_secret_shows_in_what_is_read(tmp_path):
    file = tmp_path / "shop.toml"
    file.write_text(FILE)
    shown = repr(read_merchant_file(file))
    assert "the first secret" not in shown
    assert "kissaten" not in shown


@pytest.mark.parametrize(
    "password",
    [
        "passwordpassword",
        "123456789012345",
        "543210987654321",
        "aaaaaaaaaaaaaaa",
        "qwertyuiopasdfgh",
        "abc123abc123abc123",
        "PassWordPassWord",
        "correct horse battery staple",
        "owner@example.jpowner@example.jp",
        "aozoraaozoraaozora",
    ],
)
def test_passwords_that_everybody_tries_are_common(password):
    assert not is_too_short(password)
    assert is_common(password, "owner@example.jp", "aozora")


@pytest.mark.parametrize(
    "password",
    ["きょうは朝から雨でした2026", "aozora-no-stamp-2026", "tqvrf-651je-dzfz2"],
)
def test_other_long_passwords_are_good(password):
    assert not is_too_short(password)
    assert not is_common(password, "owner@example.jp", "aozora")


def test_characters_are_counted_as_people_do():
    assert is_too_short("が" * 14)
    assert is_too_short("か\u3099" * 14)
    assert not is_too_short("がぎぐげござじずぜぞだぢづでど")
