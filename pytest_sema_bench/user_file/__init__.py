"""Files that people write: YAML and TOML that know their lines, checked against JSON schemas.

One reader for all of them, so that what is wrong in one is always told alike: file, line, what
was found, what was expected.
"""

from pytest_sema_bench.user_file.file import UserFile, Where
from pytest_sema_bench.user_file.toml_file import read_toml
from pytest_sema_bench.user_file.yaml_file import read_yaml

__all__ = ["UserFile", "Where", "read_toml", "read_yaml"]
