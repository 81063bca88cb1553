"""The ``glic`` command: one thin file a command, imported only when it runs."""

import sys

# Python looks for a module that it is to run (argv is "-m" meanwhile): a command's own would end in silence.
if sys.argv[:1] == ["-m"] and "glic_pyg.cli.main" not in sys.orig_argv:
    sys.exit(
        "glic: run a command as `glic COMMAND` or `python -m glic_pyg COMMAND`; its file alone does nothing."
    )
