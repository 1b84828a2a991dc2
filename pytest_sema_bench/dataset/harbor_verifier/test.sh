#!/bin/sh
# No reward is written unless the VM answered: its fault is not the answer's.
set -eu
reward=$(node /tests/grade.mjs "${1:-/app/answer.sema}")
mkdir -p /logs/verifier
printf '%s\n' "$reward" > /logs/verifier/reward.txt
