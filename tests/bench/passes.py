"""S4: passes built with their pictures at hand, beside bare RSA-2048 signatures."""

from __future__ import annotations

import time
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from passes.apple.bundle import build_pkpass
from tests.passes.apple_chain import chain, signer
from tests.passes.test_apple_bundle import STRINGS, make_info

ROUNDS = 400
PICTURES = {
    name: b"\x89PNG\r\n\x1a\n" + bytes(size)
    for name, size in (
        ("icon.png", 900),
        ("icon@2x.png", 1800),
        ("icon@3x.png", 2600),
        ("logo@2x.png", 2000),
        ("strip@2x.png", 9000),
        ("strip@3x.png", 16000),
    )
}


def measure() -> tuple[float, float]:
    """Passes a second, and signatures a second, of one core."""
    own = signer()
    key = load_pem_private_key(chain().key_pem.read_bytes(), None)
    assert isinstance(key, RSAPrivateKey)
    info = make_info()
    passes = _rate(lambda: build_pkpass(info, PICTURES, STRINGS, own))
    signatures = _rate(lambda: key.sign(b"a manifest", PKCS1v15(), SHA256()))
    return passes, signatures


def _rate(work: Callable[[], object]) -> float:
    work()
    before = time.process_time()
    for _ in range(ROUNDS):
        work()
    return ROUNDS / (time.process_time() - before)
