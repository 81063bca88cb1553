"""The field's table: codecs of others and ours by BD-rate and complexity, written to docs/leaderboard.md."""
