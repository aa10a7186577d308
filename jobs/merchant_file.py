"""A merchant's TOML file, read and checked whole; every problem at once."""

from __future__ import annotations

import tomllib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

from core.errors import Invalid, StampcardError
from core.rules.pins import LONGEST as MOST
from core.rules.pins import SHORTEST as SHORTEST_PIN
from core.rules.pins import pin_problem, read_pin
from core.rules.publishing import design_from_dict
from core.rules.types import Design
from core.wording import LANGUAGES, say
from jobs.passwords import SHORTEST, is_common, is_too_short
from jobs.toml_section import Section

KEY = r"[a-z0-9-]{3,32}"
ROLES = ("owner", "manager", "clerk", "viewer")
_EMAIL = r"[^@\s]+@[^@\s]+\.[^@\s]+"
_DESIGN = (
    "name",
    "goal",
    "bonus",
    "limit",
    "expires",
    "remind_days",
    "next_program",
    "background",
    "foreground",
    "icon",
    "guide",
    "thanks",
    "stamp_per",
    "minimum",
    "double_hours",
    "day_cap",
    "referral",
    "birthday_reward",
    "birthday_valid",
    "screenshot_protection",
)


class BadFile(StampcardError):
    """The merchant file cannot be applied. `problems` has one line each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A login; without a `password` one is made up for a new login.

    `email` is "" for who has a `name` and a `pin` only: they work at a shop's device.
    """

    email: str
    role: str
    name: str | None
    password: str | None = field(repr=False)
    pin: str | None = field(default=None, repr=False)

    @property
    def label(self) -> str:
        """What tells them apart in the file: the address, else the name."""
        return self.email or self.name or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFile:
    """What the file says. `line`, `apple` and `google` hold secrets in the open."""

    merchant: dict[str, Any]
    programs: tuple[tuple[str, Design], ...]
    shops: tuple[dict[str, Any], ...]
    staff: tuple[Person, ...]
    api_keys: tuple[str, ...]
    line: dict[str, str] | None = field(repr=False)
    apple: dict[str, str] | None = field(repr=False)
    google: dict[str, str] | None = field(repr=False)


