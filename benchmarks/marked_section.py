"""A page's section that a program writes, between two comments, so that people can write the rest."""

from __future__ import annotations

__all__ = ["replace_section"]


def replace_section(page: str, name: str, text: str) -> str:
    """The page with one section replaced, or appended if it has none of that name.

    Args:
        page: Markdown; everything outside the markers stays as it is.
        name: of the section, and of the make target that writes it, as in ``"results: kodak"``.
        text: the section, without markers.
    """
    begin = f"<!-- {name}: begin; written by make {name.partition(':')[0]} -->"
    end = f"<!-- {name}: end -->"
    whole = f"{begin}\n{text}\n{end}"
    head, found, rest = page.partition(begin)
    _, closed, tail = rest.partition(end)
    if found and closed:
        return head + whole + tail
    return f"{page.rstrip()}\n\n{whole}\n"
