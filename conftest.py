"""Only enables `pytester` for the plugin's own tests; everything else is in tests/conftest.py."""

pytest_plugins = ["pytester"]
