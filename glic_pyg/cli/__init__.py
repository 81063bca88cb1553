"""The ``glic`` command: one thin file a command, imported only when it runs."""
