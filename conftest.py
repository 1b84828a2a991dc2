"""Enables pytester for the project's own tests."""

from pathlib import Path

# Where the package is installed as editable, a run of the bench in another project collects our
# tasks and so reads this file late, when pytest takes no more plugins.
if Path.cwd().is_relative_to(Path(__file__).parent):
    pytest_plugins = ["pytester"]
