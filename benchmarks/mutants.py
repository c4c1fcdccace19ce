"""How many small faults, planted one at a time in the trainer and the measures, a test notices.

A seeded sample of mutants of isptools/train and isptools/measure: a comparison, sum, product,
number or condition is another one, a call is left out, min is max. First every test is run once,
and which functions it calls is written down; then each mutant meets the tests that call its
function, the quick ones first, until one fails. Mutants that nothing can tell from the code as it
is stand in mutants_equivalent.tsv with the reason.

python benchmarks/mutants.py [--count 400] [--seed 0] [--jobs 2] [--only objectives] [--calls FILE]
"""

import argparse
import ast
import copy
import importlib.util
import json
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
MUTATED = ("isptools/train", "isptools/measure")
TESTS = ("tests/train", "tests/measure")
EQUIVALENT = Path(__file__).with_name("mutants_equivalent.tsv")
MODULE = "<module>"
PATIENCE = 60.0  # seconds beyond four times what the tests took
SWAPS: dict[type, type] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot,
    ast.IsNot: ast.Is, ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult, ast.And: ast.Or,
    ast.Or: ast.And,
}  # fmt: skip
NAMES = {"min": "max", "max": "min", "mean": "sum", "sum": "mean", "any": "all", "all": "any"}


@dataclass(frozen=True)
class Mutant:
    """One fault: where it is, what stands there and what stands there instead."""

    file: str
    line: int
    function: str  # qualified, or <module>
    before: str
    after: str
    at: tuple[int, int]  # node in the order of ast.walk, and which of its faults

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.function}: {self.before} -> {self.after}"


# -- mutants ---------------------------------------------------------------------------------------


def mutants(file: str, source: str) -> list[Mutant]:
    """Every fault that may be planted in a file."""
    tree = ast.parse(source)
    where, left_out = _functions(tree), _left_out(tree)
    found = []
    for number, node in enumerate(ast.walk(tree)):
        if node in left_out:
            continue
        for which, other in enumerate(faults(node)):
            line = getattr(node, "lineno", 0)
            said = (ast.unparse(node)[:60], ast.unparse(other)[:60])
            function = where.get(id(node), MODULE)
            found.append(Mutant(file, line, function, *said, (number, which)))
    return found


def planted(source: str, at: tuple[int, int]) -> ast.Module:
    """The tree of a file with one fault in it."""
    tree = ast.parse(source)
    node = list(ast.walk(tree))[at[0]]
    other = list(faults(node))[at[1]]
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is node:
                setattr(parent, name, other)
            elif isinstance(value, list) and any(one is node for one in value):
                value[:] = [other if one is node else one for one in value]
    return ast.fix_missing_locations(tree)


def faults(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand in the place of a node, itself not changed."""
    match node:
        case ast.Compare(ops=[op]) if type(op) in SWAPS:
            yield _with(node, ops=[SWAPS[type(op)]()])
        case ast.BinOp(op=op) | ast.BoolOp(op=op) | ast.AugAssign(op=op) if type(op) in SWAPS:
            yield _with(node, op=SWAPS[type(op)]())
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=inner):
            yield copy.deepcopy(inner)
        case ast.If(test=test) | ast.IfExp(test=test):
            yield _with(node, test=ast.UnaryOp(ast.Not(), copy.deepcopy(test)))
        case ast.Constant(value=bool(value)):
            yield ast.copy_location(ast.Constant(not value), node)
        case ast.Constant(value=int(value)):
            yield ast.copy_location(ast.Constant(value + 1), node)
        case ast.Constant(value=float(value)):
            yield ast.copy_location(ast.Constant(value * 1.5 if value else 1.0), node)
        case ast.Expr(value=ast.Call()):
            yield ast.copy_location(ast.Pass(), node)
        case ast.Name(id=name) if name in NAMES:
            yield _with(node, id=NAMES[name])
        case ast.Attribute(attr=name) if name in NAMES:
            yield _with(node, attr=NAMES[name])


def _with(node: ast.AST, **fields: Any) -> ast.AST:
    other = copy.deepcopy(node)
    for name, value in fields.items():
        setattr(other, name, value)
    return other


def _functions(tree: ast.Module) -> dict[int, str]:
    """The qualified name of the function around each node."""
    where: dict[int, str] = {}

    def visit(node: ast.AST, name: str, inside: bool) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.Lambda):
                own = getattr(child, "name", "<lambda>")
                nested = f"{name}.<locals>.{own}" if inside else f"{name}.{own}".lstrip(".")
                visit(child, nested, True)
            elif isinstance(child, ast.ClassDef):
                visit(child, f"{name}.{child.name}".lstrip("."), False)
            else:
                if inside:
                    where[id(child)] = name
                visit(child, name, inside)

    visit(tree, "", False)
    return where


def _left_out(tree: ast.Module) -> set[ast.AST]:
    """Types, texts of errors and what type checkers alone see: no program runs otherwise for it."""
    roots: list[ast.AST] = []
    for node in ast.walk(tree):
        roots += [getattr(node, name, None) for name in ("annotation", "returns")]
        if isinstance(node, ast.Raise | ast.Import | ast.ImportFrom | ast.JoinedStr):
            roots.append(node)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            roots.append(node)
    return {node for root in roots if root for node in ast.walk(root)}


# -- tests -----------------------------------------------------------------------------------------


class Calls:
    """A plugin of pytest: how long each test took and which of the mutated functions it called."""

    def __init__(self) -> None:
        self.tests: dict[str, dict[str, Any]] = {}
        self.seen: set[str] = set()

    def pytest_runtest_logstart(self) -> None:
        self.seen, self.start = set(), time.perf_counter()
        sys.settrace(self._called)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        sys.settrace(None)
        seconds = time.perf_counter() - self.start
        self.tests[nodeid] = {"seconds": round(seconds, 3), "functions": sorted(self.seen)}

    def _called(self, frame: Any, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(PREFIXES):
            file = os.path.relpath(code.co_filename, ROOT)
            self.seen.add(f"{file}:{code.co_qualname}")


PREFIXES = tuple(str(ROOT / folder) for folder in MUTATED)


def calls(tests: list[str]) -> dict[str, dict[str, Any]]:
    """Run the tests on the code as it is, in a process of its own."""
    out = ROOT / f".mutants-{os.getpid()}.json"

    def record() -> int:
        plugin = Calls()
        import pytest

        code = pytest.main(["-q", "-p", "no:cacheprovider", *tests], plugins=[plugin])
        out.write_text(json.dumps(plugin.tests))
        return int(code)

    code = _forked(record, 3600, quiet=False)
    if code:
        sys.exit(f"the tests fail on the code as it is ({code})")
    found: dict[str, dict[str, Any]] = json.loads(out.read_text())
    out.unlink()
    return found


def meeting(mutant: Mutant, known: dict[str, dict[str, Any]]) -> list[str]:
    """The tests that call a mutant's function, or its file where it stands in none; quick first."""
    own = f"{mutant.file}:{mutant.function}"
    inner = f"{own}.<locals>"
    anywhere = mutant.function == MODULE

    def meets(functions: list[str]) -> bool:
        return any(one == own or one.startswith((inner, f"{mutant.file}:" if anywhere else inner))
                   for one in functions)  # fmt: skip

    tests = [name for name, one in known.items() if meets(one["functions"])]
    return sorted(tests, key=lambda name: known[name]["seconds"])


def noticed(mutant: Mutant, known: dict[str, dict[str, Any]]) -> bool:
    """Whether a test fails, or never ends, with the fault planted."""
    tests = meeting(mutant, known)
    if not tests:
        return False
    path = ROOT / mutant.file
    name = mutant.file.removesuffix(".py").replace("/", ".").removesuffix(".__init__")

    def run() -> int:
        import pytest

        code = compile(planted(path.read_text("utf-8"), mutant.at), str(path), "exec")
        sys.meta_path.insert(0, Finder(name, path, code))
        return int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests]))

    seconds = sum(known[test]["seconds"] for test in tests)
    return _forked(run, 4 * seconds + PATIENCE) != 0


