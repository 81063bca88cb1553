"""Weights that come with the package: which training run is best, and how its weights get into it."""
