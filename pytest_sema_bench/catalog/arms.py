"""The arms of the ladder: built-in configurations that switch primer and tools separately."""

from dataclasses import dataclass

LADDER_NAME = "ladder"
EVAL, DOCS = "eval_code", "docs_search"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """What a configuration gives a model."""

    name: str
    primer: bool
    """Whether the system prompt explains the language, or only names it."""
    tools: tuple[str, ...]


LADDER = (
    Arm(name="cold", primer=False, tools=()),
    Arm(name="cold-docs", primer=False, tools=(DOCS,)),
    Arm(name="cold-eval", primer=False, tools=(EVAL,)),
    Arm(name="cold-tools", primer=False, tools=(EVAL, DOCS)),
    Arm(name="bare", primer=True, tools=()),
    Arm(name="docs-only", primer=True, tools=(DOCS,)),
    Arm(name="eval-only", primer=True, tools=(EVAL,)),
    Arm(name="tools", primer=True, tools=(EVAL, DOCS)),
)
"""`models.yaml` has a configuration of each name; `ladder` stands for all of them."""
