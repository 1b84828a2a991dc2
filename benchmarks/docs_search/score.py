"""How well docs_search finds names, and what each part of it contributes.

    python benchmarks/docs_search/score.py [--parts] [--misses] [--queries FILE …] [--json]
    python benchmarks/docs_search/score.py --sema-docs sema

Without files: the development queries, the held-out ones, and what agents asked in the middle of
work, as far as they are there. A query counts as found at k if one of its acceptable names is
among the first k names that `sema-bench docs search --batch` gives for it. Latency is that of a
query in a process that has the index open.
"""

import argparse
import asyncio
import json
import random
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

from pytest_sema_bench.docsearch import index, words
from pytest_sema_bench.docsearch.choose import make_search
from pytest_sema_bench.docsearch.corpus import Corpus, load_corpus
from pytest_sema_bench.docsearch.lexical import LexicalSearch
from pytest_sema_bench.docsearch.settings import read_docs_settings
from pytest_sema_bench.sema.vm.install import pinned_version

SETS = tuple(
    Path(__file__).with_name(f"{name}.jsonl") for name in ("queries", "held_out", "agents")
)
KINDS = ("keyword", "intent", "foreign", "syntax", "agent")
N_RANKS = 10
"""A rank below this counts as not found in the reciprocal rank."""
N_TIMED = 3
"""Each query is timed so often, and the quickest counts: the others measure the machine."""
N_SPARE = 5
"""Hits asked for beyond that, as `--batch` does: two hits can have one name."""

DEFAULT = "all parts (the default)"
HALVED = "half of the intents"
"""On poorer corpora: what the thesaurus is worth where nobody thought of the query's words."""
N_DRAWS = 5
"""Corpora with a random half of each entry's intents, whose results are counted together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A query and the names that answer it."""

    id: str
    text: str
    kind: str
    names: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Where the first acceptable name stood, and how long the search took."""

    query: Query
    rank: int | None
    found: tuple[str, ...]
    latency_ms: float


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--parts", action="store_true", help="what each part contributes")
    parser.add_argument("--misses", action="store_true", help="list what is not among the five")
    parser.add_argument("--sema-docs", metavar="BACKEND", help="who answers (default: lexical)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    corpus = load_corpus().on(pinned_version())
    measured = {}
    for path in arguments.queries or [path for path in SETS if path.is_file()]:
        queries = read_queries(path)
        measured[path.stem] = variants(corpus, queries) if arguments.parts else {}
        if arguments.sema_docs:
            measured[path.stem] = {DEFAULT: asyncio.run(ask(arguments.sema_docs, queries))}
        else:
            measured[path.stem] |= {DEFAULT: run(LexicalSearch(corpus), queries)}
    if arguments.json:
        print(json.dumps({s: {v: summary(r) for v, r in m.items()} for s, m in measured.items()}))
        return
    for name, by_variant in measured.items():
        if arguments.parts:
            print("\n".join(parts_table(by_variant)))
        print("\n".join([*table(name, by_variant[DEFAULT]), ""]))
        if arguments.misses:
            print("\n".join(misses(by_variant[DEFAULT])))


def variants(corpus: Corpus, queries: Sequence[Query]) -> dict[str, list[Result]]:
    """The results without one part of the corpus each, and on poorer ones."""
    dumb = tuple(replace(entry, intents=(), asked=()) for entry in corpus.entries)
    poorer = [halved(corpus, seed) for seed in range(N_DRAWS)]
    searched = {
        DEFAULT: [corpus],
        "without intents": [replace(corpus, entries=dumb)],
        "without the foreign table": [replace(corpus, foreign=())],
        "without synonyms": [replace(corpus, synonyms=())],
        HALVED: poorer,
        f"{HALVED}, no synonyms": [replace(some, synonyms=()) for some in poorer],
    }
    measured = {
        name: [result for some in corpora for result in run(LexicalSearch(some), queries)]
        for name, corpora in searched.items()
    }
    with ExitStack() as stack:
        for module, name in ((words, "split_name"), (words, "_directions"), (index, "split_name")):
            stack.enter_context(patch.object(module, name, lambda text: []))
        words._terms_of_token.cache_clear()
        measured["without name splitting"] = run(LexicalSearch(corpus), queries)
    words._terms_of_token.cache_clear()
    return measured


def read_queries(path: Path) -> list[Query]:
    """The queries of a file of JSON lines."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    return [
        Query(id=row["id"], text=row["query"], kind=row["kind"], names=frozenset(row["names"]))
        for row in rows
    ]


