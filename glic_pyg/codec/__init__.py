"""Bytes: images to ``.glic`` files and back. ``docs/format.md`` describes the file."""
