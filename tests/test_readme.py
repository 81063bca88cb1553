"""What the README names is there, and it stays a page of a minute; so is CONTRIBUTING's layout."""

import re
from pathlib import Path

import pytest

from glic_pyg.cli.main import COMMANDS

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "data").rglob("*.md")),
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"(?<!!)\[[^\]]*\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


def test_commands_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^glic (\w+)", text, re.MULTILINE))
    assert named >= {"encode", "decode", "train"}
    assert named <= {command.name for command in COMMANDS}


def test_make_targets_exist() -> None:
    text, makefile = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "Makefile"))
    targets = set(re.findall(r"\bmake ([a-z]+)\b", text))
    assert targets >= {"demo", "test", "help"}
    assert targets <= set(re.findall(r"^(\w+):", makefile, re.MULTILINE))
    assert text.index("make demo ") < text.index("make test") < text.index("![") < text.index("## Install")


def test_it_is_read_in_a_minute() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(re.findall(r"!\[", text)) == 1
    prose = re.sub(r"^```.*?^```|^\|.*?$|^!\[.*?$|<!--.*?-->|\]\([^)]*\)", "", text, flags=re.M | re.S)
    assert len(prose.split()) < 400


def test_both_papers_can_be_cited() -> None:
    text, citation = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CITATION.cff"))
    titles = re.findall(r"^  title += \{(.*)\}", text, re.MULTILINE)
    assert len(titles) == 2
    for title, number in zip(titles, ("2603.25316", "2411.16727"), strict=True):
        assert f"title: {title}\n" in citation and f"arxiv.org/abs/{number}" in citation and number in text


def test_every_room_is_in_the_layout() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rooms = {path.parent.name for path in (ROOT / "glic_pyg").glob("*/__init__.py")}
    rooms |= {path.parent.name for path in (ROOT / "glic_pyg").glob("*/*.py")}
    layout = text[text.index("## Layout") :]
    assert rooms == set(re.findall(r"^\| `(\w+)` \| [^|]+ \| [^|]+ \|$", layout, re.MULTILINE))
