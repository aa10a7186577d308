"""A card's life: paused, reopened, archived; and a longer one for all who hold it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from zoneinfo import ZoneInfo

from aiohttp import web

from core.actions.programs import (
    archive_program,
    lengthen_expiry,
    pause_program,
    preview_lengthen,
    programs_with_counts,
    reopen_program,
)
from core.errors import Invalid, NotFound
from core.rules.asking import Refused
from core.rules.days import add_months, business_day
from core.rules.publishing import MAX_MONTHS
from core.rules.types import Program, ProgramId, ProgramState
from core.wording import say_day
from webhooks.forms import problems_in_words, text_of, whole_number
from webhooks.keys import CLOCK, DB
from webhooks.merchant.paths import CARD_PATH
from webhooks.pages import language_of, render
from webhooks.sessions import require_session

routes = web.RouteTableDef()

ARCHIVE = "/merchant/archive"

_DONE = {"paused", "reopened", "archived", "lengthened", "nothing"}

# What each button does, and what the page then says.
_ACTS: Mapping[str, tuple[Callable[..., Program | Refused], str]] = {
    "pause": (pause_program, "paused"),
    "reopen": (reopen_program, "reopened"),
    "archive": (archive_program, "archived"),
}
# What can be done in each state, the gentlest first.
_OFFERED: Mapping[ProgramState, tuple[str, ...]] = {
    "active": ("pause", "archive"),
    "paused": ("reopen", "archive"),
    "archived": ("reopen",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Longer:
    """The form for a longer life: what was typed, what is wrong with it, or how many
    cards would be good until `until`.
    """

    texts: Mapping[str, str] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    until: date | None = None
    count: int = 0


@routes.get(f"{CARD_PATH}/life")
async def show_life(request: web.Request) -> web.Response:
    """How the card stands, and what can be done; with ?until= or ?months= also how
    many cards would gain by it.
    """
    session = require_session(request, "owner", "manager", "viewer")
    if not {"until", "months"} & set(request.query):
        return await _page(request, _Longer())
    require_session(request, "owner", "manager")
    texts = {name: text_of(request.query, name) for name in ("until", "months")}
    try:
        until = _until(request, texts)
        count = await request.config_dict[DB].read(
            preview_lengthen,
            merchant_id=session.merchant.id,
            program_id=_program_id(request),
            until=until,
            now=request.config_dict[CLOCK].now(),
        )
    except Invalid as error:
        problems = problems_in_words(error, language_of(request))
        return await _page(request, _Longer(texts=texts, problems=problems))
    return await _page(request, _Longer(texts=texts, until=until, count=count))


@routes.post(f"{CARD_PATH}/life")
async def change_state(request: web.Request) -> web.Response:
    """Pause, reopen or archive, if the card still stands as it was shown."""
    session, parts = require_session(request, "owner", "manager"), request.config_dict
    fields = await request.post()
    act, done = _ACTS.get(text_of(fields, "do"), (None, ""))
    if act is None:
        raise web.HTTPBadRequest
    program, _ = await _load(request)
    if program.state != text_of(fields, "state") and not _is_done(program, done):
        return await _page(request, _Longer(), has_moved=True)
    outcome = await parts[DB].write(
        act,
        merchant_id=session.merchant.id,
        program_id=program.id,
        by=session.staff,
        now=parts[CLOCK].now(),
    )
    return _back(program, done, outcome)


@routes.post(f"{CARD_PATH}/life/longer")
async def lengthen(request: web.Request) -> web.Response:
    """Make every card good until the day that was shown; twice changes nothing more."""
    session, parts = require_session(request, "owner", "manager"), request.config_dict
    texts = {"until": text_of(await request.post(), "until"), "months": ""}
    program, _ = await _load(request)
    try:
        outcome = await parts[DB].write(
            lengthen_expiry,
            merchant_id=session.merchant.id,
            program_id=program.id,
            until=_until(request, texts),
            by=session.staff,
            now=parts[CLOCK].now(),
        )
    except Invalid as error:
        problems = problems_in_words(error, language_of(request))
        return await _page(request, _Longer(texts=texts, problems=problems))
    if isinstance(outcome, Refused) or not outcome:
        return _back(program, "nothing", outcome)
    return _back(program, f"lengthened&n={outcome}", outcome)


@routes.get(ARCHIVE)
async def show_archive(request: web.Request) -> web.Response:
    """The cards that have ended."""
    session = require_session(request, "owner", "manager", "viewer")
    found = await request.config_dict[DB].read(
        programs_with_counts, session.merchant.id
    )
    archived = [(p, count) for p, count in found if p.state == "archived"]
    context = {"archived": archived}
    return render(request, "merchant/life_archive.html", context, is_packed=True)


def _program_id(request: web.Request) -> ProgramId:
    return ProgramId(request.match_info["program_id"])


async def _load(request: web.Request) -> tuple[Program, int]:
    """The card and how many are out there. Raises `NotFound("program")`."""
    merchant_id = require_session(request).merchant.id
    found = await request.config_dict[DB].read(programs_with_counts, merchant_id)
    for program, count in found:
        if program.id == _program_id(request):
            return program, count
    raise NotFound("program")


def _is_done(program: Program, done: str) -> bool:
    """Was the same button pressed twice? Then the second says the same."""
    return program.state == {"reopened": "active"}.get(done, done)


def _until(request: web.Request, texts: Mapping[str, str]) -> date:
    """The day that was typed, or so many months from today. Raises `Invalid`."""
    day, months = texts["until"], texts["months"]
    if not day and not months:
        raise Invalid({"until": ("life.longer.either", {})})
    if day and months:
        raise Invalid({"until": ("life.longer.one", {})})
    if day:
        try:
            return date.fromisoformat(day)
        except ValueError:
            raise Invalid({"until": ("life.longer.date", {})}) from None
    number = whole_number(months)
    if number is None or not 1 <= number <= MAX_MONTHS:
        raise Invalid({"months": ("life.longer.months_range", {"max": MAX_MONTHS})})
    merchant = require_session(request).merchant
    now, zone = request.config_dict[CLOCK].now(), ZoneInfo(merchant.timezone)
    return add_months(business_day(now, zone, merchant.day_starts_at), number)


def _back(program: Program, done: str, outcome: object) -> web.Response:
    if isinstance(outcome, Refused):
        raise web.HTTPForbidden
    location = f"/merchant/cards/{program.id}/life?done={done}"
    return web.Response(status=303, headers={"Location": location})


async def _page(
    request: web.Request, longer: _Longer, *, has_moved: bool = False
) -> web.Response:
    session = require_session(request)
    program, count = await _load(request)
    language, zone = language_of(request), session.merchant.timezone
    is_plain = request.method == "GET"
    done = request.query.get("done", "") if is_plain else ""
    context = {
        "program": program,
        "count": count,
        "acts": _OFFERED[program.state],
        "longer": longer,
        "until_words": longer.until and say_day(longer.until, zone, language),
        "max_months": MAX_MONTHS,
        "done": done if done in _DONE else "",
        "n_done": whole_number(request.query.get("n", "")) or 0,
        "has_moved": has_moved,
        "may_edit": session.staff.role in {"owner", "manager"},
    }
    status = 409 if has_moved else 422 if longer.problems else 200
    return render(request, "merchant/life.html", context, status=status, is_packed=True)
