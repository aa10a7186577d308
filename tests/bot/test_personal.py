"""What a customer does with what is theirs, in the chat, over the real worker."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from sqlalchemy import select, update

from core.actions.apply import MerchantFile, apply_merchant
from core.actions.claims import approve_claim, list_claims, reject_claim
from core.actions.grant import grant_stamps
from core.actions.join import know_person, open_card
from core.actions.link import make_link_code
from core.actions.redeem import load_voucher
from core.actions.redemptions import confirm_redemption, waiting_redemptions
from core.rules.asking import StampAsk
from core.rules.types import Gift, Why
from core.store.tables import claim, customer, inbox, link, redemption
from tests.bot.line_house import CHANNEL, LineHouse, texts_in
from tests.bot.taps import link_in, tap, taps_in
from tests.builders import coffee


@pytest.fixture
async def mika(house: LineHouse) -> str:
    """A friend of the shop; the worker runs."""
    house.run()
    return house.friend()


async def stamped(house: LineHouse, user_id: str, stamps: int = 1) -> None:
    code = await house.shop.till_code(house.clock.now(), stamps=stamps)
    await house.ask(user_id, f"STAMP {code.code}")


async def again(house: LineHouse) -> None:
    """The last event is done once more, as if the process had died before noting it."""

    def forget(tx):
        last = select(inbox.c.event_id).order_by(inbox.c.received_at.desc()).limit(1)
        one = tx.execute(last).scalar_one()
        tx.execute(
            update(inbox)
            .where(inbox.c.event_id == one)
            .values(state="waiting", lease_until=None, attempts=1)
        )

    await house.settled()
    await house.db.write(forget)
    await house.settled()


def rows(table):
    return lambda tx: tx.execute(select(table)).all()


def said(message) -> str:
    return "\n".join(texts_in(message))


# --- using a reward -------------------------------------------------------------------


async def ask_to_use(house: LineHouse, user_id: str):
    (use,) = taps_in(await house.ask(user_id, "特典"), "use")
    return await tap(house, user_id, use)


async def test_a_reward_waits_for_staff_and_is_used_once_they_confirm(house, mika):
    await stamped(house, mika, 10)
    message = await ask_to_use(house, mika)

    (waiting,) = await house.db.read(
        waiting_redemptions, house.shop.merchant.id, house.clock.now()
    )
    assert texts_in(message)[0] == "スタッフにお見せください"
    assert f"No.{waiting.voucher.number}" in texts_in(message)
    assert "11/23 15:05まで有効(5分間)" in message["altText"]
    assert link_in(message, "/v/").startswith("https://stamps.example.jp/v/")

    await house.db.write(
        confirm_redemption,
        merchant_id=house.shop.merchant.id,
        redemption_id=waiting.redemption.id,
        by=house.shop.owner,
        key="till",
        now=house.clock.now(),
    )
    assert "いま使える特典はありません" in said(await house.ask(mika, "特典"))


async def test_not_now_keeps_the_reward(house, mika):
    await stamped(house, mika, 10)
    (stop,) = taps_in(await ask_to_use(house, mika), "stop")
    assert "そのまま残っています" in said(await tap(house, mika, stop))
    assert not await house.db.read(
        waiting_redemptions, house.shop.merchant.id, house.clock.now()
    )
    # A second tap says the same; the reward can be used again.
    assert "そのまま残っています" in said(await tap(house, mika, stop))
    assert "スタッフにお見せください" in said(await ask_to_use(house, mika))


async def test_two_taps_and_a_redelivery_are_one_request(house, mika):
    await stamped(house, mika, 10)
    (use,) = taps_in(await house.ask(mika, "特典"), "use")
    await tap(house, mika, use)
    await tap(house, mika, use)
    await again(house)
    assert len(await house.db.read(rows(redemption))) == 1


async def test_a_reward_of_somebody_else_cannot_be_used(house, mika):
    await stamped(house, mika, 10)
    (use,) = taps_in(await house.ask(mika, "特典"), "use")
    taro = house.friend("太郎")
    await house.ask(taro, "カード")
    assert "この特典は取り消されています" in said(await tap(house, taro, use))
    assert await house.db.read(rows(redemption)) == []


async def test_a_used_reward_says_so(house, mika):
    await stamped(house, mika, 10)
    listed = await house.ask(mika, "特典")
    (use,) = taps_in(listed, "use")
    (stop,) = taps_in(await tap(house, mika, use), "stop")
    (waiting,) = await house.db.read(
        waiting_redemptions, house.shop.merchant.id, house.clock.now()
    )
    await house.db.write(
        confirm_redemption,
        merchant_id=house.shop.merchant.id,
        redemption_id=waiting.redemption.id,
        by=house.shop.owner,
        key="till",
        now=house.clock.now(),
    )
    for button in (use, stop):
        assert "この特典は使用済みです。" in said(await tap(house, mika, button))
    voucher = await house.db.read(
        load_voucher, house.shop.merchant.id, waiting.voucher.id
    )
    assert voucher.state == "redeemed"


async def test_after_five_minutes_the_cancel_button_says_that_it_is_over(house, mika):
    await stamped(house, mika, 10)
    (stop,) = taps_in(await ask_to_use(house, mika), "stop")
    house.clock.move(minutes=6)
    assert "受け付け時間が過ぎました" in said(await tap(house, mika, stop))


# --- missing stamps -------------------------------------------------------------------


async def test_a_claim_says_what_was_refused_and_the_answer_is_in_the_history(
    house, mika
):
    await stamped(house, mika)
    await stamped(house, mika)
    message = await house.ask(mika, "昨日のスタンプが付いていないのですが…")
    assert "お申し出を受け付けました(コーヒーカード)。" in said(message)
    assert "・11/23 15:00 その日の分は付与済み" in said(message)
    (view,) = await house.db.read(list_claims, house.shop.merchant.id)
    assert view.claim.text == "昨日のスタンプが付いていないのですが…"
    assert [each.why for each in view.claim.refusals] == [Why.already_today]

    assert "コーヒーカード: お店が確認中です" in said(await house.ask(mika, "履歴"))
    assert "お申し出は受け付け済みです" in said(await house.ask(mika, "スタンプがない"))
    await house.db.write(
        approve_claim,
        merchant_id=house.shop.merchant.id,
        claim_id=view.claim.id,
        by=house.shop.owner,
        key="approve",
        now=house.clock.now(),
    )
    assert "コーヒーカード: お店がスタンプを付けました" in said(
        await house.ask(mika, "履歴")
    )
    assert "10個中2個 あと8個" in said(await house.ask(mika, "カード"))
    house.clock.move(days=15)
    assert "お店がスタンプを付けました" not in said(await house.ask(mika, "履歴"))


async def test_a_rejected_claim_is_answered_in_the_shops_words(house, mika):
    await stamped(house, mika)
    await house.ask(mika, "missing stamp")
    (view,) = await house.db.read(list_claims, house.shop.merchant.id)
    await house.db.write(
        reject_claim,
        merchant_id=house.shop.merchant.id,
        claim_id=view.claim.id,
        by=house.shop.owner,
        answer="テイクアウトは対象外です",
        key="reject",
        now=house.clock.now(),
    )
    await house.ask(mika, "履歴")
    assert "お店からのお返事「テイクアウトは対象外です」" in said(
        [item.message for item in house.answers(mika)[-2:]]
    )


async def test_of_several_cards_the_customer_chooses_the_one(house, mika):
    await another_card(house)
    await house.ask(mika, "カード")
    words = "スタンプが付いていません & お願いします 100%"
    message = await house.ask(mika, words)
    assert "どのカードのスタンプですか？" in said(message)
    buttons = taps_in(message, "claim")
    assert {b["label"] for b in buttons} == {"コーヒーカード", "紅茶カード"}
    assert await house.db.read(list_claims, house.shop.merchant.id) == []

    tea = next(b for b in buttons if b["label"] == "紅茶カード")
    assert "お申し出を受け付けました(紅茶カード)" in said(await tap(house, mika, tea))
    (view,) = await house.db.read(list_claims, house.shop.merchant.id)
    assert (view.claim.text, view.program.design.name) == (words, "紅茶カード")


async def test_a_claim_of_somebody_unknown_finds_a_new_card(house, mika):
    message = await house.ask(mika, "スタンプ付いてない")
    assert "受け付けられなかった読み取りの記録はありませんでした" in said(message)
    await again(house)
    assert len(await house.db.read(rows(claim))) == 1


async def another_card(house: LineHouse) -> None:
    """紅茶カード beside コーヒーカード: who comes now has both."""
    file = MerchantFile(
        merchant={
            "key": "aozora",
            "name": "あおぞら珈琲",
            "timezone": "Asia/Tokyo",
            "day_starts_at": 5,
            "contact": "info@example.jp",
            "languages": ["ja", "en"],
        },
        shops=({"key": "main", "name": "本店"},),
        programs=(("coffee", coffee()), ("tea", coffee(name="紅茶カード"))),
        staff=(),
        api_keys=(),
    )
    await house.db.write(apply_merchant, file, {}, house.clock.now())


# --- leaving --------------------------------------------------------------------------


async def test_leaving_asks_first_and_then_everything_is_gone(house, mika):
    await stamped(house, mika, 12)
    message = await house.ask(mika, "退会したいです")
    shown = said(message)
    assert "本当に退会しますか？" in shown
    assert "・コーヒーカード(スタンプ2個)" in shown
    assert "・使える特典 1枚" in shown
    assert await house.db.read(know_person, house.shop.merchant.id, mika)

    (leave,) = taps_in(message, "leave")
    assert "退会の手続きが終わりました" in said(await tap(house, mika, leave))
    assert await house.db.read(know_person, house.shop.merchant.id, mika) is None
    (row,) = await house.db.read(rows(customer))
    assert (row.name, row.line_user_id) == ("", None)
    # Somebody new, with a new card.
    assert "10個中0個 あと10個" in texts_in(await house.ask(mika, "カード"))
    # The button of the earlier life does nothing to this one.
    assert "古くなっています" in said(await tap(house, mika, leave))
    assert "10個中0個 あと10個" in texts_in(await house.ask(mika, "カード"))


async def test_an_old_or_strange_button_lets_nobody_leave(house, mika):
    await stamped(house, mika)
    (leave,) = taps_in(await house.ask(mika, "退会"), "leave")
    taro = house.friend("太郎")
    await house.ask(taro, "カード")
    forged = [
        (taro, leave),
        (mika, leave | {"data": leave["data"][:-3]}),
        (mika, leave | {"data": "a=leave&k=" + house.links.sign("link", mika)}),
    ]
    for user_id, button in forged:
        assert "古くなっています" in said(await tap(house, user_id, button))
    house.clock.move(minutes=11)
    assert "古くなっています" in said(await tap(house, mika, leave))
    for user_id in (mika, taro):
        assert await house.db.read(know_person, house.shop.merchant.id, user_id)


async def test_leaving_twice_at_once_is_leaving_once(house, mika):
    await stamped(house, mika)
    (leave,) = taps_in(await house.ask(mika, "leave"), "leave")
    for _ in range(2):
        assert "退会の手続きが終わりました" in said(await tap(house, mika, leave))
    assert len(await house.db.read(rows(customer))) == 1


async def test_who_is_not_known_has_nothing_to_erase(house, mika):
    assert "消すものは残っていません" in said(await house.ask(mika, "退会"))
    assert await house.db.read(rows(customer)) == []


# --- linking --------------------------------------------------------------------------


async def wallet_holder(house: LineHouse, stamps: int = 4) -> str:
    """A card without LINE with some stamps; the code of its page."""
    merchant_id, now = house.shop.merchant.id, house.clock.now()
    card_id = await house.db.write(
        open_card, merchant_id=merchant_id, program_key="coffee", key="open", now=now
    )
    ask = StampAsk(
        merchant_id=merchant_id, key="s", how="till", card_id=card_id, stamps=stamps
    )
    await house.db.write(grant_stamps, ask, now)
    made = await house.db.write(make_link_code, merchant_id, card_id, now)
    return made.code


async def test_linking_shows_the_sum_first_and_can_be_taken_back(house, mika):
    await stamped(house, mika, 3)
    code = await wallet_holder(house)
    message = await house.ask(mika, f"連携 {code.lower()}")
    assert "コーヒーカード: いまの3個 + もう1枚の4個 → 7個" in said(message)
    assert "10個中3個 あと7個" in texts_in(await house.ask(mika, "カード"))

    (link_up,) = taps_in(message, "link")
    assert "カードをひとつにまとめました" in said(await tap(house, mika, link_up))
    await again(house)
    assert "10個中7個 あと3個" in texts_in(await house.ask(mika, "カード"))
    assert len(await house.db.read(rows(link))) == 1

    message = await house.ask(mika, "連携解除")
    assert "11/23 15:00にまとめたカード" in said(message)
    (apart,) = taps_in(message, "unlink")
    assert "連携を元に戻しました" in said(await tap(house, mika, apart))
    await again(house)
    assert "10個中3個 あと7個" in texts_in(await house.ask(mika, "カード"))
    assert "元に戻せる連携はありません" in said(await house.ask(mika, "連携解除"))


async def test_a_link_code_that_is_no_good_is_explained(house, mika):
    code = await wallet_holder(house)
    assert "コードが見つかりません" in said(await house.ask(mika, "連携 7K3Q9FJ2"))
    (link_up,) = taps_in(await house.ask(mika, f"link {code}"), "link")
    await tap(house, mika, link_up)
    assert "このコードは使用済みです" in said(await house.ask(mika, f"連携 {code}"))
    taro = house.friend("太郎")
    assert "古くなっています" in said(await tap(house, taro, link_up))
    house.clock.move(minutes=11)
    assert "古くなっています" in said(await tap(house, mika, link_up))


async def test_an_expired_link_code_is_explained(house, mika):
    code = await wallet_holder(house)
    house.clock.move(minutes=11)
    assert "(10分)が過ぎました" in said(await house.ask(mika, f"連携 {code}"))


async def test_after_a_week_cards_stay_together(house, mika):
    code = await wallet_holder(house)
    (link_up,) = taps_in(await house.ask(mika, f"連携 {code}"), "link")
    await tap(house, mika, link_up)
    house.clock.move(days=8)
    assert "元に戻せる連携はありません" in said(await house.ask(mika, "連携解除"))


# --- what is known --------------------------------------------------------------------


async def test_what_is_known_is_told_in_plain_words(house, mika):
    await stamped(house, mika, 12)
    message = await house.ask(mika, "登録情報を見せてください")
    known = await house.db.read(know_person, house.shop.merchant.id, mika)
    assert texts_in(message) == [
        "お店が持っているあなたの情報",
        "お名前: 美香",
        f"会員番号: {known.member_no}",
        "登録日: 2026/11/23",
        "誕生日: 登録なし",
        "カード: コーヒーカード 2/10個(これまで12個) 使える特典 1枚",
        "お知らせ: このトークへのお返事だけです",
        "すべて消すときは「退会」と送ってください。",
    ]
    assert link_in(message, "/w/")


async def test_of_a_stranger_nothing_is_known(house, mika):
    assert "登録はありません" in said(await house.ask(mika, "データ"))
    assert await house.db.read(rows(customer)) == []


# --- in English -----------------------------------------------------------------------


async def test_all_of_it_is_said_in_english_too(house):
    house.run()
    lee = house.friend("Lee", "en")
    await stamped(house, lee, 10)
    (use,) = taps_in(await house.ask(lee, "rewards"), "use")
    assert "Please show this to the staff" in said(await tap(house, lee, use))
    assert "We have your note" in said(await house.ask(lee, "My stamp is missing"))
    assert "the shop is looking at it" in said(await house.ask(lee, "history"))
    assert "Name: Lee" in said(await house.ask(lee, "my data"))
    code = await wallet_holder(house)
    message = await house.ask(lee, f"link {code}")
    assert "+ 4 there → 4" in said(message)
    (link_up,) = taps_in(message, "link")
    assert "Your cards are one now" in said(await tap(house, lee, link_up))
    (apart,) = taps_in(await house.ask(lee, "unlink"), "unlink")
    assert "apart again" in said(await tap(house, lee, apart))
    (leave,) = taps_in(await house.ask(lee, "unsubscribe"), "leave")
    assert "are erased" in said(await tap(house, lee, leave))


# --- friends --------------------------------------------------------------------------


async def design(house: LineHouse, **changes) -> None:
    """コーヒーカード as it is from now on."""
    file = MerchantFile(
        merchant={
            "key": "aozora",
            "name": "あおぞら珈琲",
            "timezone": "Asia/Tokyo",
            "day_starts_at": 5,
            "contact": "info@example.jp",
            "languages": ["ja", "en"],
        },
        programs=(("coffee", coffee(**changes)),),
    )
    await house.db.write(apply_merchant, file, {}, house.clock.now())


async def test_a_friend_comes_by_a_code_and_both_get_stamps(house, mika):
    await design(house, referral=2)
    await stamped(house, mika)
    message = await house.ask(mika, "友だち紹介")
    known = await house.db.read(know_person, house.shop.merchant.id, mika)
    code = known.referral_code
    assert f"あなたの紹介コード: {code}" in texts_in(message)
    assert "コーヒーカード: ふたりともスタンプ2個" in texts_in(message)
    url = link_in(message, "/R/share")
    sent = unquote(url.removeprefix("https://line.me/R/share?text="))
    assert sent.startswith(
        f"あおぞら珈琲のスタンプカードをはじめませんか？「紹介 {code}」"
    )
    link_there = urlsplit(sent.splitlines()[1])
    assert link_there.path == "/R/oaMessage/%40aozora/"

    # The friend sends what the link fills in.
    taro = house.friend("太郎")
    message = await house.ask(taro, unquote(link_there.query))
    assert "紹介コードを受け付けました" in said(message)
    await again(house)
    await stamped(house, taro)
    for user_id in (mika, taro):
        assert "10個中3個 あと7個" in texts_in(await house.ask(user_id, "カード"))


async def test_every_refusal_of_a_friends_code_is_explained(house, mika):
    await design(house, referral=2)
    await house.ask(mika, "紹介")
    known = await house.db.read(know_person, house.shop.merchant.id, mika)
    code = known.referral_code
    assert "ご自身のコードは使えません" in said(await house.ask(mika, f"紹介 {code}"))
    taro = house.friend("太郎")
    assert "紹介コードが見つかりません" in said(
        await house.ask(taro, "紹介コード ZZZZZZZZ")
    )
    await stamped(house, taro)
    assert "はじめてスタンプをもらう前に" in said(
        await house.ask(taro, f"友だち紹介 {code}")
    )


async def test_where_nobody_thanks_for_friends_that_is_said(house, mika):
    for words in ("友だち紹介", "紹介 7K3Q9FJ2"):
        assert "友だち紹介の特典はありません" in said(await house.ask(mika, words))


# --- birthdays ------------------------------------------------------------------------


async def birthday(house: LineHouse, user_id: str) -> str | None:
    known = await house.db.read(know_person, house.shop.merchant.id, user_id)
    return known.birthday


@pytest.mark.parametrize(
    ("words", "kept", "first"),
    [
        ("誕生日 5/3", "05-03", "2027/5/3"),
        ("わたしの誕生日は５月３日です", "05-03", "2027/5/3"),
        ("5月3日が誕生日です!", "05-03", "2027/5/3"),
        ("誕生日:1990年12月24日", "12-24", "2026/12/24"),
        # Within 30 days: the one after.
        ("誕生日 12-1", "12-01", "2027/12/1"),
        ("My birthday is 2/29", "02-29", "2027/2/28"),
    ],
)
async def test_a_birthday_is_told_in_many_ways(house, mika, words, kept, first):
    await design(house, birthday=Gift(name="ケーキ", valid="30d"))
    message = await house.ask(mika, words)
    assert "を登録しました" in said(message)
    assert f"最初の特典: {first}" in said(message)
    assert await birthday(house, mika) == kept


async def test_a_birthday_can_be_seen_changed_and_forgotten(house, mika):
    await design(house, birthday=Gift(name="ケーキ"))
    message = await house.ask(mika, "誕生日")
    assert "コーヒーカード: 「ケーキ」" in texts_in(message)
    assert "登録から30日たったあと" in said(message)
    assert "月と日を確認してください" in said(await house.ask(mika, "誕生日 2/30"))
    assert await birthday(house, mika) is None
    await house.ask(mika, "誕生日 5/3")
    assert "登録されているお誕生日: 5月3日" in said(await house.ask(mika, "お誕生日"))
    assert "誕生日: 5月3日" in said(await house.ask(mika, "データ"))
    await house.ask(mika, "誕生日 6/4")
    assert await birthday(house, mika) == "06-04"
    assert "消しました" in said(await house.ask(mika, "誕生日 削除"))
    assert await birthday(house, mika) is None


async def test_a_day_alone_is_asked_about_and_kept_by_a_tap(house, mika):
    await design(house, birthday=Gift(name="ケーキ"))
    message = await house.ask(mika, "5月3日")
    assert "5月3日をお誕生日として登録しますか？" in said(message)
    assert await birthday(house, mika) is None
    (yes,) = taps_in(message, "birthday")
    assert "を登録しました" in said(await tap(house, mika, yes))
    assert await birthday(house, mika) == "05-03"


async def test_a_day_alone_is_left_to_people_where_they_answer(house, mika):
    await design(house, birthday=Gift(name="ケーキ"))
    house.line.world.channel(CHANNEL).chat_mode = "chat"
    await house.line.say(CHANNEL, mika, "5月3日")
    await house.settled()
    assert house.answers(mika) == []


async def test_without_a_gift_no_birthday_is_asked_for_or_kept(house, mika):
    for words in ("誕生日", "誕生日 5/3"):
        assert "お誕生日の特典はありません" in said(await house.ask(mika, words))
    assert "送れることば" in said(await house.ask(mika, "5月3日"))
    assert await birthday(house, mika) is None
