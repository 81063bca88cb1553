import os
import re
from pathlib import Path

import pytest

from glic_pyg.inspection.inspection import Inspection
from glic_pyg.inspection.page import document, write_page
from glic_pyg.inspection.page.scripts import joined_scripts


def test_the_page_loads_nothing(page_file: Path) -> None:
    text = page_file.read_text(encoding="utf-8")
    assert not re.search(r"https?:|(src|href)=|@import|^import |^export |\{\{", text, re.MULTILINE)
    assert "default-src 'none'" in text


def test_every_module_is_in_the_script_below_what_it_imports() -> None:
    folder = Path(document.__file__).parent / "js"
    modules = {path.stem: path.read_text(encoding="utf-8") for path in folder.glob("*.js")}
    script = joined_scripts()
    names = [name for text in modules.values() for name in re.findall(r"export \S+ ?\S* (\w+)[ (]", text)]
    assert len(set(names)) == len(names) > 30
    place = {name: script.index(_first_lines(text)) for name, text in modules.items()}
    for name, text in modules.items():
        for imported in re.findall(r'from "\./(\w+)\.js"', text):
            assert place[imported] < place[name], f"{name} imports {imported}"


def _first_lines(module: str) -> str:
    return re.sub(r"^import [^;]*;\n", "", module, flags=re.MULTILINE).strip()[:120].replace("export ", "")


def test_names_are_no_markup(two_file: Path) -> None:
    text = two_file.read_text(encoding="utf-8")
    assert "<title>noise and &lt;b&gt;turned&lt;/b&gt; · " in text and "<b>" not in text


def test_a_page_is_replaced_by_a_whole_one(
    inspection: Inspection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "page.html"
    path.write_text("before")
    monkeypatch.setattr(os, "replace", _fail)
    with pytest.raises(OSError, match="disk"):
        write_page(inspection, path)
    assert [file.name for file in tmp_path.iterdir()] == ["page.html"] and path.read_text() == "before"


def _fail(*_: object) -> None:
    raise OSError("disk")
