"""Files have a size to read at once; `lint-imports` (make lint) checks which way imports run."""

from pathlib import Path

import glic_pyg

PACKAGE = Path(glic_pyg.__file__).parent
LONGEST_FILE = 400
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0] != "conf")


def test_no_file_is_a_drawer_or_longer_than_its_limit() -> None:
    assert len(FILES) > 100
    for path in FILES:
        assert path.stem not in ("utils", "util", "helpers", "helper", "misc", "common"), path
        assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE, path
