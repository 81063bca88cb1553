"""Entry point."""

from benchmarks.results.command import main

raise SystemExit(main())
