"""The exceptions of this package, each for one kind of fault.

A wrong answer is not an exception: it is a verdict. What is raised here is the user's
fault (`SettingsError`, `TaskError`), the world's (`ModelError`) or ours (`VMError`).
"""

from pathlib import Path


class BenchError(Exception):
    """Root of all errors that this package raises on purpose."""


class SettingsError(BenchError):
    """An option, a configuration file or an environment variable cannot be used as it is."""


class FileFault(BenchError):
    """Something is wrong in a file. Prints as `path:line: message`, for editors."""

    def __init__(self, path: Path, line: int, message: str) -> None:
        super().__init__(f"{path}:{line}: {message}")
        self.path = path
        self.line = line
        self.message = message


class FileError(FileFault, SettingsError):
    """A file that people write is malformed."""


class TaskError(FileError):
    """A task file, or the suite.yaml above it, cannot be used as it is."""


class DamagedFile(FileFault):
    """A file that this package wrote, such as a record or a baseline, cannot be read any more."""


class ModelError(BenchError):
    """The model's server could not be made to answer: never counted as a wrong answer."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        request_id: str | None = None,
        attempts: int = 1,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.request_id = request_id
        self.attempts = attempts


class NotAsked(BenchError):
    """A call was not sent: the server has refused this key or model before, or seems to be down."""


class BudgetSpent(BenchError):
    """A call was not sent: its worst case could have crossed the cap on the run's cost."""


class NoRecording(BenchError):
    """A replay holds no answer to a request. The text names the first difference."""


class VMError(BenchError):
    """The process that runs the Sema VM cannot be installed, started or kept alive."""


class CannotWrite(BenchError):
    """A folder or database takes no more: it is full, read-only or gone. The run has to end."""

    def __init__(self, folder: Path | str, error: Exception) -> None:
        told = getattr(error, "strerror", None) or str(error)
        super().__init__(
            f"cannot write to {folder}: {told}; once that is mended, --sema-resume takes the run up"
        )


class DatabaseAway(BenchError):
    """The database that machines share cannot be reached just now."""


class StopAsked(BenchError):
    """Another process of the run ends it, so that nobody waits for an item any more."""

    def __init__(self) -> None:
        super().__init__("the run is ended by another of its processes")
