"""Entry point."""

from studies.effort.command import main

raise SystemExit(main())
