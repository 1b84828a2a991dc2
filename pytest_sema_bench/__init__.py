"""pytest-sema-bench: how well language models, given tools, write Sema.

This module imports nothing: pytest loads the plugin in every run of every project
that has it installed, and a run that does not ask for the bench must not pay for it.
"""

__version__ = "0.1.0"
