"""The command line: parses and calls. What it calls is imported when a command runs, so that help is instant."""

from octavo.cli.app import main

__all__ = ["main"]
