"""Figures for a paper: bytes of PNG, SVG or PDF, all in one look."""
