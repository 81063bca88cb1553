"""Entry point."""

from studies.ablations.command import main

raise SystemExit(main())
