"""Asking Apple for a certificate: a key that stays here, and the request for it."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

CONTENT_TYPE = "application/pkcs10"
ENDING = "certSigningRequest"
# What Apple takes: https://developer.apple.com/help/account/certificates/
_BITS = 2048


def make_key() -> str:
    """A fresh RSA key as PEM. Takes some 100 ms: call it in a thread."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
    clear = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return key.private_bytes(*clear).decode()


def make_request(key_pem: str, name: str) -> bytes:
    """The request to upload at Apple, always the same for a key.

    Apple takes the key out of it, and nothing else: the names in the certificate are
    its own.
    """
    key = load_pem_private_key(
        key_pem.encode(), None, unsafe_skip_rsa_key_validation=True
    )
    assert isinstance(key, rsa.RSAPrivateKey)
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, name),
            x509.NameAttribute(NameOID.COUNTRY_NAME, "JP"),
        ]
    )
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)
