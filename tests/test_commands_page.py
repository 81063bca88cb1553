"""Every command on the site is run, or is checked against the options there are and said not to be run.

docs/training.md, docs/backbone.md and docs/lightning.md have tests of their own.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from omegaconf import DictConfig
from PIL import Image

from glic_pyg.cli.hydra import run_hydra_app
from glic_pyg.cli.main import COMMANDS, main
from studies.commands import CONFIGURED, SECTION, options_of, write_options

ROOT = Path(__file__).parents[1]
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "data/README.md")
}
ELSEWHERE = {"docs/training.md", "docs/backbone.md", "docs/lightning.md"}
"""Pages that are followed by tests of their own."""
RUN = ("README.md", "docs/index.md", "docs/commands.md")
NOT_RUN = re.compile(r"\bnot run\b")
MODULES = {command.name: command.module for command in COMMANDS}
SMALLER = ["data.crop=128", "data.batch_size=1", "logger=csv", "steps=2", "trainer.val_check_interval=2"]
SMALLER += ["trainer.accelerator=cpu", "callbacks.images=null", "data.root=photos", "data.val_root=photos"]


def commands(page: str) -> list[str]:
    """Lines of code that begin with ``glic``, with their remarks."""
    code = re.findall(r"^```(?:sh)?\n(.*?)^```$", PAGES[page], re.MULTILINE | re.DOTALL)
    code += re.findall(r"(?:^    .*\n)+", re.sub(r"^```.*?^```$", "", PAGES[page], flags=re.M | re.S), re.M)
    return [line.strip() for block in code for line in block.splitlines() if line.strip().startswith("glic ")]


def words_of(line: str) -> list[str]:
    return shlex.split(line, comments=True)


CHECKED = [(page, line) for page in PAGES if page not in ELSEWHERE for line in commands(page)]


@pytest.mark.parametrize(("page", "line"), CHECKED)
def test_there_are_such_options(
    page: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, *arguments = words_of(line.partition("<")[0].partition("&&")[0])[1:]
    if name not in CONFIGURED:
        parser: argparse.ArgumentParser = import_module(MODULES[name]).make_parser()
        parser.parse_args(arguments)
        return
    seen: list[DictConfig] = []
    monkeypatch.setattr("glic_pyg.cli.sweep.Sweep.on_multirun_end", lambda *_, **__: None)
    settings = [a.replace("name=...", "name=some").replace("NAME", "some") for a in arguments]
    assert run_hydra_app(name, lambda cfg: seen.append(cfg), [*settings, f"paths.runs={tmp_path}"]) == 0
    assert seen


@pytest.mark.parametrize("page", [page for page in PAGES if page not in ELSEWHERE])
def test_what_is_not_run_is_said(page: str) -> None:
    if page not in RUN and commands(page):
        assert NOT_RUN.search(PAGES[page]), f"{page}: say that the tests do not run its commands"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with the images that the pages name."""
    sample = Image.open(ROOT / "data" / "samples" / "dog.png").convert("RGB")
    (tmp_path / "photos").mkdir()
    for number, name in enumerate(("photo.jpg", "photos/one.jpg", "screenshot.png", "second.png")):
        sample.crop((160 + 20 * number, 180, 290 + 20 * number, 310)).save(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", RUN)
def test_it_runs(page: str, folder: Path) -> None:
    lines = [line for line in commands(page) if not NOT_RUN.search(line)]
    assert len(lines) >= 3
    for line in lines:
        before = set(folder.rglob("*"))
        name, *arguments = words_of(line)[1:]
        if name == "train":
            arguments += SMALLER
        if "<" in arguments:
            pipe(line)
        else:
            given = [path for word in arguments for path in sorted(map(str, Path().glob(word))) or [word]] \
                if "*" in line else arguments  # fmt: skip
            assert main([name, *given]) == 0, line
        outputs = [
            word
            for word in arguments
            if re.fullmatch(r"[\w/]+\.(glic|png|html|json|csv|npz|safetensors)", word)
        ]
        assert all(Path(word).exists() for word in outputs), line
        silent = name in ("info", "doctor", "rd", "data") or "--force" in line
        assert silent or set(folder.rglob("*")) > before, line


def pipe(line: str) -> None:
    """A line with ``<`` and ``>``, in a shell."""
    command = f"{shlex.quote(sys.executable)} -m glic_pyg {line.partition(' ')[2].partition('#')[0]}"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, shell=True, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert Path(words_of(line)[-1]).stat().st_size > 100


@pytest.mark.parametrize("name", MODULES)
def test_the_page_has_every_option(name: str) -> None:
    section = SECTION.format(name)
    text = PAGES["docs/commands.md"]
    written = text[text.index(f"<!-- {section}: begin;") : text.index(f"<!-- {section}: end -->")]
    assert options_of(name) in written, "make commands writes the options anew"
    assert f"\n## {name}\n" in text


def test_a_new_option_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "commands.md"
    page.write_text(PAGES["docs/commands.md"], encoding="utf-8")
    write_options(page)
    assert page.read_text(encoding="utf-8") == PAGES["docs/commands.md"]
    parser = import_module(MODULES["info"]).make_parser()
    parser.add_argument("--deep", choices=("a", "b"), default="a", help="one | two (default: %(default)s)")
    monkeypatch.setattr(MODULES["info"] + ".make_parser", lambda: parser)
    write_options(page)
    assert r"| `--deep` `{a,b}` | one \| two (default: a) |" in page.read_text(encoding="utf-8")
