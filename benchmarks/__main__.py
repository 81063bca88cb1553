"""``python -m benchmarks``: time and memory of every part of the codec."""

from benchmarks.bench import main

raise SystemExit(main())
