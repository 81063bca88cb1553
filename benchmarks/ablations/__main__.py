"""Entry point."""

from benchmarks.ablations.study import main

raise SystemExit(main())
