"""A pass certificate with its chain, made once a run, and openssl's verdict."""

from __future__ import annotations

import atexit
import shutil
import subprocess
import tempfile
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from core.actions.apply import apply_channel
from core.actions.channels import APPLE_KEY
from core.vault import Vault
from jobs.demo.certificates import AppleFiles, TlsFiles, make_apple, make_tls
from passes.apple.certificates import Signer, load_signer
from tests.builders import BuiltShop

PASS_TYPE = "pass.jp.example.aozora"
TEAM = "ABCDE12345"
# Signatures and TLS carry the real time, whatever a test's clock says.
NOW = datetime.now(UTC)
YEAR = timedelta(days=365)


@cache
def chain(name: str = "own", pass_type_id: str = PASS_TYPE) -> AppleFiles:
    """Certificates in force at the tests' time (November 2026) and now."""
    start = min(NOW, datetime(2026, 11, 1, tzinfo=UTC))
    days = (max(NOW, datetime(2026, 12, 1, tzinfo=UTC)) - start).days + 400
    folder = _folder() / f"{name}-{pass_type_id}"
    return make_apple(folder, pass_type_id, TEAM, start, days=days)


@cache
def tls() -> TlsFiles:
    return make_tls(_folder() / "tls", NOW)


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="stampcard-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def pems(files: AppleFiles) -> dict[str, str]:
    return {
        "certificate_pem": files.certificate_pem.read_text(),
        "key_pem": files.key_pem.read_text(),
        "wwdr_pem": files.wwdr_pem.read_text(),
    }


def load(files: AppleFiles | None = None, **changes: Any) -> Signer:
    """`load_signer` of a chain, some arguments changed."""
    values: dict[str, Any] = {
        **pems(files or chain()),
        "pass_type_id": PASS_TYPE,
        "team_id": TEAM,
        "now": NOW,
    }
    return load_signer(**(values | changes))


@cache
def signer() -> Signer:
    return load()


async def connect_apple(
    shop: BuiltShop, vault: Vault, now: datetime, files: AppleFiles | None = None
) -> None:
    """Enter the certificate as the settings page would."""
    found = pems(files or chain())
    values = {
        "pass_type_id": PASS_TYPE,
        "team_id": TEAM,
        "certificate_pem": found["certificate_pem"],
        "sealed_key": vault.seal(found["key_pem"], shop.merchant.id, APPLE_KEY),
        "wwdr_pem": found["wwdr_pem"],
    }
    await shop.db.write(apply_channel, shop.merchant.id, "apple", values, now)


def openssl(*arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    """Run openssl, whatever it answers; the tests need it, so it must be there."""
    program = shutil.which("openssl")
    assert program is not None, "openssl is not installed"
    return subprocess.run([program, *arguments], capture_output=True, check=False)


def is_signed(folder: Path, content: bytes, signature: bytes, tool: str) -> bool:
    """Does openssl ("smime" or "cms") accept the detached signature by our root?"""
    (folder / "manifest.json").write_bytes(content)
    (folder / "signature").write_bytes(signature)
    found = openssl(
        tool,
        "-verify",
        *("-inform", "DER", "-in", folder / "signature"),
        *("-content", folder / "manifest.json"),
        *("-CAfile", chain().root_pem),
        *("-purpose", "any"),
        "-binary",
    )
    return found.returncode == 0
