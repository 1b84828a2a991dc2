"""The Sema VM behind one protocol: sources in, an `Evaluation` for each out.

`SemaVM` is the contract that grading and tools rely on; `wasm` is the default backend.
What the evaluated program does wrong comes back as an `Evaluation`; `VMError` is raised
only for what is not the program's doing. Nothing outside this package starts a process.
"""

from pytest_sema_bench.sema.vm.protocol import ErrorClass, Evaluation, SemaVM, VMInfo

__all__ = ["BACKENDS", "ErrorClass", "Evaluation", "SemaVM", "VMInfo", "create_vm"]


def create_vm(backend: str, n_hosts: int) -> SemaVM:
    """The VM called `backend`, not yet started, with room for `n_hosts` evaluations at a time."""
    from pytest_sema_bench.sema.vm.wasm import WasmVM

    if backend != "wasm":
        raise ValueError(f"unknown VM backend {backend!r}")
    return WasmVM(n_hosts=n_hosts)


BACKENDS = ("wasm",)
