"""What ``make bench`` runs; every module has a ``main`` of its own."""
