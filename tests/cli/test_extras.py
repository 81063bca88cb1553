"""What encodes and decodes is installed with the package; what trains and measures comes with extras."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from glic_pyg.cli.extras import EXTRA_OF_COMMAND, EXTRA_OF_MODULE, missing_package
from glic_pyg.cli.main import COMMANDS, main

ROOT = Path(__file__).parents[2]
NOT_IN_BASE = (
    "bjontegaard",
    "hydra",
    "lightning",
    "omegaconf",
    "tensorboard",
    "torch_cluster",
    "torch_scatter",
)

CODE_WITHOUT = f"""
import sys
sys.modules.update(dict.fromkeys({NOT_IN_BASE}))  # None: importing one fails
from glic_pyg.cli.main import main
coded, decoded, again = sys.argv[1:]
assert main(["decode", coded, decoded]) == 0
assert main(["encode", decoded, again, "--quality", "10"]) == 0
assert main(["info", again]) == 0
for command in ("convert", "compare", "data", "inspect"):
    try:
        main([command, "--help"])
    except SystemExit as end:
        assert end.code == 0
"""


def test_encoding_and_decoding_need_no_extra(tmp_path: Path) -> None:
    coded = ROOT / "tests" / "reference" / "dog_s.glic"
    places = [str(coded), str(tmp_path / "dog.png"), str(tmp_path / "dog.glic")]
    done = subprocess.run([sys.executable, "-c", CODE_WITHOUT, *places], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("command", "module", "extra"),
    [("train", "hydra", "train"), ("train", "lightning", "train"), ("test", "hydra", "eval")],
)
def test_a_command_without_its_extra_ends_in_one_sentence(
    command: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.startswith("glic_pyg.cli.")]:
        if name.rpartition(".")[2] in ("train", "test", "hydra", "run_folder", "resume", "sweep"):
            monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    if module == "lightning":
        with pytest.raises(ModuleNotFoundError) as caught:
            __import__(module)
        sentence = missing_package(caught.value, command)
    else:
        assert main([command, "--help"]) == 1
        sentence = capsys.readouterr().err.removeprefix(f"glic {command}: ").strip()
    assert sentence == f"this needs the package {module}: pip install 'glic-pyg[{extra}]'."


def test_modules_of_users_are_not_ours_to_install() -> None:
    assert missing_package(ModuleNotFoundError("no", name="my_codec"), "train") is None
    assert missing_package(ModuleNotFoundError("no"), "train") is None


def test_every_extra_is_one_of_the_package() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    section = text.partition("[project.optional-dependencies]")[2].partition("[project.scripts]")[0]
    extras = set(re.findall(r"^([a-z]+) = \[", section, re.MULTILINE))
    assert set(EXTRA_OF_MODULE.values()) | set(EXTRA_OF_COMMAND.values()) <= extras
    assert set(EXTRA_OF_COMMAND) <= {command.name for command in COMMANDS}
