"""Keys, sealed secrets, passwords and unguessable tokens.

One master key (`STAMPCARD_SECRET_KEY`) never reaches the database or a backup; every
use derives its own key from it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from core.errors import Unsealable

# OWASP's minimum: 25-35 ms and 19 MiB a login. The library's default takes 64 MiB,
# and sixteen logins at once would then hold half a gigabyte.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
_NOBODY = _HASHER.hash("the password of nobody, so that unknown users cost the same")

# Crockford's base 32: no I, L, O, U, so nothing is misread at a counter.
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Vault:
    """Seals and opens small secrets, and derives keys that need no storing."""

    def __init__(self, master: str) -> None:
        self._master = master.encode()
        self._sealing = AESGCM(self.derive("seal", length=32))

    def derive(self, *purpose: str, length: int = 32) -> bytes:
        """A key of `length` bytes for one purpose, always the same one."""
        info = b"\0".join(part.encode() for part in purpose)
        kdf = HKDF(algorithm=SHA256(), length=length, salt=b"stampcard", info=info)
        return kdf.derive(self._master)

    def token(self, *purpose: str) -> str:
        """An unguessable URL-safe token (43 letters) that is derived, not stored."""
        return (
            base64.urlsafe_b64encode(self.derive("token", *purpose))
            .rstrip(b"=")
            .decode()
        )

    def pin_mac(self, merchant_id: str, pin: str) -> str:
        """What is stored of a PIN, in hex: the same at this merchant each time, so
        that a PIN finds its owner. Without the key ten thousand guesses tell nothing.
        """
        text = f"{merchant_id}\0{pin}".encode()
        return hmac.new(self.derive("pin"), text, hashlib.sha256).hexdigest()

    def seal(self, plain: str, *place: str) -> str:
        """Encrypt `plain` for one place (merchant, column): it opens nowhere else.

        AES-256-GCM with the place as associated data; without it, two merchants'
        ciphertexts could be swapped and would still decrypt.
        """
        nonce = secrets.token_bytes(12)
        sealed = self._sealing.encrypt(nonce, plain.encode(), "\0".join(place).encode())
        return "v1." + base64.urlsafe_b64encode(nonce + sealed).decode()

    def open(self, sealed: str, *place: str) -> str:
        """Decrypt what `seal` made for the same place; `Unsealable` otherwise."""
        try:
            raw = base64.urlsafe_b64decode(sealed.removeprefix("v1."))
            plain = self._sealing.decrypt(raw[:12], raw[12:], "\0".join(place).encode())
        except (ValueError, InvalidTag) as error:
            msg = f"cannot open the sealed value of {'/'.join(place)}"
            raise Unsealable(msg) from error
        return plain.decode()


def hash_password(password: str) -> str:
    """Argon2id hash in PHC format. Takes about 30 ms: call it in a thread."""
    return _HASHER.hash(_normal(password))


def check_password(hashed: str | None, password: str) -> bool:
    """Is it the password? Takes the same time for an unknown user (`None`)."""
    try:
        return (
            _HASHER.verify(hashed or _NOBODY, _normal(password)) and hashed is not None
        )
    except (VerificationError, InvalidHashError):
        return False


def hash_token(token: str) -> str:
    """What is stored of a bearer token: SHA-256 in hex."""
    return hashlib.sha256(token.encode()).hexdigest()


def same(one: str, other: str) -> bool:
    """Compare two secrets in constant time."""
    return hmac.compare_digest(one.encode(), other.encode())


def new_token(n_bytes: int = 32) -> str:
    """A fresh unguessable URL-safe token of `n_bytes` of chance."""
    return secrets.token_urlsafe(n_bytes)


def new_password() -> str:
    """A fresh password of 20 Crockford letters in groups of five (100 bits)."""
    return "-".join(new_letters(5).lower() for _ in range(4))


def new_letters(count: int) -> str:
    """`count` random Crockford letters (5 bits each)."""
    return "".join(secrets.choice(CROCKFORD) for _ in range(count))


def new_code(count: int) -> str:
    """`count` random Crockford letters with a digit among them: typed in lower case
    after a word, it is told from words.
    """
    while (code := new_letters(count)).isalpha():
        pass
    return code


def new_digits(count: int) -> str:
    """`count` random decimal digits."""
    return "".join(secrets.choice("0123456789") for _ in range(count))


def _normal(password: str) -> str:
    # One person types é as one code point, another as two: NFKC makes them the same.
    return unicodedata.normalize("NFKC", password)
