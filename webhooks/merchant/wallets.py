"""The page that connects Apple Wallet and Google Wallet: what is there, and its state.

What its forms do is in `wallets_apple` and `wallets_google`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from aiohttp import web

from core.actions.channels import (
    AppleCredentials,
    GoogleCredentials,
    apple_credentials,
    google_credentials,
)
from core.actions.wallet_setup import (
    WALLETS as KINDS,
)
from core.actions.wallet_setup import (
    AppleRequest,
    LastTrial,
    apple_request,
    count_installed,
    disconnect_wallet,
    keep_trial,
    last_trial,
)
from core.database import Tx
from core.errors import DeliveryError, Invalid
from core.rules.types import IssuerName, MerchantId
from core.wording import say_day, say_time
from passes.apple.facts import Facts, certificate_facts
from passes.apple.trial import AppleTrial
from passes.google.trial import GoogleTrial
from webhooks.forms import problems_in_words
from webhooks.keys import CLOCK, DB, GOOGLE
from webhooks.limits import TryLimit
from webhooks.merchant.paths import WALLETS
from webhooks.pages import language_of, render
from webhooks.sessions import require_session

routes = web.RouteTableDef()

_DONE = {"requested", "kept", "tested", "removed"}
_LIMIT = web.AppKey("wallet_limit", TryLimit)
# Each try makes or opens keys, or calls a platform.
_TRIES_AT_ONCE, _SECONDS_A_TRY = 12, 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """What somebody entered that could not be kept, and why; never a file."""

    wallet: IssuerName | None = None
    issuer_id: str = ""
    problems: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    apple: AppleCredentials | None
    request: AppleRequest | None
    google: GoogleCredentials | None
    trials: Mapping[IssuerName, LastTrial | None]
    n_installed: Mapping[IssuerName, int]


def set_up_wallets(app: web.Application) -> None:
    """Give the app what limits tries."""
    app[_LIMIT] = TryLimit(_TRIES_AT_ONCE, _SECONDS_A_TRY)


@routes.get(WALLETS)
async def show_wallets(request: web.Request) -> web.Response:
    """The page."""
    require_session(request, "owner", "manager")
    return await wallets_page(request, Typed())


def back_with(done: str, wallet: IssuerName) -> web.Response:
    """To the page again, which says what was done."""
    where = f"{WALLETS}?done={done}&wallet={wallet}#{wallet}"
    return web.Response(status=303, headers={"Location": where})


def take_try(request: web.Request, merchant_id: MerchantId) -> None:
    """Count one of the merchant's tries. Raises HTTPTooManyRequests."""
    now = request.config_dict[CLOCK].now()
    wait = request.config_dict[_LIMIT].take(merchant_id, now)
    if wait:
        raise web.HTTPTooManyRequests(headers={"Retry-After": str(int(wait) + 1)})


async def disconnect(request: web.Request, wallet: IssuerName) -> web.Response:
    """Forget a connection with its key; the form has asked whether that is meant."""
    session, parts = require_session(request, "owner"), request.config_dict
    await parts[DB].write(
        disconnect_wallet,
        session.merchant.id,
        wallet,
        session.staff.id,
        parts[CLOCK].now(),
    )
    return back_with("removed", wallet)


async def note_trial(
    request: web.Request, wallet: IssuerName, found: AppleTrial | GoogleTrial
) -> None:
    """Keep how a test went, for the page to show."""
    session, parts = require_session(request), request.config_dict
    await parts[DB].write(
        keep_trial,
        session.merchant.id,
        wallet,
        asdict(found),
        session.staff.id,
        parts[CLOCK].now(),
        is_good=found.is_good,
    )


async def refused_page(
    request: web.Request, wallet: IssuerName, error: Invalid, issuer_id: str = ""
) -> web.Response:
    """The page again, with all that is wrong with what was entered."""
    words = problems_in_words(error, language_of(request))
    typed = Typed(wallet=wallet, issuer_id=issuer_id, problems=words)
    return await wallets_page(request, typed)


async def wallets_page(request: web.Request, typed: Typed) -> web.Response:
    """The page, with what could not be kept."""
    session, parts = require_session(request), request.config_dict
    kept = await parts[DB].read(_load, session.merchant.id)
    language, zone = language_of(request), session.merchant.timezone
    query = request.query if request.method == "GET" else {}
    done, wallet = query.get("done", ""), query.get("wallet", "")
    context = {
        "kept": kept,
        "facts": _facts(request, kept.apple),
        "email": await _email(request, kept.google),
        "is_owner": session.staff.role == "owner",
        "typed": typed,
        "problems": typed.problems,
        "done": done if done in _DONE and wallet in KINDS else "",
        "done_wallet": wallet,
        "time_of": lambda at: say_time(at, zone, language),
        "day_of": lambda at: say_day(at, zone, language),
    }
    status = 422 if typed.problems else 200
    page = "merchant/wallets.html"
    return render(request, page, context, status=status, is_packed=True)


def _facts(request: web.Request, apple: AppleCredentials | None) -> dict[str, Any]:
    """Of the certificate: issuer, end, days and how urgent that is."""
    if apple is None:
        return {}
    found = certificate_facts(apple.certificate_pem, apple.wwdr_pem)
    if not isinstance(found, Facts):
        return {"urgency": "bad"}
    now = request.config_dict[CLOCK].now()
    return {
        "issuer": found.issuer,
        "ends_at": found.ends_at,
        "days": found.days_left(now),
        "urgency": found.urgency(now),
    }


async def _email(request: web.Request, google: GoogleCredentials | None) -> str:
    """Who the service account is, "" where its file does not open any more."""
    if google is None:
        return ""
    try:
        return await request.config_dict[GOOGLE].account_email(google.merchant_id)
    except DeliveryError:
        return ""


def _load(tx: Tx, merchant_id: MerchantId) -> _Kept:
    return _Kept(
        apple=apple_credentials(tx, merchant_id),
        request=apple_request(tx, merchant_id),
        google=google_credentials(tx, merchant_id),
        trials={name: last_trial(tx, merchant_id, name) for name in KINDS},
        n_installed={name: count_installed(tx, merchant_id, name) for name in KINDS},
    )
