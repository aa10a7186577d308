"""LINE's signature, proved with LINE's own examples."""

import pytest
from linebot.v3.webhook import SignatureValidator

from bot.signature import is_signed

SECRET = "8c570fa6dd201bb328f1c1eac23a96d8"
BODY = b'{"destination":"U8e742f61d673b39c7fff3cecb7536ef0","events":[]}'
SIGNATURE = "GhRKmvmHys4Pi8DxkF4+EayaH0OqtJtaZxgTD9fMDLs="


@pytest.mark.parametrize(
    ("secret", "body", "signature"),
    [
        # https://developers.line.biz/en/docs/messaging-api/verify-webhook-signature/
        (SECRET, BODY, SIGNATURE),
        # The SDK's own test.
        (
            "channel_secret",
            b"bodybodybodybody",
            "/gg9a+LvFevTH1sd7XCQycD7tsWclCsInj7MhBHxN7k=",
        ),
    ],
)
def test_line_s_own_examples_are_signed(secret: str, body: bytes, signature: str):
    assert is_signed(body, signature, [secret])
    assert SignatureValidator(secret).validate(body.decode(), signature)


@pytest.mark.parametrize(
    "signature", [None, "", SIGNATURE[:-1], SIGNATURE.lower(), "ä", "\udcff"]
)
def test_anything_else_is_not(signature: str | None):
    assert not is_signed(BODY, signature, [SECRET])


def test_each_of_several_secrets_counts_and_none_counts_without_any():
    assert is_signed(BODY, SIGNATURE, ["another", SECRET])
    assert is_signed(BODY, SIGNATURE, [SECRET, "another"])
    assert not is_signed(BODY, SIGNATURE, ["another"])
    assert not is_signed(BODY, SIGNATURE, [])
