"""What the package is compared with shares no code with it."""

import ast
from pathlib import Path

import pytest

MODULES = [p for p in sorted(Path(__file__).parent.glob("*.py")) if not p.name.startswith("test_")]


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.stem)
def test_imports_nothing_of_the_package(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [a.name for a in node.names] if isinstance(node, ast.Import) else []
        assert not any(
            name.split(".")[0] in {"cxresearch", "polars", "lifelines"} for name in names
        ), names
