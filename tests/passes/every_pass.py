"""Every pass that the suite builds goes through openssl, whatever its test is about.

What is built in this process is caught where it is built; what other processes build,
where the phone stand-in takes it. Each is verified when its test ends.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from jobs.demo import apple_phone, certificates
from passes.apple import bundle
from passes.apple.issuer import AppleIssuer
from tests.passes.pkpass_check import wrongs_of_pass, wrongs_of_seal


class Caught:
    """The passes since the last look, and whose signatures are good.

    `whole` are those that people get: they have to please a validator, too.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="stampcard-seals-"))
        self.roots = self.folder / "roots.pem"
        self.built: dict[str, bytes] = {}
        self.whole: set[str] = set()
        self.n_verified = 0

    def trust(self, root_pem: str) -> None:
        with self.roots.open("a") as roots:
            roots.write(root_pem)

    def note(self, content: bytes, *, is_whole: bool = False) -> None:
        key = hashlib.sha256(content).hexdigest()
        self.built[key] = content
        if is_whole:
            self.whole.add(key)

    def verify(self) -> list[str]:
        """What is wrong with those that were caught; they are forgotten."""
        found: list[str] = []
        for key, content in self.built.items():
            found += wrongs_of_seal(content, self.roots, self.folder)
            if key in self.whole:
                found += wrongs_of_pass(content)
            self.n_verified += 1
        self.built.clear()
        self.whole.clear()
        return found


caught = Caught()


@pytest.fixture(scope="session", autouse=True)
def passes_are_caught() -> Iterator[None]:
    """Stand where passes are built, and where their authorities are made."""
    create, build, save = bundle._Pkpass.create, AppleIssuer.build, certificates._save

    def catch(self: Any, *args: Any) -> Any:
        finished = create(self, *args)
        caught.note(finished.getvalue())
        return finished

    async def catch_whole(self: Any, *args: Any) -> bytes:
        content = await build(self, *args)
        caught.note(content, is_whole=True)
        return content

    def trust(path: Path, certificate: Any) -> Path:
        saved = save(path, certificate)
        if path.name == "root.pem":
            caught.trust(saved.read_text())
        return saved

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bundle._Pkpass, "create", catch)
        patch.setattr(AppleIssuer, "build", catch_whole)
        patch.setattr(certificates, "_save", trust)
        yield


@pytest.fixture(autouse=True)
def every_pass_is_verified() -> Iterator[None]:
    """After each test: what it built is as Apple wants it."""
    yield
    found = caught.verify()
    assert not found, "\n".join(found)


@contextmanager
def phones_are_watched() -> Iterator[None]:
    """Catch what a phone takes: for services that run in processes of their own."""
    take = apple_phone.open_pass

    def catch(content: bytes) -> Any:
        opened = take(content)
        caught.note(content, is_whole=True)
        return opened

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(apple_phone, "open_pass", catch)
        yield
