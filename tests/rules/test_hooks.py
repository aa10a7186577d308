"""Where webhooks may go, and how they are signed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from core.errors import Invalid
from core.rules.hooks import (
    EVENTS,
    MAX_URL,
    check_events,
    check_url,
    is_allowed,
    may_stay_here,
    signature,
)

INSIDE = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",  # the metadata of cloud machines
    "100.64.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:a00:1::",
    "2001:0:808:808::1",
    "2001:db8::1",
    "not an address",
    "",
]
OUTSIDE = [
    "8.8.8.8",
    "203.104.209.7",
    "2606:4700:4700::1111",
    "2001:4860:4860::8888",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
]


@pytest.mark.parametrize("address", INSIDE)
def test_addresses_inside_a_network_are_refused(address):
    assert not is_allowed(address, stays_here=False)


@pytest.mark.parametrize("address", OUTSIDE)
def test_public_addresses_are_allowed(address):
    assert is_allowed(address, stays_here=False)
    assert is_allowed(address, stays_here=True)


def test_a_demo_may_reach_its_own_machine_and_nothing_else_inside():
    allowed = {a for a in INSIDE if is_allowed(a, stays_here=True)}
    assert allowed == {"127.0.0.1", "127.8.8.8", "::1"}


@pytest.mark.parametrize(
    ("public_url", "stays"),
    [
        ("http://localhost:8080", True),
        ("http://127.0.0.1:9", True),
        ("http://[::1]:8080", True),
        ("https://localhost", False),
        ("http://stamps.example.jp", False),
        ("http://localhost.example.jp", False),
        ("http://192.168.1.5", False),
    ],
)
def test_only_a_service_on_the_loopback_without_tls_stays_here(public_url, stays):
    assert may_stay_here(public_url) is stays


@pytest.mark.parametrize(
    "url",
    [
        "https://pos.example.jp/hooks",
        "https://pos.example.jp:8443/a?b=c",
        "https://8.8.8.8/hook",
        "https://[2606:4700:4700::1111]/hook",
        "HTTPS://POS.EXAMPLE.JP/",
    ],
)
def test_public_https_addresses_can_be_kept(url):
    assert check_url(url, stays_here=False) == url


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "url"),
        ("pos.example.jp", "url"),
        ("https://", "url"),
        ("https:///path", "url"),
        ("https://pos.example.jp:99999/", "url"),
        ("https://pos.example.jp:0/", "url"),
        ("https://user:secret@pos.example.jp/", "url"),
        ("https://@pos.example.jp/", "url"),
        ("https://pos.example.jp/#part", "url"),
        ("https://pos.example.jp/a b", "url"),
        ("https://pos.example.jp\\@127.0.0.1/", "url"),
        ("https://pos.example.jp/\r\nHost: x", "url"),
        ("https://レジ.example.jp/", "url"),
        ("https://[::1", "url"),
        ("http://pos.example.jp/", "https"),
        ("ftp://pos.example.jp/", "https"),
        ("file://etc/passwd", "https"),
        ("https://localhost/", "private"),
        ("https://a.localhost/", "private"),
        ("https://printer.local/", "private"),
        ("https://metadata.google.internal/", "private"),
        ("https://intranet/", "private"),
        ("https://127.0.0.1/", "private"),
        ("https://2130706433/", "private"),
        ("https://0x7f000001/", "private"),
        ("https://10.0.0.1/", "private"),
        ("https://[::1]/", "private"),
        ("https://[::ffff:10.0.0.1]/", "private"),
        ("https://169.254.169.254/latest/meta-data/", "private"),
        ("https://pos.example.jp/" + "x" * MAX_URL, "long"),
    ],
)
def test_what_cannot_be_kept_says_why(url, why):
    with pytest.raises(Invalid) as error:
        check_url(url, stays_here=False)
    assert error.value.problems["url"][0] == f"machines.invalid.{why}"


def test_a_demo_may_keep_addresses_of_its_own_machine():
    for url in ("http://localhost:9000/x", "http://127.0.0.1/", "https://[::1]:1/"):
        assert check_url(url, stays_here=True) == url
    with pytest.raises(Invalid):
        check_url("http://192.168.1.5/", stays_here=True)


def test_events_keep_their_own_order_and_unknown_ones_are_refused():
    assert check_events(["voucher.issued", "card.issued"]) == (
        "card.issued",
        "voucher.issued",
    )
    for wrong in ([], ["ping"], ["card.issued", "card.stolen"]):
        with pytest.raises(Invalid):
            check_events(wrong)
    assert len(EVENTS) == 7


def test_a_signature_is_the_one_of_the_readme():
    at = datetime.fromtimestamp(1795413600, UTC)
    body = '{"id":"01KAR3ZJ5Q8J6V1W2X3Y4Z5A6B","type":"ping"}'
    code = "908b205c32cb32474a52ee0ed07011f5eeb831467c418444d506560ad0e5d2d9"
    assert signature("whsec_example", body, at) == f"t=1795413600,v1={code}"
