"""The verdict of the benchmark as a reward: functions for trainers, and an HTTP endpoint.

Each trainer has a module: `trl`, `verl`, `eval_protocol`, `verifiers`, and `serve` for all others.
All grade with the benchmark's grader, on a VM pool that each process has for itself. A VM that
fails gives no reward, never 0.0.

**What is graded against.** A row carries its ground truth as an object, or as that in JSON, in a
column or key `ground_truth`. It has one of two forms:

    {"suite": "core", "task": "L2-05-palindrome"}
    {"program": "(rev '(1 2 3))", "value": "(3 2 1)", "output": "", "reference": "(define (rev…"}

The first names a task; without `suite` every known suite is looked through. Columns `task`, or
`id`, and `suite` say the same.

The second has a data set's own check. `program` is run after the answer, in the same interpreter;
empty or absent, the answer's own last form counts. `value` is the value as the VM prints it, nil
as "nil"; `output` is what is printed (lines, or one text), all of it and nothing else. One of them
must be there; what is absent or null is not compared. `reference` is optional: a right answer. It
says which names are the answer's to define, and with it a call is made twice; give it wherever
`program` is not empty. A program whose value does not depend on the answer is refused.
"""
