"""Why something was refused, as a till says it."""

from __future__ import annotations

from core.actions.signin import Session
from core.rules.asking import Refused
from core.wording import say, say_time


def say_refusal(session: Session, refused: Refused) -> str:
    """Why not, as a sentence in the till's language."""
    language, zone = session.language, session.merchant.timezone
    time = say_time(refused.retry_at, zone, language) if refused.retry_at else ""
    return say(f"why.{refused.why.value}", language, time=time)
