"""What README shows works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

from core.rules.publishing import design_to_dict
from core.rules.types import Gift, Spend
from jobs.merchant_file import read_merchant_file

README = Path(__file__).parents[2] / "README.md"


def test_the_merchant_file_of_the_readme_is_read_and_leaves_nothing_out(tmp_path):
    part = README.read_text(encoding="utf-8").split("### A merchant")[1]
    file = tmp_path / "merchant.toml"
    example = re.search(r"```toml\n(.*?)```", part, re.DOTALL)
    assert example
    file.write_text(example[1], encoding="utf-8")

    found = read_merchant_file(file)

    (key, design), (following, _) = found.programs
    assert (key, design.next_program) == ("coffee", following)
    assert (design.spend, design.day_cap) == (Spend(per=500, minimum=300), 5)
    assert design.birthday == Gift(name="お誕生日ケーキ", valid="30d")
    # Who looks for a setting finds it in the example.
    rest = {"bonus", "remind_days", "guide", "thanks"}
    for name in design_to_dict(design).keys() - rest:
        assert f"{name} =" in example[1] or f"[[program.{name}]]" in example[1], name
