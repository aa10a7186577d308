"""The README's table "One stamp, in a straight line" names code that exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_file_and_function_of_the_table_exists():
    readme = (ROOT / "README.md").read_text()
    table = readme.split("## One stamp, in a straight line")[1].split("\n## ")[0]
    rows = [line for line in table.splitlines() if re.match(r"\| \d+[ab]? \|", line)]
    assert len(rows) >= 10

    missing = [
        f"{file}: {name}"
        for row in rows
        for file, name in re.findall(r"`([\w/]+\.py): (\w+)`", row)
        if name not in functions(ROOT / file)
    ]
    assert missing == []


def functions(file):
    tree = ast.parse(file.read_text())
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