def halved(corpus: Corpus, seed: int) -> Corpus:
    """The corpus with half of each entry's intents, drawn at random."""
    draw = random.Random(seed)  # noqa: S311 (a repeatable draw, no secret)
    entries = tuple(
        replace(
            entry,
            intents=tuple(draw.sample(entry.intents, len(entry.intents) // 2)),
            asked=tuple(draw.sample(entry.asked, len(entry.asked) // 2)),
        )
        for entry in corpus.entries
    )
    return replace(corpus, entries=entries)


def run(search: LexicalSearch, queries: Sequence[Query]) -> list[Result]:
    """The result of each query, after one to warm up."""
    search.find_now("warm up")
    return [_measure(search, query) for query in queries]


async def ask(backend: str, queries: Sequence[Query]) -> list[Result]:
    """The results of another backend, each query asked once."""
    search = make_search(read_docs_settings(option=backend))
    results = []
    try:
        await search.find("warm up")
        for query in queries:
            started = time.perf_counter()
            found = await search.find(query.text, N_RANKS + N_SPARE)
            results.append(_result(query, found.names[:N_RANKS], time.perf_counter() - started))
    finally:
        await search.close()
    return results


def _measure(search: LexicalSearch, query: Query) -> Result:
    times_s = []
    for _ in range(N_TIMED):
        started = time.perf_counter()
        names = search.find_now(query.text, N_RANKS + N_SPARE).names[:N_RANKS]
        times_s.append(time.perf_counter() - started)
    return _result(query, names, min(times_s))


def _result(query: Query, names: tuple[str, ...], time_s: float) -> Result:
    ranks = [rank for rank, name in enumerate(names, 1) if name in query.names]
    return Result(
        query=query, rank=ranks[0] if ranks else None, found=names, latency_ms=time_s * 1000
    )


def summary(results: Sequence[Result]) -> dict[str, dict[str, float]]:
    """Recall at 1 and 5, MRR by kind and for all; latency for all."""
    groups = {kind: [r for r in results if r.query.kind == kind] for kind in KINDS}
    rows = {kind: _rates(group) for kind, group in groups.items() if group}
    latencies = sorted(result.latency_ms for result in results)
    rows["all"] = _rates(results) | {
        "latency_median_ms": statistics.median(latencies),
        "latency_p95_ms": latencies[int(0.95 * (len(latencies) - 1))],
    }
    return rows


def _rates(results: Sequence[Result]) -> dict[str, float]:
    ranks = [result.rank for result in results]
    n = len(ranks)
    return {
        "n": n,
        "recall_1": sum(rank == 1 for rank in ranks) / n,
        "recall_5": sum(rank is not None and rank <= 5 for rank in ranks) / n,
        "mrr": sum(1 / rank for rank in ranks if rank is not None) / n,
    }


def parts_table(measured: dict[str, list[Result]]) -> Iterator[str]:
    """Recall at 5 of every variant by kind."""
    columns = tuple(summary(measured[DEFAULT]))
    yield "| recall at 5 | " + " | ".join(columns) + " |"
    yield "|---|" + "---|" * len(columns)
    for name, results in measured.items():
        rates = summary(results)
        yield (
            f"| {name} | " + " | ".join(f"{rates[kind]['recall_5']:.3f}" for kind in columns) + " |"
        )
    yield ""


def table(name: str, results: Sequence[Result]) -> Iterator[str]:
    """How one set fares by kind, and how long a query takes."""
    rates = summary(results)
    yield f"| {name} | queries | recall at 1 | recall at 5 | MRR |"
    yield "|---|---|---|---|---|"
    for kind, row in rates.items():
        cells = (f"{row[key]:.3f}" for key in ("recall_1", "recall_5", "mrr"))
        yield f"| {kind} | {row['n']} | " + " | ".join(cells) + " |"
    yield ""
    yield (
        f"latency per query: median {rates['all']['latency_median_ms']:.2f} ms, "
        f"95 % under {rates['all']['latency_p95_ms']:.2f} ms"
    )


def misses(results: Sequence[Result]) -> Iterator[str]:
    """The queries whose names are not among the first five."""
    for result in results:
        if result.rank is None or result.rank > 5:
            yield f"{result.query.id} {result.query.text!r} rank {result.rank}"
            yield f"    wanted {sorted(result.query.names)}, found {list(result.found[:5])}"


if __name__ == "__main__":
    main()
