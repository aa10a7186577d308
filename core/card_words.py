"""A card and its history in words: the same sentences in the chat, on passes and pages.

Pure. What a channel leaves out is its own business; how it is said is decided here.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.rules.face import CardFace
from core.rules.types import Entry, EntryKind, How, Language
from core.wording import say, say_yen

# Where stamps may come from beside the till, each with a word of its own.
_SPECIAL: frozenset[How] = frozenset(
    {"claim", "paper", "referral", "birthday", "link", "printed", "receipt"}
)
# What these kinds do is the news, however the first entry came about.
_PLAIN_KINDS: frozenset[EntryKind] = frozenset({"rollover", "undo", "expiry", "redeem"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CardWords:
    """What is said of a card below its count; "" for nothing to say.

    `state` is why it is out of use, `ahead` what comes next (or what it led to), and
    `spend` how much is missing for one more stamp where amounts count; `spend_short`
    says only the amount, below a title "Next stamp".
    """

    state: str
    ahead: str
    spend: str
    spend_short: str

    @property
    def first(self) -> str:
        """The one line for where there is room for one."""
        return self.state or self.ahead


def say_card(face: CardFace, language: Language) -> CardWords:
    """The words for `face` in `language`."""
    missing = face.to_spend
    amount = "" if missing is None else say_yen(missing)
    return CardWords(
        state=_state(face, language),
        ahead=_ahead(face, language),
        spend=say("card.spend", language, amount=amount) if amount else "",
        spend_short=say("card.spend_short", language, amount=amount) if amount else "",
    )


def say_stopped(face: CardFace, language: Language) -> str:
    """That the card is stopped, and why where that was written down."""
    if face.is_replaced:
        return say("reissue.pass", language)
    if not face.stop_reason:
        return say("card.stopped", language)
    return say("card.stopped_for", language, reason=face.stop_reason)


def say_entry(entry: Entry, language: Language) -> str:
    """What a line of the history is about, without its stamps."""
    if entry.amount is not None and entry.kind == "stamp":
        return say("entry.purchase", language, amount=say_yen(entry.amount))
    if entry.kind not in _PLAIN_KINDS and entry.how in _SPECIAL:
        return say(f"entry.{entry.how}", language)
    return say(f"entry.{entry.kind}", language)


def _state(face: CardFace, language: Language) -> str:
    match face.state:
        case "stopped":
            return say_stopped(face, language)
        case "paused" if face.ranked_up:
            # Its stamps go to another card, which says itself whether it rests.
            return ""
        case "paused" | "expired":
            return say(f"card.{face.state}", language)
        case "active":
            return ""


def _ahead(face: CardFace, language: Language) -> str:
    leads_to = face.next_program_name
    if face.ranked_up:
        key = "card.ranked_up" if leads_to else "card.ranked_up_somewhere"
        return say(key, language, card=leads_to)
    if face.is_full:
        key = "card.next_card" if leads_to else "card.next_none"
        return say(key, language, card=leads_to)
    if face.next_reward is None:
        return say("card.to_goal", language, n=face.goal - face.balance)
    return say("card.next", language, n=face.to_next, reward=face.next_reward.name)
