"""Compiles the C sources of this folder, once for each level of vector instructions.

Run by the build hook when the package is installed, or by hand: ``python glic_pyg/kernels/compile.py``.
Needs nothing but Python and a C compiler (``CC``, by default ``cc``). With ``GLIC_SANITIZED=1`` this makes,
and glic_pyg loads, slow libraries that end the process at the first wrong access to memory or undefined
operation: ``make sanitize`` tests with them.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

FOLDER = Path(__file__).parent
SOURCES = sorted(FOLDER.glob("*.c"))
OPTIONS = ["-std=gnu11", "-O3", "-fno-math-errno", "-fwrapv", "-shared", "-fPIC"]
SANITIZED = ["-O1", "-g", "-fno-wrapv", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
LEVELS = {
    "AVX512": ["-march=x86-64-v4", "-mprefer-vector-width=512"],
    "AVX2": ["-march=x86-64-v3"],
    "DEFAULT": [],
}
"""Options by the name that torch gives to a CPU's capability."""


def library_path(level: str) -> Path:
    """Where the library for one level lies; made of other sources or options, it has another name."""
    return FOLDER / f"{'sanitized' if _sanitized() else 'kernels'}-{level}-{_digest()}.so"


def _sanitized() -> bool:
    return os.environ.get("GLIC_SANITIZED") == "1"


@lru_cache(maxsize=1)
def _digest() -> str:
    parts = [path.read_bytes() for path in [*SOURCES, *sorted(FOLDER.glob("*.h"))]]
    parts.append(repr([OPTIONS, SANITIZED, LEVELS]).encode())
    return hashlib.sha256(b"".join(parts)).hexdigest()[:8]


def compile_all() -> list[Path]:
    """Compile every level that this machine's compiler can; a library is replaced only by a complete one.

    Returns:
        the libraries that were made.

    Raises:
        OSError: there is no compiler, or none of the levels compiles; the message says why.
    """
    compiler = shlex.split(os.environ.get("CC", "cc"))
    on_x86 = platform.machine().lower() in ("x86_64", "amd64")
    made, reasons = [], []
    for level, options in LEVELS.items():
        if options and not on_x86:
            continue
        target = library_path(level)
        partial = target.with_name(f"{target.name}.{os.getpid()}.part")  # others may compile meanwhile
        flags = [*OPTIONS, *(SANITIZED if _sanitized() else []), *options]
        command = [*compiler, *flags, *map(str, SOURCES), "-o", str(partial), "-lm"]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode:
            reasons.append(result.stderr.strip())
            continue
        os.replace(partial, target)
        for outdated in set(FOLDER.glob(f"{target.name.split('-')[0]}-{level}-*.so")) - {target}:
            outdated.unlink()
        made.append(target)
    if not made:
        raise OSError(f"{compiler[0]} did not compile {FOLDER.name}: {' '.join(reasons)}")
    return made


if __name__ == "__main__":
    try:
        print(*compile_all(), sep="\n")
    except OSError as error:
        sys.exit(f"{error}; the slower path is used without it")
