"""The Sema VM behind one protocol: sources in, an `Evaluation` for each out.

`SemaVM` is the contract that grading and tools rely on; `create_vm` makes the one that is asked
for by name.
What the evaluated program does wrong comes back as an `Evaluation`; `VMError` is raised
only for what is not the program's doing. Nothing outside this package starts a process.
"""

from pytest_sema_bench.sema.vm.choice import (
    FORMS,
    OPTION,
    Backend,
    VMChoice,
    read_choice,
    vm_identity,
)
from pytest_sema_bench.sema.vm.install import is_installed
from pytest_sema_bench.sema.vm.protocol import ErrorClass, Evaluation, SemaVM, VMInfo

__all__ = [
    "FORMS",
    "OPTION",
    "ErrorClass",
    "Evaluation",
    "SemaVM",
    "VMChoice",
    "VMInfo",
    "create_vm",
    "is_at_hand",
    "read_choice",
    "vm_identity",
]


def is_at_hand(name: str) -> bool:
    """Whether the VM that `--sema-vm` calls so can be started without anything being fetched.

    Raises SettingsError if there is none.
    """
    return read_choice(name).path is not None or is_installed()


def create_vm(name: str, n_hosts: int) -> SemaVM:
    """The VM that `--sema-vm` calls so, not yet started, for `n_hosts` evaluations at a time.

    Raises SettingsError if there is none.
    """
    choice = read_choice(name)
    if choice.backend is Backend.NATIVE:
        from pytest_sema_bench.sema.vm.native.vm import NativeVM

        assert choice.path is not None
        return NativeVM(n_hosts=n_hosts, binary=choice.path)
    from pytest_sema_bench.sema.vm.wasm import WasmVM

    return WasmVM(n_hosts=n_hosts, folder=choice.path)
