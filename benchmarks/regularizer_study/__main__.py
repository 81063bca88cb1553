"""Entry point."""

from benchmarks.regularizer_study.study import main

raise SystemExit(main())
