"""The layers of DESIGN section 5, read off the import statements of the package's source."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
PACKAGE = PROJECT / "pytest_sema_bench"
NAME = PACKAGE.name

LAYERS = (
    {
        *("", "cache", "errors", "models", "record", "redaction", "registry", "settings"),
        *("syntax", "task", "transcript", "value"),
    },
    {"chat", "limits", "vm"},
    {
        *("agent", "answer", "conclude", "docs", "engine", "grade", "item", "reference"),
        *("scoring", "tools"),
    },
    {
        *("aa_check", "aggregate", "baseline", "compare", "estimate", "gate", "history", "judge"),
        *(
            "power",
            "provenance",
            "regrade",
            "report",
            "results",
            "resume",
            "run",
            "selection",
            "sources",
        ),
        *("stats", "store", "telemetry"),
    },
    {"ci", "collect", "options", "progress", "session", "summing", "workers"},
    {"cli", "plugin"},
)
"""Modules and packages by layer; what knows pytest starts at 4, and "" is the package itself."""
LAYER_OF = {unit: number for number, units in enumerate(LAYERS) for unit in units}
FIRST_WITH_PYTEST = 4

ONLY_IN = {
    "httpx": {"chat", "docs"},
    "httpx_aiohttp": {"chat"},
    "aiohttp": {"chat"},
    "yaml": {"task", "registry", "docs"},
    "subprocess": {"vm"},
    "multiprocessing": {"vm"},
    "sqlite3": {"limits"},
    "pty": {"vm"},
}
STARTS_A_PROCESS = {
    "create_subprocess_exec",
    "create_subprocess_shell",
    "subprocess_exec",
    "subprocess_shell",
    "ProcessPoolExecutor",
}
STARTS_A_PROCESS |= {
    f"os.{name}"
    for name in ("fork", "forkpty", "popen", "posix_spawn", "posix_spawnp", "startfile", "system")
}
STARTS_A_PROCESS |= {f"os.{verb}{how}" for verb in ("exec", "spawn") for how in ("v", "ve", "vp")}
DRAWERS = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc"}
MAX_LINES = 400

SOURCES = sorted(PACKAGE.rglob("*.py"))


def unit_of(module: str) -> str:
    """The part of the package that a dotted module name belongs to: `vm` of `….vm.node`."""
    return module.removeprefix(NAME).strip(".").partition(".")[0]


def module_of(path: Path) -> str:
    """The dotted name of a source file."""
    parts = path.relative_to(PROJECT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, *, at_import_only: bool = False) -> Iterator[str]:
    """The modules that a file imports; with `at_import_only` those that importing it imports."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in tree.body if at_import_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            assert node.module is not None
            modules = {f"{node.module}.{alias.name}" for alias in node.names}
            known = {module for module in modules if module in ALL_MODULES}
            yield from known
            if known != modules:
                yield node.module


ALL_MODULES = {module_of(path) for path in SOURCES}


def own_imports(path: Path, *, at_import_only: bool = False) -> Iterator[str]:
    """Those imports that are of this package."""
    for module in imports(path, at_import_only=at_import_only):
        if module.partition(".")[0] == NAME:
            yield module


def by_name(path: Path) -> str:
    """A test id: the file's path inside the package."""
    return path.relative_to(PACKAGE).as_posix()


each_source = pytest.mark.parametrize("path", SOURCES, ids=by_name)


def test_the_package_was_found() -> None:
    """The checks below have something to check, and see the imports that are known to be there."""
    assert len(SOURCES) > 20
    assert f"{NAME}.errors" in set(own_imports(PACKAGE / "vm" / "node.py"))
    assert f"{NAME}.vm.wasm" in set(own_imports(PACKAGE / "vm" / "__init__.py"))
    assert f"{NAME}.vm.wasm" not in set(
        own_imports(PACKAGE / "vm" / "__init__.py", at_import_only=True)
    )


@each_source
def test_every_module_has_a_layer(path: Path) -> None:
    """A new module must be given its place in the table above and in DESIGN."""
    assert unit_of(module_of(path)) in LAYER_OF


@each_source
def test_imports_point_down(path: Path) -> None:
    """No module imports from a layer above its own, not even inside a function."""
    layer = LAYER_OF[unit_of(module_of(path))]
    upwards = [module for module in own_imports(path) if LAYER_OF[unit_of(module)] > layer]
    assert upwards == []


def test_no_modules_import_each_other() -> None:
    """What is imported while importing forms no circle, inside a layer either."""
    edges = {
        module_of(path): set(own_imports(path, at_import_only=True)) - {NAME} for path in SOURCES
    }
    done: set[str] = set()

    def visit(module: str, above: tuple[str, ...]) -> None:
        assert module not in above, " -> ".join([*above[above.index(module) :], module])
        if module not in done:
            for imported in edges.get(module, ()):
                visit(imported, (*above, module))
            done.add(module)

    for module in edges:
        visit(module, ())


@each_source
def test_only_the_upper_layers_know_pytest(path: Path) -> None:
    """Layers 0 to 3 work without pytest, so that they can be used and tested without it."""
    known = {module.partition(".")[0] for module in imports(path)}
    if LAYER_OF[unit_of(module_of(path))] < FIRST_WITH_PYTEST:
        assert not known & {"pytest", "_pytest", "pluggy", "xdist"}


@each_source
def test_each_outside_thing_has_one_home(path: Path) -> None:
    """HTTP lives in chat, YAML with what it describes, processes in vm, and docs may fetch."""
    unit = unit_of(module_of(path))
    for module in imports(path):
        home = ONLY_IN.get(module.partition(".")[0])
        assert home is None or unit in home, module


@each_source
def test_only_vm_starts_processes(path: Path) -> None:
    """No other module reaches for a process by a function either."""
    if unit_of(module_of(path)) == "vm":
        return
    used: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Name):
            used.add(node.id)
        elif isinstance(node, ast.Attribute):
            used |= {node.attr, ast.unparse(node)}
    assert not used & STARTS_A_PROCESS


ALL_FILES = sorted(
    path
    for folder in (PACKAGE, PROJECT / "tests", PROJECT / "benchmarks")
    for pattern in ("*.py", "*.mjs")
    for path in folder.rglob(pattern)
)


@pytest.mark.parametrize("path", ALL_FILES, ids=lambda path: path.relative_to(PROJECT).as_posix())
def test_no_file_is_longer_than_400_lines(path: Path) -> None:
    """A longer file has two reasons to change."""
    assert len(path.read_text("utf-8").splitlines()) <= MAX_LINES


@pytest.mark.parametrize("path", ALL_FILES, ids=lambda path: path.relative_to(PROJECT).as_posix())
def test_no_file_is_a_drawer(path: Path) -> None:
    """Names say what is inside."""
    assert not DRAWERS & {
        part.removesuffix(path.suffix) for part in path.relative_to(PROJECT).parts
    }
