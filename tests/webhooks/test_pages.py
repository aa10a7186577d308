"""The small parts under the pages: limits, forms, files, masks."""

from __future__ import annotations

import gzip
from datetime import timedelta

import pytest
from aiohttp.test_utils import make_mocked_request

from core.errors import Invalid
from tests.conftest import START
from tests.webhooks.rooms import serve_rooms
from webhooks.assets import static_url
from webhooks.csrf import masked, unmasked
from webhooks.forms import local_path, problems_in_words, whole_number
from webhooks.limits import TryLimit, client_ip, limit_key
from webhooks.merchant.svg import clip, wrap


def test_a_bucket_lets_a_burst_through_and_then_one_at_a_time():
    limit = TryLimit(3, 10)

    assert [limit.take("a", START) for _ in range(3)] == [0, 0, 0]
    assert limit.take("a", START) == 10
    assert limit.take("b", START) == 0
    assert limit.take("a", START + timedelta(seconds=4)) == pytest.approx(6)
    assert limit.take("a", START + timedelta(seconds=10)) == 0
    assert limit.take("a", START + timedelta(seconds=10)) == 10


def test_a_good_try_does_not_count():
    limit = TryLimit(1, 10)
    for _ in range(5):
        assert limit.take("a", START) == 0
        limit.give_back("a", START)


def test_many_addresses_do_not_fill_the_memory():
    limit = TryLimit(1, 10)
    for number in range(10_050):
        limit.take(str(number), START)

    assert limit.take("10049", START) == 10
    assert limit.take("0", START) == 0


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.9", None, "203.0.113.9"),
        ("203.0.113.9", "198.51.100.7", "203.0.113.9"),
        ("127.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("172.18.0.3", "6.6.6.6, 198.51.100.7", "198.51.100.7"),
        ("10.0.0.2", "nonsense", "10.0.0.2"),
        ("10.0.0.2", "", "10.0.0.2"),
    ],
)
def test_only_a_proxy_of_ours_is_believed(peer, forwarded, address):
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    request = make_mocked_request("GET", "/", headers=headers).clone(remote=peer)

    assert client_ip(request) == address


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_an_ipv6_site_is_one_asker(address, key):
    assert limit_key(address) == key


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("/merchant/?a=1", "/merchant/?a=1"),
        ("//evil.example", "-"),
        ("/\\evil.example", "-"),
        ("https://evil.example", "-"),
        ("/\tx", "-"),
        ("", "-"),
    ],
)
def test_only_paths_of_this_site_are_followed(wanted, found):
    assert local_path(wanted, "-") == found


@pytest.mark.parametrize(
    ("text", "number"),
    [("7", 7), ("", None), ("-1", None), ("²", None), ("9" * 5000, None)],
)
def test_only_short_runs_of_digits_are_numbers(text, number):
    assert whole_number(text) == number


def test_problems_are_put_into_the_reader_s_words():
    error = Invalid({"goal": ("invalid.number", {"min": 1, "max": 50})})

    assert problems_in_words(error, "ja") == {"goal": "1〜50の数を入力してください。"}
    assert "1 to 50" in problems_in_words(error, "en")["goal"]


def test_a_masked_token_never_looks_the_same_and_is_the_same():
    token = "Zk3_x-" * 5

    assert len({masked(token) for _ in range(20)}) == 20
    assert unmasked(masked(token)) == token
    assert unmasked(token) == token


@pytest.mark.parametrize("text", [".", "0.", "00.0000", "zz.zz", "ff.00", "..."])
def test_a_broken_mask_is_no_token(text):
    assert not unmasked(text)


def test_long_text_is_cut_and_wrapped_where_japanese_breaks():
    assert clip("あいうえお", 10, 50) == "あいうえお"
    assert clip("あいうえお", 10, 49) == "あいう…"
    assert wrap("あいう。えお", 10, 30) == ["あい", "う。え", "お"]
    assert wrap("two words", 10, 30) == ["two", "words"]
    assert wrap("一\n二\n三", 10, 30, 2) == ["一", "二 三"]


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
class TestFiles:
    """Style sheets and scripts over HTTP."""

    async def test_they_are_kept_for_ever_under_their_hash(self, db, settings, clock):
        async with serve_rooms(db, settings, clock) as client:
            answer = await client.get(static_url("app.css"))
            assert "immutable" in answer.headers["Cache-Control"]
            assert answer.content_type == "text/css"

            answer = await client.get("/static/app.css?v=000000000000")
            assert answer.headers["Cache-Control"] == "no-cache"

    async def test_they_travel_packed_where_the_browser_can_unpack(
        self, db, settings, clock
    ):
        async with serve_rooms(db, settings, clock) as client:
            client.session._auto_decompress = False
            url = static_url("app.css")
            packed = await client.get(url, headers={"Accept-Encoding": "gzip"})
            plain = await client.get(url, headers={"Accept-Encoding": "identity"})

            small, large = await packed.read(), await plain.read()
            assert gzip.decompress(small) == large
            assert len(small) < len(large) / 2

    async def test_a_browser_that_has_them_gets_nothing_again(
        self, db, settings, clock
    ):
        async with serve_rooms(db, settings, clock) as client:
            first = await client.get("/static/app.css")
            tag = first.headers["ETag"]

            again = await client.get("/static/app.css", headers={"If-None-Match": tag})

            assert again.status == 304

    @pytest.mark.parametrize("name", ["nothing.css", "..%2fapp.py", "%00"])
    async def test_nothing_else_is_served(self, db, settings, clock, name):
        async with serve_rooms(db, settings, clock) as client:
            answer = await client.get(f"/static/{name}")

            assert answer.status == 404
