"""The language Sema: its reader, its values, its names, and the VM that decides."""
