"""The modules of the page import what the others export, and use what they import."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

PAGE = {
    file.name: file.read_text("utf-8")
    for file in (files("scoring.service.desk") / "page").iterdir()
    if file.name.endswith(".js")
}
EXPORT = re.compile(r"^export (?:async )?(?:const|let|function|class) (\w+)", re.MULTILINE)


@pytest.mark.parametrize("name", sorted(PAGE))
def test_imports_are_exported_and_used(name: str) -> None:
    source = PAGE[name]
    for names, module in re.findall(r'^import \{([^}]*)\} from "\./([\w]+\.js)";$', source, re.MULTILINE):
        imported = [imported_name.strip() for imported_name in names.split(",")]
        assert set(imported) <= set(EXPORT.findall(PAGE[module])), module
        unused = [used for used in imported if len(re.findall(rf"\b{used}\b", source)) < 2]
        assert unused == []
