"""Entry point."""

from studies.regularizer.command import main

raise SystemExit(main())
