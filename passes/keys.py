"""RSA keys that somebody uploads: how large one is comes before whether it is sound."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

BIGGEST_KEY = 4096


class WrongKey(Exception):
    """A key, but of a kind or size that is not taken."""


def read_rsa_key(pem: bytes, *, smallest: int = 0) -> RSAPrivateKey:
    """The key in a PEM without a password, checked. Takes some 50 ms.

    Raises WrongKey, and ValueError, TypeError or UnsupportedAlgorithm for what is none.
    """
    # To check a key of tens of thousands of bits takes minutes.
    found = load_pem_private_key(pem, None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(found, RSAPrivateKey):
        raise WrongKey
    if not smallest <= found.key_size <= BIGGEST_KEY:
        raise WrongKey
    checked = load_pem_private_key(pem, None)
    assert isinstance(checked, RSAPrivateKey)
    return checked
