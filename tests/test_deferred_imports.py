"""Deferred modules: nothing of them runs before it is asked for, and then each runs once."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from glic_pyg import deferred_imports
from glic_pyg.deferred_imports import defer_imports

PACKAGE = {
    "__init__.py": "import builtins; builtins.ran.append(__name__)\nfrom deferred_tree import heavy, light\n",
    "light.py": "import builtins; builtins.ran.append(__name__)\n",
    "heavy/__init__.py": (
        "import builtins; builtins.ran.append(__name__)\n"
        "import deferred_tree.heavy.inner\nfrom . import config\nSEEN = config.NUMBER\n"
    ),
    "heavy/config.py": "import builtins; builtins.ran.append(__name__)\nNUMBER = 7\n",
    "heavy/inner.py": "import builtins; builtins.ran.append(__name__)\nfrom . import config\n",
    "heavy/aside.py": "import builtins; builtins.ran.append(__name__)\nfrom . import SEEN\n",
}
BEFORE = ["deferred_tree", "deferred_tree.light"]
HEAVY = ["deferred_tree.heavy", "deferred_tree.heavy.inner", "deferred_tree.heavy.config"]


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Names of the modules of a package whose bodies ran, in order; ``deferred_tree.heavy`` is deferred."""
    for name, body in PACKAGE.items():
        path = tmp_path / "deferred_tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body)
    import builtins

    names: list[str] = []
    monkeypatch.setattr(builtins, "ran", names, raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    defer_imports(["deferred_tree.heavy", "no_such_module_at_all"])
    yield names
    for name in [name for name in sys.modules if name.startswith("deferred_tree")]:
        del sys.modules[name]


def test_a_deferred_module_does_not_run_until_it_is_used(ran: list[str]) -> None:
    tree = import_module("deferred_tree")
    import_module("deferred_tree.heavy")
    heavy = tree.heavy
    assert heavy.__name__ == "deferred_tree.heavy" and heavy.__file__ and heavy.__path__ and heavy.__spec__
    assert ran == BEFORE
    assert heavy.SEEN == 7 and "SEEN" in dir(heavy)
    assert ran == BEFORE + HEAVY
    assert tree.heavy is sys.modules["deferred_tree.heavy"] is not heavy
    assert heavy.inner is tree.heavy.inner
    with pytest.raises(AttributeError, match="nothing_like_it"):
        _ = heavy.nothing_like_it


@pytest.mark.parametrize("name", ["config", "inner", "aside"])
def test_importing_a_submodule_runs_the_package_first_and_everything_once(ran: list[str], name: str) -> None:
    import_module("deferred_tree")
    module = import_module(f"deferred_tree.heavy.{name}")
    assert ran == BEFORE + HEAVY + (["deferred_tree.heavy.aside"] if name == "aside" else [])
    heavy = sys.modules["deferred_tree.heavy"]
    assert getattr(heavy, name) is module and heavy.SEEN == 7
    assert module.__spec__ is not None and module.__spec__.loader is module.__loader__


def test_threads_that_ask_at_once_get_one_module(ran: list[str]) -> None:
    heavy = import_module("deferred_tree").heavy
    barrier, found = threading.Barrier(8), []

    def ask() -> None:
        barrier.wait()
        found.append(heavy.config)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len({id(module) for module in found}) == 1
    assert ran == BEFORE + HEAVY


def test_what_is_missing_or_imported_already_stays_so(ran: list[str]) -> None:
    with pytest.raises(ModuleNotFoundError):
        import_module("no_such_module_at_all")
    defer_imports(["json"])
    assert sys.modules["json"] is json and type(json).__module__ != deferred_imports.__name__


DECODE = """
import sys
from glic_pyg.cli import main as program
arguments = sys.argv[1:]
sys.argv = ["glic", *arguments]
program.run_program = lambda command, trains: command()
assert program.main() == 0
roots = [name.partition(".")[0] for name in sys.modules]
stand_ins = [name for name, module in sys.modules.items() if type(module).__name__ == "_Deferred"]
print(*stand_ins)
print(*sorted(set(roots)))
print(len(sys.modules), roots.count("scipy"))
"""
NOT_FOR_CODING = {
    "bjontegaard", "datasets", "hydra", "lightning", "matplotlib", "networkx", "omegaconf", "pandas",
    "pyarrow", "requests", "rich", "sklearn", "sympy", "tensorboard", "torch_cluster", "torchmetrics",
}  # fmt: skip


def test_decoding_imports_what_it_needs(tmp_path: Path) -> None:
    coded = Path(__file__).parent / "reference" / "dog_s.glic"
    done = subprocess.run(
        [sys.executable, "-c", DECODE, "decode", str(coded), str(tmp_path / "dog.png")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    stand_ins, roots, numbers = (line.split() for line in done.stdout.splitlines()[-3:])
    assert {"torch._dynamo", "scipy.stats", "torchvision", "torch_geometric.datasets"} <= set(stand_ins)
    found = NOT_FOR_CODING & set(roots)
    assert not found
    modules, of_scipy = map(int, numbers)
    assert modules < 2200 and of_scipy < 50  # 3934 and 497 with all that the packages import by themselves
