"""Stand-ins for the platforms' badges: their proportions, not their artwork."""

from __future__ import annotations

from pathlib import Path

_SIZES = {
    "apple.ja": (109, 35),
    "apple.en": (111, 35),
    "google.ja": (232, 55),
    "google.en": (199, 55),
}


def put_badges(data_dir: Path) -> None:
    """Drop them where the operator does."""
    folder = data_dir / "badges"
    folder.mkdir(exist_ok=True)
    for name, (width, height) in _SIZES.items():
        shape = f'<rect width="{width}" height="{height}" rx="{height // 5}"/>'
        box = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        svg = f'<svg xmlns="http://www.w3.org/2000/svg" {box}>{shape}</svg>'
        (folder / f"{name}.svg").write_text(svg)
