"""Write the options of every command into docs/commands.md, from the parsers and configurations themselves.

python -m studies.commands
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from glic_pyg.cli.hydra import config_dir
from glic_pyg.cli.main import COMMANDS
from glic_pyg.evaluation.tables import markdown_table
from studies.page import DOCS, write_section

__all__ = ["SECTION", "options_of", "write_options"]

SECTION = "commands: {}"
"""Name of a command's section in the page."""
CONFIGURED = ("test", "train")
"""Commands whose settings are in conf/, configured by Hydra."""


def main(argv: Sequence[str] | None = None) -> int:
    """Write every section anew."""
    parser = argparse.ArgumentParser(prog="python -m studies.commands", description=__doc__.splitlines()[0])
    parser.add_argument("--docs", type=Path, default=DOCS, metavar="DIR", help="commands.md is in it")
    write_options(parser.parse_args(argv).docs / "commands.md")
    return 0


def write_options(page: Path) -> None:
    """Replace the section of every command in a page."""
    for command in COMMANDS:
        write_section(page, SECTION.format(command.name), options_of(command.name))


def options_of(name: str) -> str:
    """What a command takes, as Markdown.

    Args:
        name: of the command.
    """
    if name in CONFIGURED:
        return _settings(config_dir() / f"{name}.yaml")
    module = next(command.module for command in COMMANDS if command.name == name)
    return _options(import_module(module).make_parser())


def _options(parser: argparse.ArgumentParser) -> str:
    """A table of a parser's arguments, one for each of its actions if it has some."""
    inner = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if inner:
        tables = [f"{sub.prog}: {sub.description}\n\n{_options(sub)}" for sub in inner[0].choices.values()]
        return "\n\n".join(tables)
    rows = [
        (_name(action), _help(parser, action))
        for action in parser._actions
        if not isinstance(action, argparse._HelpAction)
    ]
    if not rows:
        return "It takes no options."
    parts = [markdown_table(("argument", "what it is"), rows, left=2)]
    for group in parser._mutually_exclusive_groups:
        names = [f"`{action.option_strings[-1]}`" for action in group._group_actions]
        parts.append(f"At most one of {', '.join(names)} is given.")
    if parser.epilog:
        parts.append(parser.epilog)
    return "\n\n".join(parts)


def _name(action: argparse.Action) -> str:
    value = action.metavar or (
        "{" + ",".join(map(str, action.choices)) + "}" if action.choices else action.dest.upper()
    )
    if not action.option_strings:
        several = {"+": " …", "?": ", optional"}.get(str(action.nargs), "")
        return f"`{value if action.metavar else action.dest}`{several}"
    names = ", ".join(f"`{option}`" for option in action.option_strings)
    return names if action.nargs == 0 else f"{names} `{value}`"


def _help(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    """The help of an argument with what it refers to filled in, as a cell."""
    text = (action.help or "") % {**vars(action), "prog": parser.prog}
    return text.replace("<", "&lt;")


def _settings(file: Path) -> str:
    """A table of the groups and one of the keys of a configuration, with their values and comments."""
    head = file.read_text(encoding="utf-8").partition("\nhydra:")[0]
    groups = [
        (f"`{path.name}`", ", ".join(f"`{option.stem}`" for option in sorted(path.glob("*.yaml"))))
        for path in sorted(file.parent.iterdir())
        if path.is_dir() and re.search(rf"^  - {path.name}: ", head, re.MULTILINE) and path.name != "paths"
    ]
    keys = [
        (f"`{key}`", f"`{value}`", note)
        for key, value, note in re.findall(
            r"^(?!defaults)(\w+): ([^#\n]*[^#\s]) *(?:# (.*))?$", head, re.MULTILINE
        )
    ]
    parts = [markdown_table(("group", "options"), groups, left=2)] if groups else []
    parts.append(markdown_table(("setting", "value", "what it is"), keys, left=3))
    return "\n\n".join(parts)


if __name__ == "__main__":
    sys.exit(main())
