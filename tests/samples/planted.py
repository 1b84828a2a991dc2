"""Programs of our own making, and copies of reference answers to be found among them."""

import random
from collections.abc import Iterator, Sequence

from pytest_sema_bench.dataset.defined import Definition, definitions, renamed
from pytest_sema_bench.sema.names import local_names, names_bound
from pytest_sema_bench.sema.reader import Form, Kind, read_forms
from pytest_sema_bench.suite.task import Task

_CLOSERS = {"(": ")", "[": "]", "{": "}", "#(": ")"}
_SWAPPED = ("+", "*", "=", "equal?", "min", "max")
_OPENERS = {Kind.LIST: "(", Kind.VECTOR: "[", Kind.MAP: "{", Kind.LAMBDA: "#("}

# What a house, a shop or a game would compute; N, M and K become numbers, W a word, F a name.
TEMPLATES = (
    "(define (F price) (+ price (/ (* price N) 100))) (list (F M) (F K))",
    "(define (F side) (* N side side)) (F M)",
    "(define (F hours) (if (> hours N) (+ N (* 2 (- hours N))) hours)) (map F (list M K))",
    "(define (F c) (+ N (/ (* c M) K))) (F 20)",
    '(define (F names) (map (fn (n) (string-append n W)) names)) (F (list W "b"))',
    "(define (F) (foldl + N (range M))) (F)",
    "(filter (fn (x) (> (mod x N) 2)) (range M))",
    "(map (fn (x) (- (* x N) M)) (list 1 K 3))",
    "(let ((width N) (height M)) (list :area (* width height) :edge (* 2 (+ width height))))",
    '(string/join (list W (str N) (str M)) "-")',
    "(define F {:a N :b M}) (+ (get F :a) (* K (get F :b)))",
    "(define (F x y) (sqrt (+ (* x N) (* y M)))) (F 2 3)",
    "(let loop ((i 0) (total N)) (if (= i 5) total (loop (+ i 1) (+ total (* i M)))))",
    "(define (F . xs) (+ N (length xs))) (F 1 M K)",
    "(sort (map (fn (x) (mod (* x N) M)) (range K)))",
    "(cond ((> N M) :more) ((= N M) :same) (else (list :less (- M N))))",
    '(define (F text) (string/upper (string-append W text (str N)))) (F "z")',
    "(try (throw {:code N}) (catch e (list W M)))",
    "(define (F m) (assoc m :seen (+ N (get m :seen)))) (F {:seen M :who W})",
    "(reverse (append (list N M) (take 2 (list K 8 9))))",
    "(when (< N M) (println W N) (* M K))",
    "(define (F stock) (map/entries (assoc stock W N))) (F {})",
    "(define (F n) (- (* n n N) (* M n))) (map F (list 1 2 K))",
    "(string/repeat W (+ 1 (mod N 3)))",
)
_WORDS = ("tea", "oak", "rim", "fog", "jar", "elm", "sun", "ink", "owl", "bee")


def own_programs(n: int, seed: int) -> list[str]:
    """So many programs of ours, each another one."""
    dice, made = random.Random(seed), dict[str, None]()
    while len(made) < n:
        template = dice.choice(TEMPLATES)
        names = {key: str(dice.randint(2, 97)) for key in ("N", "M", "K")}
        names |= {"W": f'"{dice.choice(_WORDS)}"', "F": f"{dice.choice(_WORDS)}-of"}
        made[renamed(template, names)] = None
    return list(made)


def copies(tasks: Sequence[Task], seed: int) -> Iterator[tuple[str, str]]:
    """For each task its id and its reference: names, layout and argument order are others."""
    dice = random.Random(seed)
    for task in tasks:
        code = task.reference or ""
        forms = read_forms(code)
        own = sorted(names_bound(code) | local_names(forms))
        code = renamed(code, {name: f"w{n}" for n, name in enumerate(own) if name.isidentifier()})
        code = renamed(code, {d.name: f"made-{n}" for n, d in enumerate(_defined(code))})
        swapped = {d.name for d in _defined(code) if d.n_arguments == 2 and not d.is_macro}
        swapped = {name for name in swapped if _is_only_called(read_forms(code), name)}
        yield task.id, "\n".join(_printed(form, swapped, dice) for form in read_forms(code))


def _defined(code: str) -> Sequence[Definition]:
    return definitions(read_forms(code))


def _is_only_called(forms: Sequence[Form], name: str) -> bool:
    """Whether a function is always called with its two arguments, and never passed on."""
    return all(
        _is_only_called(form.children, name)
        and (form.head != name or len(form.children) == 3)
        and not any(child.text == name for child in form.children[1:])
        for form in forms
    )


def _printed(form: Form, swapped: set[str], dice: random.Random) -> str:
    if form.kind is Kind.PREFIX:
        return form.text + _printed(form.children[0], swapped, dice)
    if form.kind not in _OPENERS or not form.children:
        return form.text
    parts = [_printed(child, swapped, dice) for child in form.children]
    if len(parts) == 3 and (form.head in swapped or form.head in _SWAPPED):
        parts[1], parts[2] = parts[2], parts[1]
    opener = _OPENERS[form.kind]
    blank = dice.choice((" ", "\n", "\n  ; so\n  "))
    return f"{opener}{parts[0]} {blank.join(parts[1:])}{_CLOSERS[opener]}"
