"""Standard streams that are closed, full, or without a reader; and text that they cannot encode."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from glic_pyg.codec.container import write_container

pytestmark = pytest.mark.usefixtures("folder")

GLIC = f"{sys.executable} -m glic_pyg"


@pytest.fixture
def glic_file(folder: Path) -> str:
    """A file that ``glic info`` can read."""
    from glic_pyg.codec.container import Stream
    from glic_pyg.codec.header import Header

    header = Header("tiny", bytes(8), 56, 40, False, False, "RGB", 0)
    Path("x.glic").write_bytes(write_container(header, {Stream.LATENTS: b"abc"}))
    return "x.glic"


def shell(line: str, **environment: str) -> tuple[int, str]:
    """Exit code of the first command of a line, and what is said on standard error."""
    done = subprocess.run(
        ["bash", "-c", f"{line}; exit ${{PIPESTATUS[0]}}"],
        capture_output=True,
        env=os.environ | environment,
        timeout=120,
    )
    return done.returncode, done.stderr.decode()


@pytest.mark.parametrize("command", ["info x.glic", "--help", "info --help"])
def test_standard_output_that_is_full_or_closed(glic_file: str, command: str) -> None:
    for redirection, reason in ((">/dev/full", "No space left on device."), (">&-", "it is closed.")):
        code, said = shell(f"{GLIC} {command} {redirection}")
        assert code == 1 and said.endswith(f": Standard output cannot be written: {reason}\n")
        assert said.count("\n") == 1


def test_a_reader_that_has_seen_enough(glic_file: str) -> None:
    many = " ".join(["x.glic"] * 1000)
    code, said = shell(f"{GLIC} info {many} | head -1 >/dev/null")
    assert code == 1 and said == ""


def test_standard_error_that_is_closed_or_full(glic_file: str) -> None:
    assert shell(f"{GLIC} info x.glic missing >out 2>&-")[0] == 1
    assert "width           56" in Path("out").read_text()
    assert shell(f"{GLIC} info x.glic >/dev/null 2>&-")[0] == 0
    assert shell(f"{GLIC} info missing x.glic >out 2>/dev/full")[0] == 1
    assert "width           56" in Path("out").read_text()


def test_closed_descriptors_are_not_given_to_files(glic_file: str) -> None:
    """What is printed would end up in the next file that is opened."""
    program = (
        "import sys; from glic_pyg.cli import main, info; from glic_pyg.files import write_file\n"
        "def say(argv):\n"
        "    with open('out', 'w') as file:\n"
        "        print('printed'); sys.stdout.flush()\n"
        "info.main = say; sys.argv = ['glic', 'info']; sys.exit(main.main())"
    )
    Path("program.py").write_text(program)
    code, _ = shell(f"{sys.executable} program.py <&- >&- 2>said")
    assert code == 1 and Path("out").read_text() == "" and "Traceback" not in Path("said").read_text()


def test_standard_input_that_is_closed() -> None:
    code, said = shell(f"{GLIC} decode - x.png <&-")
    assert code == 1
    assert said == "glic decode: (pipe): Standard input is closed; pipe something into it, or name a file.\n"


@pytest.mark.parametrize("redirection", [">/dev/full", ">&-", "| true"])
def test_an_image_to_standard_output(redirection: str) -> None:
    program = (
        "import sys; from glic_pyg.cli import decode, main; from glic_pyg.cli.jobs import Result\n"
        "decode._decoder = lambda *_: lambda data, job: Result(bytes(10**6), 'made')\n"
        "decode.read_glic = lambda source, max_pixels: b''\n"
        "sys.argv = ['glic', 'decode', 'x.glic', '-']; sys.exit(main.main())"
    )
    Path("program.py").write_text(program)
    Path("x.glic").write_bytes(b"GLIC\x01")
    code, said = shell(f"{sys.executable} program.py {redirection}")
    assert code == 1
    assert said.count("\n") == (0 if "|" in redirection else 1) and "Traceback" not in said


def test_any_name_on_any_terminal(glic_file: str) -> None:
    names = ["😀 写.glic", os.fsdecode(b"\xff\xfe.glic"), "line\nbreak.glic"]
    for name in names:
        os.link("x.glic", name)
        os.link("a.png", name[:-5] + ".png")
    plain = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    for environment in ({}, plain):
        code, said = shell(f"{GLIC} info *.glic *.png >out", **environment)
        assert code == 1 and "Traceback" not in said
        assert said.count("This is not a .glic file") == 4 and len(said.splitlines()) == 5
        assert Path("out").read_bytes().count(b"width           56") == 4


def test_warnings_of_python_are_not_for_users() -> None:
    program = (
        "import sys, warnings; from glic_pyg.cli import info, main\n"
        "def warn(argv):\n    warnings.warn('Corrupt EXIF data'); return 0\n"
        "info.main = warn; sys.argv = ['glic', 'info', 'x']; sys.exit(main.main())"
    )
    Path("program.py").write_text(program)
    assert shell(f"{sys.executable} program.py") == (0, "")
    assert "Corrupt EXIF data" in shell(f"{sys.executable} -W default program.py")[1]


def test_what_is_no_glic_file_is_refused_without_torch() -> None:
    Image.new("L", (4, 4)).save("x.png")
    for command in ("decode x.png y.png", "info x.png", "decode x.png a.png -o out"):
        code, said = shell(f"{sys.executable} -X importtime -m glic_pyg {command}")
        assert code == 1 and "not a .glic file" in said
        assert not re.search(r"\|\s+torch\b", said)


def test_a_training_handles_sigterm_itself_and_a_hang_up_is_the_same() -> None:
    Path("program.py").write_text(
        "import os, signal, warnings; from glic_pyg.cli.console import run_program\n"
        "def train():\n"
        "    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL\n"
        "    signal.signal(signal.SIGTERM, lambda *_: print('saving', flush=True))\n"
        "    os.kill(os.getpid(), signal.SIGHUP)\n"
        "    warnings.warn('few workers'); warnings.warn('old', DeprecationWarning)\n"
        "    return 7\n"
        "raise SystemExit(run_program(train, trains=True))"
    )
    assert shell(f"{sys.executable} program.py >out") == (7, "glic: few workers\n")
    assert Path("out").read_text() == "saving\n"
