"""What does an event ask for? Pure: an event in, one of the asks below out."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl

from bot.codes import find_code
from bot.events import LineEvent
from bot.wishes import Wish, claim_in, marked_wish, tapped_wish
from core.rules.asking import LinePerson, StampAsk
from core.rules.types import MerchantId

Topic = Literal[
    "card",
    "vouchers",
    "history",
    "member",
    "help",
    "data",
    "leave",
    "unlink",
    "referral",
    "birthday",
    "notices",
]


@dataclass(frozen=True, slots=True)
class Show:
    """Show this person something of theirs, or ask them before it is gone."""

    topic: Topic


@dataclass(frozen=True, slots=True)
class Follow:
    """The shop was added as a friend; `again` after having been blocked."""

    again: bool


@dataclass(frozen=True, slots=True)
class Unfollow:
    """The shop was blocked."""


@dataclass(frozen=True, slots=True)
class LeaveGroup:
    """Somebody invited the bot to a group or room, where it has no business."""

    kind: Literal["group", "room"]
    id: str


@dataclass(frozen=True, slots=True)
class Here:
    """This is where I am: latitude and longitude in degrees."""

    place: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Unsend:
    """A message is taken back; its words are no longer ours to keep."""

    message_id: str


@dataclass(frozen=True, slots=True)
class Chat:
    """Words that are no command: for a human, or for the help text."""


@dataclass(frozen=True, slots=True)
class Ignore:
    """Nothing to do; `why` stands in the inbox."""

    why: str


Ask = (
    StampAsk
    | Show
    | Follow
    | Unfollow
    | LeaveGroup
    | Here
    | Unsend
    | Chat
    | Ignore
    | Wish
)

# PC LINE has no rich menu, so everything answers to words. Those whose feature is
# still to come (言語) get the help text, which names what there is.
_WORDS: dict[Topic, str] = {
    "card": "カード スタンプカード マイカード ポイントカード スタンプ ポイント かーど"
    " すたんぷ 残高 card cards stamp stamps stampcard balance wallet",
    "vouchers": "特典 特典チケット とくてん チケット クーポン 景品"
    " reward rewards voucher vouchers coupon coupons",
    "history": "履歴 りれき スタンプ履歴 利用履歴 history",
    "member": "会員証 会員番号 かいいんしょう"
    " member membership membershipcard membercard memberid membernumber",
    "help": "ヘルプ へるぷ 使い方 つかいかた はじめかた 解除 言語"
    " help howto start language",
    "data": "データ でーた 登録情報 マイデータ 個人情報 登録内容 data mydata",
    "leave": "退会 たいかい 退会手続き 退会方法 データ削除 登録削除"
    " leave unsubscribe deletemydata erasemydata deletemyaccount",
    "referral": "友だち紹介 友達紹介 ともだち紹介 紹介 紹介コード お友だち紹介"
    " referral referralcode friendcode invite inviteafriend",
    "birthday": "誕生日 お誕生日 たんじょうび 誕生日登録 birthday",
    "unlink": "連携解除 連携を解除 unlink",
    "notices": "通知 お知らせ おしらせ 通知設定 お知らせ設定 通知解除"
    " notifications notification notices news",
}
_COMMANDS = {word: topic for topic, words in _WORDS.items() for word in words.split()}
_LEADING = re.compile(r"^(?:私の|わたしの|僕の|自分の|show|me|my|the)+")
_TRAILING = re.compile(
    r"(?:を|は|が|の|見せて|みせて|見たい|みたい|見る|みる|表示|確認|教えて|おしえて|一覧"
    r"|出して|だして|ある|あり|ください|下さい|お願い|おねがい|します|いたします|したい|して|です|ます"
    r"|か|ね|よ|please)+$"
)
_PLAIN = re.compile(r"[\s\W_]+")


def answer(event: LineEvent, merchant_id: MerchantId) -> Ask:
    """What `event` asks for, whoever may be allowed to get it."""
    if not event.is_active:
        return Ignore("standby")
    if event.kind == "join" and event.source in ("group", "room") and event.place:
        return LeaveGroup("group" if event.source == "group" else "room", event.place)
    if not event.person:
        return Ignore(f"{event.kind} without a person"[:60])
    return _of_person(event, merchant_id)


def _of_person(event: LineEvent, merchant_id: MerchantId) -> Ask:
    match event.kind:
        case "message":
            return _of_message(event, merchant_id)
        case "postback":
            return _of_postback(event.postback or "")
        case "follow":
            return Follow(again=event.is_unblocked)
        case "unfollow":
            return Unfollow()
        case "unsend" if event.unsent:
            return Unsend(event.unsent)
        case _:
            return Ignore(f"{event.kind} is not for us"[:60])


def _of_message(event: LineEvent, merchant_id: MerchantId) -> Ask:
    if event.spot:
        return Here(event.spot)
    if not event.text:
        return Ignore("no text")
    topic = _command(event.text)
    if topic is not None:
        return Show(topic)
    # Before till codes: those of others look the same, but for the word before them.
    wish = marked_wish(event.text)
    if wish is not None:
        return wish
    code = find_code(event.text)
    if code is None:
        return claim_in(event.text) or Chat()
    return StampAsk(
        merchant_id=merchant_id,
        key=f"line:{event.id}",
        how="line",
        code=code,
        person=LinePerson(user_id=event.person),
    )


def _of_postback(data: str) -> Ask:
    wish = tapped_wish(data)
    if wish is not None:
        return wish
    wanted = dict(parse_qsl(data)).get("a", "")
    topic: Topic | None = next((topic for topic in _WORDS if topic == wanted), None)
    return Ignore("unknown postback") if topic is None else Show(topic)


def _command(text: str) -> Topic | None:
    longest = 40
    if len(text) > longest:
        return None
    word = _PLAIN.sub("", unicodedata.normalize("NFKC", text).casefold())
    for form in (word, _TRAILING.sub("", _LEADING.sub("", word))):
        if form in _COMMANDS:
            return _COMMANDS[form]
    return None
