"""The operator's commands, `python -m app <command>`: one module each, which adds its parser and has its work."""

import argparse
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""What `add` is handed: where a module adds its parser, with `set_defaults(run=…)` (arguments → exit code)."""
