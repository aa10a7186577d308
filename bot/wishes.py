"""What somebody wishes to do with what is theirs, by words or by a tap. Pure.

What a tap carries is either of no use to others (an id of their own), or a token that
we signed, so that a button of yesterday does nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl

from bot.codes import LETTERS
from bot.limits import POSTBACK_DATA, cut_text
from core.rules.claiming import MAX_TEXT
from core.rules.redeeming import RedemptionId
from core.rules.reminding import KINDS, Kind
from core.rules.types import CardId, VoucherId


@dataclass(frozen=True, slots=True)
class UseVoucher:
    """Use this voucher now, in front of staff."""

    voucher_id: VoucherId


@dataclass(frozen=True, slots=True)
class StopUsing:
    """Not now after all: the request is to wait no more."""

    redemption_id: RedemptionId


@dataclass(frozen=True, slots=True)
class ClaimStamps:
    """Stamps are missing, in these words; `card_id` None: on the only card."""

    text: str
    card_id: CardId | None = None


@dataclass(frozen=True, slots=True)
class Leave:
    """Erase all that is known of me: the confirmation, with our token."""

    token: str


@dataclass(frozen=True, slots=True)
class LinkUp:
    """Show what becomes of my cards with those of the holder of this code."""

    code: str


@dataclass(frozen=True, slots=True)
class ConfirmLink:
    """Put the cards together: the confirmation, with our token."""

    token: str


@dataclass(frozen=True, slots=True)
class Unlink:
    """Take the cards apart again: the confirmation, with our token."""

    token: str


@dataclass(frozen=True, slots=True)
class EnterReferral:
    """A friend gave me this code."""

    code: str


@dataclass(frozen=True, slots=True)
class TellBirthday:
    """My birthday, as typed; whether there is such a day is not looked at here.

    `is_bare`: a day without a word, which may be about anything.
    """

    month: int
    day: int
    is_bare: bool = False


@dataclass(frozen=True, slots=True)
class ForgetBirthday:
    """Forget my birthday."""


@dataclass(frozen=True, slots=True)
class ChooseNews:
    """Tell me of this kind of news, or of none."""

    kind: Kind
    wants: bool


Wish = (
    UseVoucher
    | StopUsing
    | ClaimStamps
    | Leave
    | LinkUp
    | ConfirmLink
    | Unlink
    | EnterReferral
    | TellBirthday
    | ForgetBirthday
    | ChooseNews
)

_BY_TOKEN: dict[str, Callable[[str], Wish]] = {
    "leave": Leave,
    "link": ConfirmLink,
    "unlink": Unlink,
}
_ID = re.compile(r"[0-9A-Z]{1,40}")
_BEFORE_TEXT = "&t="
_LONGEST_TEXT = 1000
_ALIKE = str.maketrans("OIL", "011")
_CODE = r"[\s:：、,はを]*([0-9A-Za-z][0-9A-Za-z \-]{5,12}[0-9A-Za-z])\W*(?:です)?\W*"
_LINK = re.compile(rf"\W*(?:連携|れんけい|link)(?:コード)?{_CODE}", re.IGNORECASE)
_REFERRAL = re.compile(
    rf"\W*(?:(?:友だち|友達|ともだち)?紹介|しょうかい|referral|friend)(?:コード)?{_CODE}",
    re.IGNORECASE,
)
_BIRTHDAY_WORD = r"(?:(?:わたし|私|僕)の)?(?:お?誕生日|たんじょうび|生年月日|birthday)"
_DAY = (
    r"(?:\d{4}\s*[年/.\-]\s*)?(\d{1,2})\s*(?:月\s*|[/.\-・]\s*)(\d{1,2})\s*日?\s*"
    r"(?:生まれ|うまれ)?(?:です)?"
)
_BIRTHDAY = re.compile(
    rf"\W*(?:my\s+)?{_BIRTHDAY_WORD}(?:\s+is)?[\s:：はをが]*{_DAY}\W*", re.IGNORECASE
)
_BIRTHDAY_AFTER = re.compile(rf"\W*{_DAY}[\sがはに]*{_BIRTHDAY_WORD}(?:です)?\W*")
_BARE_DAY = re.compile(
    r"\W*(\d{1,2})\s*月\s*(\d{1,2})\s*日\s*(?:生まれ|うまれ)?(?:です)?\W*"
)
_FORGET = re.compile(
    rf"\W*{_BIRTHDAY_WORD}[\sのをは]*(?:削除|消|けし|忘れ|delete|forget|remove|clear)\w*\W*"
    r"|\W*(?:delete|forget|remove|clear)\s+(?:my\s+)?birthday\W*",
    re.IGNORECASE,
)
_TAPPED_DAY = re.compile(r"(\d{1,2})-(\d{1,2})")
_MISSING = re.compile(
    # 「スタンプが付いていない」「ポイントつかない」「スタンプもらってない」
    r"(?:スタンプ|すたんぷ|ポイント)\S{0,8}?"
    r"(?:(?:付|着|つ)(?:い(?:て)?(?:い)?|か)|もら(?:って(?:い)?|え(?:て(?:い)?)?)"
    r"|押され(?:て(?:い)?)?|入って(?:い)?|たまって(?:い)?|増え(?:て(?:い)?)?)"
    r"(?:な[いかくし]|ません(?!か))"
    r"|(?:スタンプ|すたんぷ|ポイント)(?:が|は|も)?(?:まだ)?"
    r"(?:ない|無い|なかった|ありません|抜け|漏れ|もれ|(?:付|つ)け忘れ)"
    r"|^(?:まだ)?(?:付|つ)い(?:て)?(?:い)?(?:ない|なか|ません)"
    r"|(?:missing|lost|forgot\w*)\s+(?:my\s+|a\s+|the\s+)?stamps?"
    r"|stamps?\s+(?:is|are|was|were)\s+(?:missing|not)"
    r"|(?:no|not\s+get\s+(?:a|my)|didn.t\s+get\s+(?:a|my))\s+stamps?",
    re.IGNORECASE,
)


def marked_wish(text: str) -> Wish | None:
    """The wish in `text` that a word before a code or a day names, or None."""
    text = unicodedata.normalize("NFKC", text[:_LONGEST_TEXT]).strip()
    if (found := _LINK.fullmatch(text)) and (code := _code_of(found[1])):
        return LinkUp(code)
    if (found := _REFERRAL.fullmatch(text)) and (code := _code_of(found[1])):
        return EnterReferral(code)
    return _birthday_wish(text)


def _birthday_wish(text: str) -> Wish | None:
    if _FORGET.fullmatch(text):
        return ForgetBirthday()
    if found := _BIRTHDAY.fullmatch(text) or _BIRTHDAY_AFTER.fullmatch(text):
        return TellBirthday(month=int(found[1]), day=int(found[2]))
    if found := _BARE_DAY.fullmatch(text):
        return TellBirthday(month=int(found[1]), day=int(found[2]), is_bare=True)
    return None


def claim_in(text: str) -> ClaimStamps | None:
    """The claim that stamps are missing, in the customer's own words, or None."""
    words = unicodedata.normalize("NFKC", text[:_LONGEST_TEXT]).split()
    # Japanese is broken into lines anywhere.
    if any(_MISSING.search(between.join(words)) for between in (" ", "")):
        return ClaimStamps(tidy_words(text))
    return None


