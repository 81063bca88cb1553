"""Collected graphs in the forms that other programs read."""
