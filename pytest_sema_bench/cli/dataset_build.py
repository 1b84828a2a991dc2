"""`sema-bench dataset build` and `dataset check`: rows become a data set, which is proven again."""

import argparse
import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pytest_sema_bench.cli.arguments import add_vm_option, opened_vm, there
from pytest_sema_bench.dataset.check import Checked, check_dataset
from pytest_sema_bench.dataset.formats import FORMATS
from pytest_sema_bench.dataset.harbor import pinned_vm
from pytest_sema_bench.dataset.mix import Mixture, Why, mix, tasks_to_keep_out
from pytest_sema_bench.dataset.output import check_folder, write_dataset
from pytest_sema_bench.dataset.spec import Spec, read_spec
from pytest_sema_bench.errors import SettingsError
from pytest_sema_bench.report.text import safe, tabulated

_MAX_SHOWN = 20


def add_build_commands(group: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `build` and `check`."""
    build = group.add_parser(
        "build",
        help="mix sources to a data set, without the benchmark's tasks and without copies",
        description="Mixes sources by share, proves each program on the VM, leaves out copies and "
        "what gives a task of a suite away, splits, and writes records, card and manifest. "
        "The exit status is 1 if no row is left, 2 for a mistake in SPEC or its files.",
    )
    build.add_argument("spec", type=there, metavar="SPEC", help="YAML, such as examples/mix.yaml")
    build.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    build.add_argument(
        "--format",
        choices=FORMATS,
        required=True,
        metavar="FORMAT",
        help="; ".join(f"{form.name}: {form.purpose}" for form in FORMATS.values()),
    )
    build.add_argument(
        "--suite",
        dest="suites",
        type=there,
        action="append",
        default=[],
        metavar="FOLDER",
        help="a suite to keep out besides the bundled ones (can be given again)",
    )
    add_vm_option(build)
    build.set_defaults(run=_build, mistake=2)
    check = group.add_parser(
        "check",
        help="prove a data set again: files, rows on the VM, records by their format's rules",
        description="The exit status is 1 if anything in DIR is not as it was built or not true.",
    )
    check.add_argument("folder", type=there, metavar="DIR")
    add_vm_option(check)
    check.set_defaults(run=_check, mistake=2)


def _build(arguments: argparse.Namespace) -> int:
    check_folder(arguments.output)
    spec = read_spec(arguments.spec)
    mixture = asyncio.run(_built(arguments, spec))
    print("\n".join(_account(spec, mixture)))
    return 0 if mixture.train or mixture.validation else 1


async def _built(arguments: argparse.Namespace, spec: Spec) -> Mixture:
    form = FORMATS[arguments.format]
    tasks = tasks_to_keep_out([*spec.suites, *arguments.suites])
    async with opened_vm(arguments) as vm:
        info = await vm.info()
        package, version = pinned_vm()
        if form.name == "harbor" and info.version != version:
            raise SettingsError(
                f"harbor's verifier installs {package}@{version}, but this VM is {info.version}; "
                "build on --sema-vm=wasm"
            )
        mixture = await mix(spec, form, tasks, vm)
    write_dataset(arguments.output, spec, form, mixture, tasks, info)
    return mixture


def _account(spec: Spec, mixture: Mixture) -> Iterator[str]:
    """A row for each source, then what bounds the size, and the tasks that were given away."""
    counts = Counter((d.source, d.why) for d in mixture.dropped)
    used = [why for why in Why if any(d.why is why for d in mixture.dropped)]
    rows = [
        (
            source.name,
            f"{source.share:.0%}",
            str(mixture.found[source.name]),
            *(str(counts[source.name, why]) for why in used),
            str(mixture.kept[source.name]),
        )
        for source in spec.sources
    ]
    headings = ("source", "share", "found", *(why.value for why in used), "kept")
    yield from tabulated(headings, rows, align="l" + "r" * (len(headings) - 1))
    yield f"{len(mixture.train)} rows to train, {len(mixture.validation)} for validation"
    if mixture.binding is not None:
        yield f"there are no more because of {mixture.binding}: all of it is used"
    leaks = [d for d in mixture.dropped if d.why is Why.LEAK]
    for dropped in leaks[:_MAX_SHOWN]:
        told = safe(f"{dropped.row.family}: {dropped.detail}", width=120)
        yield f"left out for {dropped.task}: {told}"
    if len(leaks) > _MAX_SHOWN:
        yield f"and {len(leaks) - _MAX_SHOWN} more, in dropped.jsonl"


def _check(arguments: argparse.Namespace) -> int:
    found = asyncio.run(_checked(arguments))
    print("\n".join([*found.faults[:_MAX_SHOWN], *_left_out(found)]))
    return 1 if found.faults else 0


def _left_out(found: Checked) -> Iterator[str]:
    if len(found.faults) > _MAX_SHOWN:
        yield f"and {len(found.faults) - _MAX_SHOWN} more"
    what = f"{found.n_rows} rows, {found.n_records} records"
    yield f"{what}: {len(found.faults)} faults" if found.faults else f"{what}: all hold"


async def _checked(arguments: argparse.Namespace) -> Checked:
    async with opened_vm(arguments) as vm:
        return await check_dataset(arguments.folder, vm)
