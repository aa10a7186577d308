"""What is said to customers and what it costs: pushes into LINE, allowed or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiohttp import web

from bot.push import Pusher
from core.actions.channels import line_channel
from core.actions.notices import kinds_of_shop
from core.actions.pushes import PushReport, push_report, save_plan
from core.database import Tx
from core.errors import DeliveryError, Invalid
from core.rules.asking import Refused
from core.rules.pushing import JAPAN, quota_left
from core.rules.reminding import KINDS
from core.rules.types import MerchantId
from core.wording import say_day, say_time
from webhooks.forms import Fields, problems_in_words, text_of, whole_number
from webhooks.keys import CLOCK, DB, LINE_API, VAULT
from webhooks.pages import language_of, render
from webhooks.sessions import require_session

routes = web.RouteTableDef()

MESSAGES = "/merchant/messages"

_DONE = {"saved", "quota"}
_FAILED = {"refused", "away", "none"}
_ROUTES = ("reply", "wallet", "push")
_ERRORS = ("refused", "connection", "late")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Typed:
    """What somebody typed that could not be kept, and why."""

    fields: Mapping[str, Any] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    report: PushReport
    kinds: tuple[str, ...]
    has_line: bool


@routes.get(MESSAGES)
async def show_messages(request: web.Request) -> web.Response:
    """The page; managers see it, owners change it."""
    require_session(request, "owner", "manager")
    return await _page(request, _Typed())


@routes.post(MESSAGES)
async def save(request: web.Request) -> web.Response:
    """Allow pushes or not, how many, and when nobody is to be woken."""
    session, parts = require_session(request, "owner"), request.config_dict
    fields = await request.post()
    try:
        done = await parts[DB].write(
            save_plan,
            session.merchant.id,
            is_allowed=text_of(fields, "is_allowed") == "1",
            ceiling=_ceiling(fields),
            quiet_from=_hour(fields, "quiet_from"),
            quiet_to=_hour(fields, "quiet_to"),
            by=session.staff,
            now=parts[CLOCK].now(),
        )
    except Invalid as error:
        words = problems_in_words(error, language_of(request))
        return await _page(request, _Typed(fields=fields, problems=words))
    if isinstance(done, Refused):
        raise web.HTTPForbidden
    return _back("done=saved")


@routes.post(f"{MESSAGES}/quota")
async def look(request: web.Request) -> web.Response:
    """Ask LINE now how many pushes are left."""
    session, parts = require_session(request, "owner"), request.config_dict
    pusher = Pusher(parts[DB], parts[VAULT], parts[LINE_API], parts[CLOCK])
    try:
        found = await pusher.look(session.merchant.id)
    except DeliveryError as error:
        return _back("failed=refused" if error.halts else "failed=away")
    return _back("failed=none" if found is None else "done=quota")


async def _page(request: web.Request, typed: _Typed) -> web.Response:
    session, parts = require_session(request), request.config_dict
    now = parts[CLOCK].now()
    kept = await parts[DB].read(_load, session.merchant.id, now)
    asked = request.query if request.method == "GET" else {}
    done, failed = asked.get("done", ""), asked.get("failed", "")
    context = {
        **_plan(request, kept.report, now),
        "form": _form(kept.report, typed),
        "problems": typed.problems,
        "has_line": kept.has_line,
        "may_change": session.staff.role == "owner",
        "rows": _rows(kept),
        "failures": _failures(request, kept.report),
        "done": done if done in _DONE else "",
        "failed": failed if failed in _FAILED else "",
    }
    status = 422 if typed.problems else 200
    return render(
        request, "merchant/messages.html", context, status=status, is_packed=True
    )


def _plan(request: web.Request, report: PushReport, now: datetime) -> dict[str, Any]:
    plan, language = report.plan, language_of(request)
    left = quota_left(plan, report.counts, now)
    closed = (
        plan.closed_until if plan.closed_until and plan.closed_until > now else None
    )
    looked = plan.looked_at
    known = "unknown"
    if looked is not None and plan.used is not None:
        # What LINE said of an earlier month tells nothing of this one.
        known = "no_limit" if plan.quota is None else "left"
        known = known if plan.quota is None or left is not None else "unknown"
    zone = _zone(request)
    return {
        "plan": plan,
        "counts": report.counts,
        "left": left,
        "known": known,
        "looked": say_time(looked, zone, language) if looked else "",
        # LINE's month is that of Japan, wherever the shop is.
        "closed": say_day(closed, JAPAN.key, language) if closed else "",
        "hours": range(24),
    }


def _zone(request: web.Request) -> str:
    return require_session(request).merchant.timezone


def _form(report: PushReport, typed: _Typed) -> dict[str, Any]:
    plan = report.plan
    if typed.fields:
        return {
            "is_allowed": text_of(typed.fields, "is_allowed") == "1",
            "ceiling": text_of(typed.fields, "ceiling"),
            "quiet_from": whole_number(text_of(typed.fields, "quiet_from")),
            "quiet_to": whole_number(text_of(typed.fields, "quiet_to")),
        }
    return {
        "is_allowed": plan.is_allowed,
        "ceiling": "" if plan.ceiling is None else plan.ceiling,
        "quiet_from": plan.quiet_from,
        "quiet_to": plan.quiet_to,
    }


def _rows(kept: _Kept) -> list[dict[str, Any]]:
    """One line a kind: what waits, and what went which way this month."""
    told = {(kind, way): n for kind, way, n in kept.report.told}
    waiting: dict[str, int] = dict.fromkeys(KINDS, 0)
    for kind, _, n in kept.report.waiting:
        waiting[kind] += n
    return [
        {
            "kind": kind,
            "waiting": waiting[kind],
            "told": [told.get((kind, way), 0) for way in _ROUTES],
        }
        for kind in KINDS
        if kind in kept.kinds
        or waiting[kind]
        or any(told.get((kind, way)) for way in _ROUTES)
    ]


def _failures(request: web.Request, report: PushReport) -> list[dict[str, str]]:
    zone, language = _zone(request), language_of(request)
    found = []
    for notice, name in report.failures:
        code, _, said = notice.error.partition(": ")
        found.append(
            {
                "name": name,
                "kind": notice.kind,
                "time": say_time(notice.made_at, zone, language),
                "code": code if code in _ERRORS else "refused",
                "said": said,
            }
        )
    return found


def _ceiling(fields: Fields) -> int | None:
    typed = text_of(fields, "ceiling")
    if not typed:
        return None
    number = whole_number(typed)
    # What is no number is refused like one that is too small.
    return -1 if number is None else number


def _hour(fields: Fields, name: str) -> int:
    hour = whole_number(text_of(fields, name))
    return -1 if hour is None else hour


def _load(tx: Tx, merchant_id: MerchantId, now: datetime) -> _Kept:
    return _Kept(
        report=push_report(tx, merchant_id, now),
        kinds=kinds_of_shop(tx, merchant_id),
        has_line=line_channel(tx, merchant_id) is not None,
    )


def _back(query: str) -> web.Response:
    return web.Response(status=303, headers={"Location": f"{MESSAGES}?{query}"})