def tapped_wish(data: str) -> Wish | None:
    """The wish that a button's data stands for, or None."""
    head, _, words = data.partition(_BEFORE_TEXT)
    said = dict(parse_qsl(head))
    does, token = said.get("a", ""), said.get("k", "")
    if does in _BY_TOKEN and token:
        return _BY_TOKEN[does](token)
    ids = {k: v for k, v in said.items() if _ID.fullmatch(v)}
    match does:
        case "use" if "v" in ids:
            return UseVoucher(VoucherId(ids["v"]))
        case "stop" if "r" in ids:
            return StopUsing(RedemptionId(ids["r"]))
        case "claim" if "c" in ids:
            return ClaimStamps(tidy_words(words), CardId(ids["c"]))
        case "news" | "birthday":
            return _tapped_choice(said)
        case _:
            return None


def _tapped_choice(said: dict[str, str]) -> Wish | None:
    if found := _TAPPED_DAY.fullmatch(said.get("d", "")):
        return TellBirthday(month=int(found[1]), day=int(found[2]))
    kind = next((kind for kind in KINDS if kind == said.get("k")), None)
    is_choice = kind and said.get("on") in {"0", "1"}
    return ChooseNews(kind, said["on"] == "1") if kind and is_choice else None


def claim_data(card_id: CardId, text: str) -> str:
    """What the button of a card carries that a claim in these words is about."""
    head = f"a=claim&c={card_id}{_BEFORE_TEXT}"
    return head + cut_text(text, POSTBACK_DATA - len(head))


def tidy_words(text: str) -> str:
    """`text` in one line, as a claim keeps it: at most 200 characters."""
    words = " ".join(text[:_LONGEST_TEXT].split())
    # Joiners inside emoji count as unprintable, and are no loss to who reads this.
    words = "".join(c for c in words if c.isprintable())
    return words if len(words) <= MAX_TEXT else words[: MAX_TEXT - 1] + "…"


def _code_of(typed: str) -> str | None:
    """The code that was typed, or nearly; None for words ("friend tomorrow")."""
    joined = re.sub(r"[ \-]", "", typed)
    has_digit = any(character.isdecimal() for character in joined)
    is_code = len(joined) == LETTERS and (has_digit or joined.isupper())
    is_near = has_digit and abs(len(joined) - LETTERS) == 1
    # Crockford's letters have no O, I and L: who types one means a digit.
    return joined.upper().translate(_ALIKE) if is_code or is_near else None
