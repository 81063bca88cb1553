"""``python -m glic_pyg COMMAND``: the ``glic`` command without its script, for torchrun and for jobs."""

from glic_pyg.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
