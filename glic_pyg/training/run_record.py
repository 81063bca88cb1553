"""What a run was made with: package versions and the state of the source tree."""

import json
import platform
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from glic_pyg.files import write_file


def run_record() -> dict[str, Any]:
    """Python, platform, every installed distribution, and the git commit if the source is a checkout."""
    return {
        "python": sys.version,
        "platform": platform.platform(),
        "packages": dict(sorted((d.metadata["Name"], d.version) for d in distributions())),
        "git": {
            "commit": _git("rev-parse", "HEAD"),
            "changed": _git("status", "--short", "--untracked-files=no"),
        },
    }


def write_run_record(path: Path) -> None:
    """Write :func:`run_record` as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, json.dumps(run_record(), indent=2) + "\n")


def _git(*arguments: str) -> str | None:
    folder = Path(__file__).parent
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
