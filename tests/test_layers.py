"""The rooms of the house (DESIGN section 5), read off every import statement of the package."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parent.parent
PACKAGE = PROJECT / "pytest_sema_bench"
NAME = PACKAGE.name

ROOMS = (
    *(
        "plugin",
        "cli",
        "report",
        "exchange",
        "dataset",
        "reward",
        "run",
        "tables",
        "gate",
        "agent",
        "grading",
    ),
    *(
        "extraction",
        "docsearch",
        "suite",
        "limits",
        "chat",
        "dialect",
        "sema",
        "catalog",
        "records",
    ),
    *("options", "settings", "base_url", "user_file", "redaction", "cache", "errors"),
)
"""Top down: a room imports from itself and from those that come after it."""
DOORS = {"": "errors", "scoring": "grading"}
"""What lies beside the rooms: the empty package, and the documented address of a room's content."""

ONLY_IN = {
    "pytest": {"plugin"},
    "_pytest": set[str](),
    "pluggy": {"plugin"},
    "xdist": {"plugin"},
    "aiohttp": {"chat", "reward"},
    "mcp": {"sema"},
    "yaml": {"user_file"},
    "tomllib": {"user_file"},
    "subprocess": {"sema"},
    "multiprocessing": {"sema"},
    "psycopg": {"limits"},
    "sqlite3": {"limits"},
    "pty": {"sema"},
}
"""What comes from outside and may be known in these rooms only."""
STARTS_A_PROCESS = {
    *("create_subprocess_exec", "create_subprocess_shell", "subprocess_exec", "subprocess_shell"),
    *("ProcessPoolExecutor", "os.fork", "os.forkpty", "os.popen", "os.posix_spawn"),
    *("os.posix_spawnp", "os.startfile", "os.system"),
    *(f"os.{verb}{how}" for verb in ("exec", "spawn") for how in ("v", "ve", "vp")),
}
DRAWERS = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc"}
MAX_LINES, MAX_CLASS_LINES = 400, 200
LONG, MAX_LONG = 300, 9
"""At most so many files may be longer than this many lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One module that a file imports, wherever in the file the statement stands."""

    module: str
    line: int


def imports(path: Path) -> Iterator[Import]:
    """All imports of a file: at its top, under `TYPE_CHECKING`, inside functions."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (Import(module=alias.name, line=node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = {name if name in ALL_MODULES else node.module or "" for name in names}
            yield from (Import(module=module, line=node.lineno) for module in sorted(modules))


def module_of(path: Path) -> str:
    """The dotted name of a source file."""
    parts = path.relative_to(PROJECT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    """The room of a dotted name: `sema` of `….sema.vm.node`."""
    room = module.removeprefix(NAME).strip(".").partition(".")[0]
    return DOORS.get(room, room)


SOURCES = sorted(PACKAGE.rglob("*.py"))
ALL_MODULES = {module_of(path) for path in SOURCES}
ALL_FILES = sorted(
    path
    for folder in (PACKAGE, PROJECT / "tests", PROJECT / "benchmarks")
    for pattern in ("*.py", "*.mjs")
    for path in folder.rglob(pattern)
)


def own_imports() -> Iterator[tuple[Path, str, Import]]:
    """Every import of one module of the package by another: file, its module, the import."""
    for path in SOURCES:
        for found in imports(path):
            if found.module.partition(".")[0] == NAME:
                yield path, module_of(path), found


def at(path: Path, line: int) -> str:
    """A place as editors follow it."""
    return f"{path.relative_to(PROJECT).as_posix()}:{line}"


def test_the_package_was_found() -> None:
    """The checks below see imports at the top, inside functions and under TYPE_CHECKING."""
    assert len(SOURCES) > 100
    seen = {found.module for found in imports(PACKAGE / "plugin" / "__init__.py")}
    assert "pytest" in seen
    assert f"{NAME}.errors" in seen  # inside a function
    assert f"{NAME}.plugin.session" in seen


def test_type_checking_imports_are_seen(tmp_path: Path) -> None:
    """An import that only a type checker reads is an import."""
    source = tmp_path / "some.py"
    source.write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pytest\n"
        f"def f():\n    from {NAME} import errors\n"
    )
    found = {(entry.module, entry.line) for entry in imports(source)}
    assert {("pytest", 3), (f"{NAME}.errors", 5)} <= found


def test_every_module_has_a_room() -> None:
    """A new folder must be given its place in the list above and in DESIGN."""
    assert [module for module in sorted(ALL_MODULES) if room_of(module) not in ROOMS] == []


def test_imports_point_down() -> None:
    """No module imports from a room above its own."""
    upwards = [
        f"{at(path, found.line)}: {room_of(module)} imports {found.module}"
        for path, module, found in own_imports()
        if ROOMS.index(room_of(found.module)) < ROOMS.index(room_of(module))
    ]
    assert upwards == []


def test_no_modules_import_each_other() -> None:
    """There is no circle of modules, however the imports are hidden."""
    edges: dict[str, set[str]] = {module: set() for module in ALL_MODULES}
    for _, module, found in own_imports():
        if found.module not in (NAME, module):
            edges[module].add(found.module)
    done: set[str] = set()

    def visit(module: str, above: tuple[str, ...]) -> None:
        assert module not in above, " -> ".join([*above[above.index(module) :], module])
        if module not in done:
            for imported in sorted(edges[module]):
                visit(imported, (*above, module))
            done.add(module)

    for module in sorted(edges):
        visit(module, ())


def test_each_outside_thing_has_its_rooms() -> None:
    """pytest, HTTP, YAML, SQL and processes are each known in the rooms named above only."""
    astray = [
        f"{at(path, found.line)}: {found.module}"
        for path in SOURCES
        for found in imports(path)
        if room_of(module_of(path))
        not in ONLY_IN.get(found.module.partition(".")[0], {room_of(module_of(path))})
    ]
    assert astray == []


def test_only_the_vm_starts_processes() -> None:
    """No other module reaches for a process by a function either."""
    astray = [
        at(path, node.lineno)
        for path in SOURCES
        if not path.is_relative_to(PACKAGE / "sema" / "vm")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if (isinstance(node, ast.Name) and node.id in STARTS_A_PROCESS)
        or (isinstance(node, ast.Attribute) and {node.attr, ast.unparse(node)} & STARTS_A_PROCESS)
    ]
    assert astray == []


def test_no_file_is_too_long() -> None:
    """A file over 400 lines has two reasons to change, and long ones are the exception."""
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in ALL_FILES}
    assert [at(path, n) for path, n in lengths.items() if n > MAX_LINES] == []
    assert len([path for path in SOURCES if lengths[path] > LONG]) <= MAX_LONG


def test_no_class_is_too_long() -> None:
    """A class of over 200 lines knows too much."""
    long = [
        f"{at(path, node.lineno)}: {node.name}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef)
        and (node.end_lineno or 0) - node.lineno + 1 > MAX_CLASS_LINES
    ]
    assert long == []


def test_no_file_is_a_drawer() -> None:
    """Names say what is inside."""
    drawers = [
        path.as_posix()
        for path in ALL_FILES
        if DRAWERS & {part.removesuffix(path.suffix) for part in path.relative_to(PROJECT).parts}
    ]
    assert drawers == []
