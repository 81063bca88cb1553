import subprocess
import sys

import pytest

import glic_pyg
from glic_pyg.cli.main import COMMANDS, main


def test_help_lists_every_command_without_torch() -> None:
    code = (
        "import sys; from glic_pyg.cli.main import main; main(['--help']); assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    for command in COMMANDS:
        assert f"  {command.name}" in done.stdout and command.summary in done.stdout


def test_no_command_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage: glic" in capsys.readouterr().out


def test_a_slip_of_the_finger(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["encod"]) == 2
    assert capsys.readouterr().err == "glic: there is no command 'encod'; did you mean 'encode'?\n"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"glic {glic_pyg.__version__}\n"


def run_module(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *arguments], capture_output=True, text=True, timeout=60)


def test_the_package_is_the_command() -> None:
    assert run_module("glic_pyg", "--version").stdout == f"glic {glic_pyg.__version__}\n"


def test_a_commands_file_does_not_run_in_silence() -> None:
    done = run_module("glic_pyg.cli.encode", "photo.png")
    assert done.returncode == 1 and "python -m glic_pyg COMMAND" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", ["encode", "decode", "info", "doctor"])
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    assert end.value.code == 0
    assert f"usage: glic {command}" in capsys.readouterr().out


def test_interruption_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(argv: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("glic_pyg.cli.info.main", interrupted)
    assert main(["info", "x"]) == 130
    assert capsys.readouterr().err == "glic info: interrupted; no unfinished file was left.\n"