class Finder:
    """Gives one module other code than its file has."""

    def __init__(self, name: str, path: Path, code: Any) -> None:
        self.name, self.path, self.code = name, path, code

    def find_spec(self, name: str, *_: Any) -> Any:
        if name != self.name:
            return None
        code = self.code

        class Loader(SourceFileLoader):
            def get_code(self, _: str) -> Any:
                return code

        loader = Loader(name, str(self.path))
        return importlib.util.spec_from_file_location(name, self.path, loader=loader)


def _forked(work: Any, seconds: float, quiet: bool = True) -> int:
    """The exit code of `work` in a child with what this process imported; -1 if it never ends."""
    child = os.fork()
    if not child:
        os.setsid()
        if quiet:
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, 1)
            os.dup2(nothing, 2)
        code = 70
        try:
            code = work()
        finally:
            os._exit(code)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -1


# -- the whole -------------------------------------------------------------------------------------


def sample(count: int, seed: int, only: str) -> list[Mutant]:
    """So many of all mutants, the same ones for the same seed and code."""
    found: list[Mutant] = []
    for folder in MUTATED:
        for path in sorted((ROOT / folder).rglob("*.py")):
            file = str(path.relative_to(ROOT))
            if only in file:
                found += mutants(file, path.read_text("utf-8"))
    random.Random(seed).shuffle(found)
    return found[:count]


def equivalent() -> set[str]:
    """Mutants that are the code as it is, as their lines have them without the line's number."""
    if not EQUIVALENT.is_file():
        return set()
    lines = EQUIVALENT.read_text("utf-8").splitlines()
    return {line.partition("\t")[0] for line in lines if line and not line.startswith("#")}


def plain(mutant: Mutant) -> str:
    return f"{mutant.file} {mutant.function}: {mutant.before} -> {mutant.after}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="Of files whose path holds this.")
    parser.add_argument("--calls", type=Path, help="Where it is kept which test calls what.")
    parser.add_argument("--tests", nargs="+", default=list(TESTS))
    parser.add_argument("--least", type=float, default=0.0, help="Share below which it fails.")
    chosen = parser.parse_args()
    os.chdir(ROOT)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.path.insert(0, str(ROOT))
    for name in (
        "numpy",
        "scipy.ndimage",
        "skimage.metrics",
        "torch",
        "lightning.fabric",
        "pytest",
    ):
        importlib.import_module(name)  # once, here, and not in every child
    if chosen.calls and chosen.calls.is_file():
        known = json.loads(chosen.calls.read_text())
    else:
        known = calls(chosen.tests)
        if chosen.calls:
            chosen.calls.write_text(json.dumps(known))
    all_same = equivalent()
    todo = [one for one in sample(chosen.count, chosen.seed, chosen.only)
            if plain(one) not in all_same]  # fmt: skip
    with ThreadPoolExecutor(chosen.jobs) as pool:
        killed = list(pool.map(lambda one: noticed(one, known), todo))
    survivors = [one for one, dead in zip(todo, killed, strict=True) if not dead]
    for one in sorted(survivors, key=str):
        print("survives", one, "" if meeting(one, known) else "(no test calls it)")
    share = sum(killed) / max(len(todo), 1)
    print(f"{sum(killed)} of {len(todo)} mutants noticed, {share:.1%}; seed {chosen.seed}")
    sys.exit(share < chosen.least)


if __name__ == "__main__":
    main()