def read_merchant_file(file: Path) -> ReadFile:
    """Read and check a merchant file. Raises `BadFile`."""
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadFile([f"cannot read {file}: {error.strerror}"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadFile([f"{file}: {error}"]) from None
    problems: list[str] = []
    whole = Section(data, "", file.parent, problems)
    merchant = _merchant(whole)
    found = ReadFile(
        merchant=merchant,
        programs=tuple(_program(s) for s in whole.tables("program")),
        shops=tuple(_shop(s) for s in whole.tables("shop")),
        staff=tuple(_person(s, merchant) for s in whole.tables("staff")),
        api_keys=tuple(_api_key(s) for s in whole.tables("api_key")),
        line=_line(whole.table("line")),
        apple=_apple(whole.table("apple")),
        google=_google(whole.table("google")),
    )
    whole.refuse_unknown()
    _check_twins(found, problems)
    if problems:
        raise BadFile(problems)
    return found


def _merchant(whole: Section) -> dict[str, Any]:
    section = whole.table("merchant")
    if section is None:
        whole.note("merchant", say("invalid.empty", "en"))
        return {}
    found = {
        "key": _key(section),
        "name": section.text("name", longest=40),
        "timezone": section.text("timezone", default="Asia/Tokyo"),
        "day_starts_at": section.whole("day_starts_at", 0, 9, 5),
        "contact": section.text("contact", default="", longest=200),
        "languages": section.texts("languages", LANGUAGES),
    }
    if found["timezone"] not in available_timezones():
        section.note("timezone", say("invalid.timezone", "en"))
    section.refuse_unknown()
    return found


def _key(section: Section) -> str:
    return section.text("key", pattern=KEY, advice=say("invalid.key", "en"))


def _program(section: Section) -> tuple[str, Design]:
    key = _key(section)
    data = section.values(*_DESIGN)
    rewards = section.tables("reward")
    data["reward"] = [reward.values("at", "name", "valid") for reward in rewards]
    for reward in rewards:
        reward.refuse_unknown()
    section.refuse_unknown()
    try:
        return key, design_from_dict(data)
    except Invalid as error:
        for name, (sentence, blanks) in error.problems.items():
            section.note(name, say(sentence, "en", **blanks))
    return key, Design(name="", goal=1, rewards=())


def _shop(section: Section) -> dict[str, Any]:
    found = {
        "key": _key(section),
        "name": section.text("name", longest=40),
        "latitude": section.degrees("latitude", 90),
        "longitude": section.degrees("longitude", 180),
    }
    if section.has("latitude") != section.has("longitude"):
        section.note("latitude", "latitude and longitude go together")
    section.refuse_unknown()
    return found


def _person(section: Section, merchant: dict[str, Any]) -> Person:
    pin = _pin(section)
    email = ""
    if section.has("email") or not (pin and section.has("name")):
        advice = say("invalid.email", "en")
        email = section.text("email", longest=320, pattern=_EMAIL, advice=advice)
    password = section.secret("password")
    if password and is_too_short(password):
        section.note("password", say("invalid.password_short", "en", min=SHORTEST))
    elif password and is_common(password, email, str(merchant.get("key", ""))):
        section.note("password", say("invalid.password_common", "en"))
    if not email and password:
        section.note("password", "needs an email to sign in with")
    found = Person(
        email=email.lower(),
        role=section.one_of("role", ROLES),
        name=section.text("name", longest=100) if section.has("name") else None,
        password=password,
        pin=pin,
    )
    if pin and found.role == "viewer":
        section.note("pin", say("tills.invalid.viewer", "en"))
    section.refuse_unknown()
    return found


def _pin(section: Section) -> str | None:
    typed = section.secret("pin")
    if typed is None:
        return None
    pin = read_pin(typed)
    problem = pin_problem(pin)
    if problem is not None:
        words = say(f"tills.invalid.pin_{problem}", "en", min=SHORTEST_PIN, max=MOST)
        section.note("pin", words)
    return pin


def _api_key(section: Section) -> str:
    name = section.text("name", longest=64)
    section.refuse_unknown()
    return name


def _line(section: Section | None) -> dict[str, str] | None:
    if section is None:
        return None
    advice = "must be the digits of the channel ID"
    found = {"channel_id": section.text("channel_id", pattern=r"\d+", advice=advice)}
    if section.has("channel_secret_file") and section.has("channel_secret"):
        section.note("channel_secret", "give it or channel_secret_file, not both")
    elif section.has("channel_secret_file"):
        found["secret"] = section.content("channel_secret_file").strip()
    else:
        found["secret"] = section.text("channel_secret")
    for name, pattern in (("bot_user_id", "U[0-9a-f]{32}"), ("basic_id", "@.+")):
        if section.has(name):
            advice = f"must look like {'@aozora' if name == 'basic_id' else 'U8e74…'}"
            found[name] = section.text(name, pattern=pattern, advice=advice)
    section.refuse_unknown()
    return found


def _apple(section: Section | None) -> dict[str, str] | None:
    if section is None:
        return None
    found = {
        "pass_type_id": section.text("pass_type_id", longest=255),
        "team_id": section.text("team_id", longest=20),
        "certificate_pem": section.content("certificate_file"),
        "key_pem": section.content("key_file"),
        "wwdr_pem": section.content("wwdr_file"),
    }
    section.refuse_unknown()
    return found


def _google(section: Section | None) -> dict[str, str] | None:
    if section is None:
        return None
    advice = "must be the digits of the issuer ID"
    found = {
        "issuer_id": section.text("issuer_id", pattern=r"\d+", advice=advice),
        "service_account": section.content("service_account_file"),
    }
    section.refuse_unknown()
    return found


def _check_twins(found: ReadFile, problems: list[str]) -> None:
    for kind, names in (
        ("program", [key for key, _ in found.programs]),
        ("shop", [shop["key"] for shop in found.shops]),
        ("staff", [person.label for person in found.staff]),
        ("api_key", list(found.api_keys)),
    ):
        twins = [name for name, n in Counter(names).items() if n > 1 and name]
        problems += [f"{kind}: {name} is there twice" for name in twins]
    pins = Counter(person.pin for person in found.staff if person.pin)
    if any(n > 1 for n in pins.values()):
        problems.append("staff: two people have the same pin")
