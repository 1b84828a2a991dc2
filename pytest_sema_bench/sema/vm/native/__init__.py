"""The `native` backend: a `sema` program of one's own, a confined process per evaluation."""
