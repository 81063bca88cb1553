"""Entry point."""

from studies.results.command import main

raise SystemExit(main())
