"""Opens a file that is locked by a password, in a process of its own.

How long that takes is up to whoever made the file: one of a few kilobytes can ask for
hours, and the library holds all of Python meanwhile. So it is done elsewhere, and cut
off. Run as `python -m passes.apple.unlock`, this module is that process.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from typing import Any, Literal, get_args

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)

Trouble = Literal["locked", "password", "broken", "slow"]

SECONDS = 8.0
_MOST_CERTIFICATES = 10


class CannotOpen(Exception):
    """Why: it is "locked" and there was no password, or another "password" opens it; it
    is "broken" or nothing that can be opened; or to open it is too "slow".
    """

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble)
        self.trouble = trouble


async def unlock(raw: bytes, password: str, *, seconds: float = SECONDS) -> bytes:
    """The key and certificates in a PKCS#12 or an encrypted PEM, as PEM in the clear.

    Raises CannotOpen.
    """
    asked = {"file": base64.b64encode(raw).decode(), "password": password}
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "passes.apple.unlock"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(seconds):
            said, _ = await child.communicate(json.dumps(asked).encode())
    except TimeoutError:
        raise CannotOpen("slow") from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    return _read(said)


def open_file(raw: bytes, password: str) -> bytes:
    """The same, here and now, for as long as it takes. Raises CannotOpen."""
    try:
        if raw.lstrip().startswith(b"-----BEGIN"):
            return _open_pem(raw, password)
        return _open_pkcs12(raw, password)
    except TypeError:
        # Its words for an encrypted key without a password.
        raise CannotOpen("locked") from None
    except (ValueError, UnsupportedAlgorithm) as error:
        # The library tells a wrong password by its words alone.
        is_password = "password" in str(error).lower() or "decrypt" in str(error)
        if not is_password:
            raise CannotOpen("broken") from None
        raise CannotOpen("password" if password else "locked") from None


def _open_pem(raw: bytes, password: str) -> bytes:
    key = load_pem_private_key(raw, password.encode() or None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _open_pkcs12(raw: bytes, password: str) -> bytes:
    found = pkcs12.load_pkcs12(raw, password.encode() or None)
    held = [found.cert, *found.additional_certs[:_MOST_CERTIFICATES]]
    parts = [
        each.certificate.public_bytes(Encoding.PEM) for each in held if each is not None
    ]
    if found.key is not None:
        clear = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        parts.append(found.key.private_bytes(*clear))
    return b"".join(parts)


def _read(said: bytes) -> bytes:
    try:
        answer: Any = json.loads(said)
    except ValueError:
        # It died: of a file that not even the library expected.
        raise CannotOpen("broken") from None
    for trouble in get_args(Trouble):
        if answer.get("trouble") == trouble:
            raise CannotOpen(trouble)
    return base64.b64decode(answer["pem"])


def _main() -> None:
    asked = json.loads(sys.stdin.buffer.read())
    try:
        pem = open_file(base64.b64decode(asked["file"]), asked["password"])
    except CannotOpen as error:
        answer: dict[str, str] = {"trouble": error.trouble}
    else:
        answer = {"pem": base64.b64encode(pem).decode()}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    _main()
