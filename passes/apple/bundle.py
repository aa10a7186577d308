"""Packs and signs a .pkpass: pass.json, pictures, translations, manifest, signature.

https://developer.apple.com/documentation/walletpasses/building-a-pass. By py-pkpass,
whose steps are replaced where they read the key from disk for each pass (40 ms), sign
without `Binary`, keep hashes of removed files, or date the archive.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from io import BytesIO
from typing import Any, NamedTuple

from py_pkpass.models import Pass, StoreCard

from passes.apple.certificates import Signer
from passes.apple.rules import check_pass

# Pictures whose marks are kept: some designs with all their counts.
_KEPT = 1024


def build_pkpass(
    pass_json: Mapping[str, Any],
    pictures: Mapping[str, bytes],
    strings: Mapping[str, Mapping[str, str]],
    signer: Signer,
) -> bytes:
    """The finished file; about one RSA signature of CPU (0.5 ms).

    `pictures` by file name ("strip@2x.png"), `strings` by language, then by what they
    replace. Raises ValueError, with every problem, for what a phone would refuse.
    """
    check_pass(pass_json, pictures, strings)
    pkpass = _Pkpass(pass_json, pictures, strings, signer)
    finished: BytesIO = pkpass.create(None, None, None, None)
    return finished.getvalue()


class _Pkpass(Pass):  # type: ignore[misc]  # the library has no types
    def __init__(
        self,
        pass_json: Mapping[str, Any],
        pictures: Mapping[str, bytes],
        strings: Mapping[str, Mapping[str, str]],
        signer: Signer,
    ) -> None:
        super().__init__(StoreCard())
        self._pass_json = pass_json
        self._signer = signer
        self._marked = {name: _Entry(c, *_marks(c)) for name, c in pictures.items()}
        for language, texts in strings.items():
            self._put(f"{language}.lproj/pass.strings", pass_strings(texts))

    def _createPassJson(self) -> str:  # noqa: N802 -- the library's name
        text = json.dumps(self._pass_json, ensure_ascii=False, separators=(",", ":"))
        self._put("pass.json", text.encode())
        return text

    def _createManifest(self, pass_json: str) -> str:  # noqa: N802
        del pass_json
        return json.dumps({name: e.sha1 for name, e in self._marked.items()})

    def _createSignatureCrypto(self, manifest: str, *_: object) -> bytes:  # noqa: N802
        return self._signer.sign(manifest.encode())

    def _createZip(  # noqa: N802
        self, pass_json: str, manifest: str, signature: bytes, zip_file: BytesIO
    ) -> None:
        del pass_json
        self._put("manifest.json", manifest.encode())
        self._put("signature", signature)
        zip_file.write(_zip(self._marked.items()))

    def _put(self, name: str, content: bytes) -> None:
        self._marked[name] = _Entry(content, *_mark(content))


class _Entry(NamedTuple):
    content: bytes
    sha1: str
    crc: int


def pass_strings(texts: Mapping[str, str]) -> bytes:
    """A pass.strings file, UTF-16 with a byte order mark as Apple's own."""
    lines = (_line(key, text) for key, text in texts.items())
    return b"\xff\xfe" + "".join(lines).encode("utf-16-le")


@lru_cache(maxsize=_KEPT)
def _line(key: str, text: str) -> str:
    # Most are labels, the same on every pass.
    return f'"{_escape(key)}" = "{_escape(text)}";\n'


def _escape(text: str) -> str:
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    return text.replace("\r", "").replace("\n", "\\n")


def _mark(content: bytes) -> tuple[str, int]:
    # SHA-1 is what Apple's manifest is made of.
    sha1 = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    return sha1, zlib.crc32(content)


# Pictures come from a shelf, the same bytes each time.
_marks = lru_cache(maxsize=_KEPT)(_mark)

_LOCAL = struct.Struct("<IHHHHHIIIHH")
_CENTRAL = struct.Struct("<IHHHHHHIIIHHHHHII")
_END = struct.Struct("<IHHHHIIH")
_VERSION = 20
_UTF8_NAME = 0x0800
_DAY = 0x0021  # 1 January 1980: the same pass is the same bytes, but for its signature


def _zip(entries: Iterable[tuple[str, _Entry]]) -> bytes:
    """A zip archive without compression, which PNGs do not need.

    https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
    """
    parts: list[bytes] = []
    central: list[bytes] = []
    offset = 0
    for name, (content, _, crc) in entries:
        path, size = name.encode(), len(content)
        common = (_VERSION, _UTF8_NAME, 0, 0, _DAY, crc, size, size, len(path), 0)
        local = _LOCAL.pack(0x04034B50, *common)
        parts += (local, path, content)
        tail = (0, 0, 0, 0, offset)
        central += (_CENTRAL.pack(0x02014B50, _VERSION, *common, *tail), path)
        offset += len(local) + len(path) + size
    directory = b"".join(central)
    n_files = len(central) // 2
    end = _END.pack(0x06054B50, 0, 0, n_files, n_files, len(directory), offset, 0)
    return b"".join((*parts, directory, end))
