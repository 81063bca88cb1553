"""Entry point."""

from studies.leaderboard.command import main

raise SystemExit(main())
