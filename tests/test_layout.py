"""The rooms of the house: imports run one way, and files stay small."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import glic_pyg

PACKAGE = Path(glic_pyg.__file__).parent
# Each room may import from itself and from the rows above its own; rooms in one row never import each other.
ROWS = [
    {"graph"},
    {"nn"},
    {"models"},
    {"regularizer", "codec"},
    {"data"},
    {"training", "evaluation", "inspection"},
    {"cli"},
]
ROOT_MODULES = {
    "__init__",
    "__main__",
    "allocator",
    "compat",
    "errors",
    "files",
    "memory",
    "metrics",
    "numerics",
    "plotting",
    "types",
}
LONGEST_FILE = 400
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0] != "conf")
IDS = [str(path.relative_to(PACKAGE)) for path in FILES]


def room_of(path: Path) -> str:
    """First folder below the package; for files at its top their own name."""
    part = path.relative_to(PACKAGE).parts[0]
    return part.removesuffix(".py")


def imported_modules(path: Path) -> Iterator[tuple[str, int]]:
    """Full dotted names of everything imported anywhere in a file, with line numbers."""
    package = ["glic_pyg", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield f"{module}.{alias.name}", node.lineno


def allowed_rooms(room: str) -> set[str]:
    """Rooms that files of a room may import from."""
    for number, row in enumerate(ROWS):
        if room in row:
            return {room, *ROOT_MODULES}.union(*ROWS[:number])
    raise AssertionError(f"glic_pyg/{room} is in no row of {__file__}")


def forbidden_imports(path: Path) -> list[str]:
    """What a file imports against the one-way rule."""
    if room_of(path) in ROOT_MODULES:
        return []
    allowed = allowed_rooms(room_of(path))
    found = []
    for name, line in imported_modules(path):
        parts = name.split(".")
        is_room = parts[0] == "glic_pyg" and len(parts) > 1 and (PACKAGE / parts[1]).is_dir()
        if is_room and parts[1] not in allowed:
            found.append(f"{path.relative_to(PACKAGE)}:{line} imports {name}")
    return found


def test_every_folder_is_a_known_room() -> None:
    folders = {path.parent.relative_to(PACKAGE).parts[0] for path in FILES if path.parent != PACKAGE}
    assert folders <= set().union(*ROWS)
    assert {path.stem for path in FILES if path.parent == PACKAGE} <= ROOT_MODULES


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_imports_run_one_way(path: Path) -> None:
    assert forbidden_imports(path) == []


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_only_the_commands_know_the_configuration(path: Path) -> None:
    if room_of(path) != "cli":
        known = [name for name, _ in imported_modules(path) if name.split(".")[0] in ("hydra", "omegaconf")]
        assert known == []


def test_the_container_knows_no_torch() -> None:
    """Neither directly nor through anything of ours that it imports."""
    waiting, seen = [PACKAGE / "codec" / "container.py"], set()
    while waiting:
        path = waiting.pop()
        seen.add(path)
        for name, line in imported_modules(path):
            assert name.split(".")[0] not in ("torch", "torch_geometric", "compressai"), f"{path}:{line}"
            waiting += [own for own in own_files(name) if own not in seen]


def own_files(name: str) -> list[Path]:
    """Files of this package that importing a dotted name runs, apart from its own root."""
    parts = name.split(".")
    if parts[0] != "glic_pyg":
        return []
    found = []
    for length in range(1, len(parts)):
        base = PACKAGE.joinpath(*parts[1 : length + 1])
        found += [path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()]
    return found


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_one_idea_a_file(path: Path) -> None:
    assert path.stem not in ("utils", "util", "helpers", "helper", "misc", "common")
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


@pytest.mark.parametrize(
    ("place", "line", "wrong"),
    [
        ("graph/x.py", "from glic_pyg.nn import gfa_conv", True),
        ("graph/x.py", "from ..nn import gfa_conv", True),
        ("graph/x.py", "import glic_pyg.models.glic", True),
        ("codec/x.py", "from glic_pyg import regularizer", True),
        ("models/x.py", "def f():\n    from glic_pyg.codec.container import read", True),
        ("training/x.py", "from glic_pyg.evaluation.measure import Quality", True),
        ("training/x.py", "from glic_pyg.models.glic import GLIC", False),
        ("graph/x.py", "from . import cells", False),
        ("graph/x.py", "import torch.nn", False),
    ],
)
def test_the_rule_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, line: str, wrong: bool
) -> None:
    for room in set().union(*ROWS):
        (tmp_path / room).mkdir()
    (tmp_path / place).write_text(line)
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path)
    assert bool(forbidden_imports(tmp_path / place)) == wrong
