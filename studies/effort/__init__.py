"""``make effort``: real files of every level, their BD-rate against effort 0, and the time they take."""
