"""A run in the schema of Every Eval Ever: a file for each model and configuration, rates by level.

Sources: `eval.schema.json` of every-eval-ever 0.3.0 for the fields, its README for the path that
the datastore wants. What single items gave is left out: the schema knows no verdict but right and
wrong, which would make void items wrong, and the questions are not to be published.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from pytest_sema_bench import __version__
from pytest_sema_bench.errors import BenchError
from pytest_sema_bench.exchange.inspect_log import model_path, named_entry
from pytest_sema_bench.records.reader import RunData
from pytest_sema_bench.records.whole_file import whole_file
from pytest_sema_bench.tables.levels import ALL, Row, Table, make_tables

SCHEMA_VERSION = "0.3.0"
RELATIONSHIPS = ("first_party", "third_party", "collaborative", "other")
# What may stand in a part of the datastore's path.
_NO_NAME = re.compile(r"[^\w.-]+")
_METRIC = {
    "evaluation_description": "share of graded answers that pass every hidden case on the Sema VM",
    "metric_id": "pass_rate",
    "metric_name": "pass rate",
    "metric_kind": "pass_rate",
    "metric_unit": "proportion",
    "lower_is_better": False,
    "score_type": "continuous",
    "min_score": 0.0,
    "max_score": 1.0,
}


def write_every_eval_ever(
    folder: Path, run: RunData, organization: str, relationship: str, now_s: int
) -> Iterator[Path]:
    """Write the files below `folder`/data, and give each path.

    `relationship` of the organization to the models' developers is one of RELATIONSHIPS.
    Raises BenchError in the end if nothing of a model and configuration is graded.
    """
    empty: list[str] = []
    for table in make_tables(run.records, run.items):
        if not table.total.n_graded:
            empty.append(table.setup.name)
            continue
        content = _log(run, table, now_s) | {
            "source_metadata": {
                "source_type": "evaluation_run",
                "source_organization_name": organization,
                "evaluator_relationship": relationship,
            }
        }
        digest = hashlib.sha256(f"{run.name} {table.setup.name}".encode()).digest()
        developer, _, model = content["model_info"]["id"].partition("/")
        place = folder / "data" / _collection(run) / developer / model
        path = place / f"{UUID(bytes=digest[:16], version=4)}.json"
        with whole_file(path) as file:
            file.write(json.dumps(content, ensure_ascii=False, indent=1) + "\n")
        yield path
    if empty:
        raise BenchError(f"{run.path}: nothing of {', '.join(empty)} is graded")


def _collection(run: RunData) -> str:
    return f"sema-bench-{run.suite.name}" if run.suite else "sema-bench"


def _log(run: RunData, table: Table, now_s: int) -> dict[str, Any]:
    platform, _, name = model_path(run, table.setup, None).partition("/")
    # `developer/model` where the server names it so, else the server stands for the developer.
    developer, _, short = name.rpartition("/")
    told = developer if developer and "/" not in developer else platform
    model_id = "/".join(_NO_NAME.sub("-", part) for part in (told, short))
    begun = datetime.fromisoformat(run.manifest.start) if run.manifest.start else None
    return {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": f"{_collection(run)}/{model_id}/{run.name}-{table.setup.config}",
        "retrieved_timestamp": str(now_s),
        **({"evaluation_timestamp": str(int(begun.timestamp()))} if begun else {}),
        "model_info": {
            "name": name,
            "id": model_id,
            "inference_platform": platform,
            "additional_details": {"deployment_type": "unknown", "model_availability": "unknown"},
        },
        "eval_library": {"name": "pytest-sema-bench", "version": __version__},
        "evaluation_results": [
            _result(run, table, row) for row in table.rows if row.pass_rate is not None
        ],
    }


def _result(run: RunData, table: Table, row: Row) -> dict[str, Any]:
    config = named_entry(run.manifest.content.get("configs"), table.setup.config)
    tools = [{"name": str(tool)} for tool in config.get("tools") or ()]
    lower, upper = row.interval
    details = {
        "config": table.setup.config,
        "vm": run.manifest.content.get("vm"),
        "grader": run.manifest.grader,
        "suite": run.suite and run.suite.label,
        "tasks": row.n_tasks,
        "void": row.n_void,
        "missing": row.n_missing,
    }
    return {
        "evaluation_result_id": f"{table.setup.config}:{row.label}",
        "evaluation_name": _collection(run) + ("" if row.label == ALL else f" {row.label}"),
        "source_data": {"dataset_name": _collection(run), "source_type": "other"},
        "metric_config": _METRIC,
        "score_details": {
            "score": row.pass_rate,
            "details": {name: str(value) for name, value in details.items() if value is not None},
            "uncertainty": {
                "confidence_interval": {"lower": lower, "upper": upper, "confidence_level": 0.95},
                "num_samples": row.n_graded,
            },
        },
        "generation_config": {
            "generation_args": {"agentic_eval_config": {"available_tools": tools}}
        },
    }
