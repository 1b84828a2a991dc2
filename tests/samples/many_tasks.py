"""Many small tasks, each with a prompt of its own, so that a server can tell them apart."""

from pathlib import Path

_TASK = """\
id: L1-{number:02}-adding-{number}
level: 1
prompt: What is the value of `(+ {number} 1000)`?
grade:
  kind: value
  equals: "{total}"
reference: "{total}"
"""


def write_sums(folder: Path, n_tasks: int) -> Path:
    """The folder of a suite with so many tasks of level 1."""
    level = folder / "L1"
    level.mkdir(parents=True)
    for number in range(1, n_tasks + 1):
        text = _TASK.format(number=number, total=number + 1000)
        (level / f"{number:02}-adding-{number}.yaml").write_text(text)
    return folder
