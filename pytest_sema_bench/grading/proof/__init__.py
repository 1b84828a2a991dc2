"""The proof of a task: its reference passes, its wrong answers and mutants are caught."""
