"""A small program task that several test modules write to a folder of their own."""

from pathlib import Path

DOUBLE = """\
id: double
prompt: Write a Sema function `(double n)` that returns twice the number `n`.
grade:
  kind: program
  cases:
    - call: (double 2)
      equals: "4"
      public: true
    - call: (double -3)
      equals: "-6"
reference: |
  (define (double n) (* 2 n))
"""

RIGHT = "```sema\n(define (double n) (* 2 n))\n```"
WRONG = "```sema\n(define (double n) (* n n))\n```"


def write_double_task(folder: Path, text: str = DOUBLE) -> Path:
    """The folder, with the task in it."""
    folder.mkdir(exist_ok=True)
    (folder / "double.yaml").write_text(text)
    return folder
