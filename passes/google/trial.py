"""Tries a merchant's service account out: does Google know it, and let it in?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.errors import DeliveryError
from passes.google.account import ServiceAccount
from passes.google.api import GoogleApi

# "key": no token for this account; "disabled": the API is off in its project;
# "uninvited": not by this issuer; "unknown": no such issuer; "away": no answer;
# "unread": its key does not open here.
Answer = Literal["ok", "key", "disabled", "uninvited", "unknown", "away", "unread"]

_REASON = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class GoogleTrial:
    """How it went, in Google's own words where it had some."""

    answer: Answer
    reason: str = ""

    @property
    def is_good(self) -> bool:
        """Nothing is left to be done?"""
        return self.answer == "ok"


async def try_account(
    api: GoogleApi, account: ServiceAccount, issuer_id: str
) -> GoogleTrial:
    """Get a token, and look at the issuer. `api` has no token yet, or an old one that
    still works would hide that the key was deleted.
    """
    try:
        await api.sign_in(account)
    except DeliveryError as error:
        answer: Answer = "key" if error.halts else "away"
        return GoogleTrial(answer=answer, reason=str(error)[:_REASON])
    try:
        seen = await api.see_issuer(account, issuer_id)
    except DeliveryError as error:
        answer = "unknown" if error.permanent else "away"
        return GoogleTrial(answer=answer, reason=str(error)[:_REASON])
    return GoogleTrial(answer=seen)
