"""How many small faults, planted one at a time in the trainer and the measures, a test notices.

A seeded sample of mutants of isptools/train and isptools/measure: a comparison, sum, product,
number or condition is another one, a call is left out, min is max. First every test is run once,
and which functions it calls is written down; then each mutant meets the tests that call its
function, the quick ones first, until one fails. Mutants that nothing can tell from the code as it
is stand in mutants_equivalent.tsv with the reason.

Every mutant meets its tests in a child of a process that has imported all of it: the faulty code is
put into the loaded function, so that a test of a tenth of a second takes a second and not ten.

python benchmarks/mutants.py [--count 400] [--seed 0] [--jobs 2] [--only objectives]
    [--calls FILE] [--results FILE [--again]] [--most SECONDS]
"""

import argparse
import ast
import copy
import importlib.util
import json
import linecache
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
MUTATED = ("isptools/train", "isptools/measure")
TESTS = ("tests/train", "tests/measure", "tests/gpu/test_convolve.py")
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


def planted(source: str, at: tuple[int, int]) -> str:
    """The text of a file with one fault in it, without its comments."""
    tree = ast.parse(source)
    node = list(ast.walk(tree))[at[0]]
    other = list(faults(node))[at[1]]
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is node:
                setattr(parent, name, other)
            elif isinstance(value, list) and any(one is node for one in value):
                value[:] = [other if one is node else one for one in value]
    return ast.unparse(ast.fix_missing_locations(tree))


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

        options = ["-q", "-p", "no:cacheprovider", "--assert=plain"]
        code = pytest.main([*options, *tests], plugins=[plugin])
        out.write_text(json.dumps(plugin.tests))
        return int(code)

    code = _forked(record, 3600, quiet=False)
    if code:
        sys.exit(f"the tests fail on the code as it is ({code})")
    found: dict[str, dict[str, Any]] = json.loads(out.read_text())
    out.unlink()
    return found


def meeting(mutant: Mutant, known: dict[str, dict[str, Any]]) -> list[str]:
    """The tests that call a mutant's function, or its file where it stands in none; quick first.

    What is remembered is called once, by whichever test came first: all that call its file count.
    What stands in no function is read without a call: all of files that import its module count.
    """
    own = f"{mutant.file}:{mutant.function}"
    inner = f"{own}.<locals>"
    constant = mutant.function == MODULE
    anywhere = constant or mutant.function in remembered(mutant.file)

    def meets(name: str, functions: list[str]) -> bool:
        called = any(one == own or one.startswith((inner, f"{mutant.file}:" if anywhere else inner))
                     for one in functions)  # fmt: skip
        return called or (constant and module(mutant.file) in imports(name.partition("::")[0]))

    tests = [name for name, one in known.items() if meets(name, one["functions"])]
    return sorted(tests, key=lambda name: known[name]["seconds"])


def module(file: str) -> str:
    return file.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


@cache
def tree(file: str) -> ast.Module:
    path = ROOT / file
    return ast.parse(path.read_text("utf-8")) if path.is_file() else ast.Module([], [])


@cache
def imports(file: str) -> set[str]:
    """Dotted names of what a test's file imports, modules among them."""
    found: set[str] = set()
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            found |= {one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{one.name}" for one in node.names)}
    return found


@cache
def remembered(file: str) -> set[str]:
    """Functions of a file whose results functools keeps."""
    return {
        node.name
        for node in ast.walk(tree(file))
        if isinstance(node, ast.FunctionDef)
        and any("cache" in ast.unparse(one) for one in node.decorator_list)
    }


def noticed(mutant: Mutant, known: dict[str, dict[str, Any]], most: float) -> bool:
    """Whether a test fails, or never ends, with the fault planted.

    Tests are run until those of `most` seconds are done; 0 runs all that meet it.
    """
    tests = within(meeting(mutant, known), known, most)
    if not tests:
        return False
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:

        def run() -> int:
            plant(mutant)
            import pytest

            options = ["-x", "-q", "-p", "no:cacheprovider", "--assert=plain"]
            return int(pytest.main([*options, f"--basetemp={folder}/tests", *tests]))

        seconds = sum(known[test]["seconds"] for test in tests)
        return _forked(run, 4 * seconds + PATIENCE) != 0


def within(tests: list[str], known: dict[str, dict[str, Any]], most: float) -> list[str]:
    """The first tests, at least one, that take no longer than `most` seconds together."""
    total, out = 0.0, []
    for test in tests:
        total += known[test]["seconds"]
        if out and most and total > most:
            break
        out.append(test)
    return out


# -- planting --------------------------------------------------------------------------------------


def plant(mutant: Mutant) -> None:
    """Put a fault into this process: into the function that is loaded, else into a module anew."""
    path = ROOT / mutant.file
    source = path.read_text("utf-8")
    name = module(mutant.file)
    text = planted(source, mutant.at)
    faulty = compile(text, str(path), "exec")
    plain = compile(ast.unparse(ast.parse(source)), str(path), "exec")
    outer = mutant.function.partition(".<locals>")[0]
    code, own = inside(faulty, outer), loaded(name, outer)
    if own is None or code is None or code == inside(plain, outer):
        # Triton's interpreter runs a kernel's text, which it looks for in the file
        linecache.cache[str(path)] = (len(text), None, text.splitlines(True), str(path))
        replant(name, path, faulty)
    else:
        own.__code__ = code


def replant(name: str, path: Path, faulty: types.CodeType) -> None:
    """Have a module's code be another one, and everything imported anew."""
    for other in [one for one in sys.modules if one.partition(".")[0] in {"isptools", "tests"}]:
        del sys.modules[other]
    sys.meta_path.insert(0, Finder(name, path, faulty))


def inside(code: types.CodeType, function: str) -> types.CodeType | None:
    """The code of a function or method in that of its module; None where it stands in none."""
    for one in code.co_consts:
        if isinstance(one, types.CodeType):
            if one.co_qualname == function:
                return one
            if function.startswith(f"{one.co_qualname}.") and (found := inside(one, function)):
                return found
    return None


def loaded(module: str, function: str) -> types.FunctionType | None:
    """The function or method of that name in a module that was imported, bare of decorators."""
    found: Any = sys.modules.get(module)
    for part in function.split("."):
        found = getattr(found, "__dict__", {}).get(part)
    while not isinstance(found, types.FunctionType) or hasattr(found, "__wrapped__"):
        layers = ("__wrapped__", "__func__", "fget")
        inner = next((getattr(found, one) for one in layers if hasattr(found, one)), None)
        if inner is None:
            return None
        found = inner
    return found


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


def sample(count: int, seed: int, only: str, left_out: Collection[str] = ()) -> list[Mutant]:
    """So many of all mutants but those `left_out`, the same ones for the same seed and code."""
    found: list[Mutant] = []
    for folder in MUTATED:
        for path in sorted((ROOT / folder).rglob("*.py")):
            file = str(path.relative_to(ROOT))
            if only in file:
                found += mutants(file, path.read_text("utf-8"))
    random.Random(seed).shuffle(found)
    return [one for one in found if plain(one) not in left_out][:count]


def equivalent() -> set[str]:
    """Mutants that are the code as it is, as their lines have them without the line's number."""
    if not EQUIVALENT.is_file():
        return set()
    lines = EQUIVALENT.read_text("utf-8").splitlines()
    return {line.partition("\t")[0] for line in lines if line and not line.startswith("#")}


def plain(mutant: Mutant) -> str:
    return f"{mutant.file} {mutant.function}: {mutant.before} -> {mutant.after}"


def earlier(path: Path | None, again: bool) -> dict[str, bool]:
    """What a run before this one found, by mutant; with `again` only those that were noticed."""
    if not path or not path.is_file():
        return {}
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    found = {row["mutant"]: row["noticed"] for row in rows}
    return {name: dead for name, dead in found.items() if dead or not again}


def imported(tests: Sequence[str]) -> None:
    """What every child needs, once and here: libraries, the trainer, the tests' own files."""
    import pytest

    for name in ("scipy.ndimage", "skimage.metrics", "torch", "lightning.fabric"):
        importlib.import_module(name)
    importlib.import_module("tests.conftest")
    for place in tests:
        path = ROOT / place.partition("::")[0]
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            with suppress(pytest.skip.Exception):
                importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))


def miniature(folder: Path) -> None:
    """The shards that most tests train from, built once and not in every child."""
    words = ["-m", "isptools.cli", "build", "sid", "--sample", "--out", str(folder)]
    if "ISPTOOLS_MINIATURE" in os.environ:
        return
    subprocess.run([sys.executable, *words], check=True, capture_output=True, cwd=ROOT)
    os.environ["ISPTOOLS_MINIATURE"] = str(folder)


def tried(todo: list[Mutant], known: dict[str, dict[str, Any]], chosen: Any) -> dict[str, bool]:
    """Whether each is noticed, as far as not known from `chosen.results`, where it is written."""
    found = earlier(chosen.results, chosen.again)

    def one(mutant: Mutant) -> None:
        dead = found[str(mutant)] = noticed(mutant, known, chosen.most)
        if chosen.results:
            with chosen.results.open("a") as file:
                file.write(json.dumps({"mutant": str(mutant), "noticed": dead}) + "\n")

    with ThreadPoolExecutor(chosen.jobs) as pool:
        list(pool.map(one, [mutant for mutant in todo if str(mutant) not in found]))
    return found


def words() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="Of files whose path holds this.")
    parser.add_argument("--calls", type=Path, help="Where it is kept which test calls what.")
    parser.add_argument("--results", type=Path, help="Where outcomes are kept, to go on with.")
    parser.add_argument("--again", action="store_true", help="Try kept survivors again.")
    parser.add_argument(
        "--most", type=float, default=0.0, help="Seconds of tests a mutant; 0: all."
    )
    parser.add_argument("--tests", nargs="+", default=list(TESTS))
    parser.add_argument("--least", type=float, default=0.0, help="Share below which it fails.")
    return parser.parse_args()


def main() -> None:
    chosen = words()
    os.chdir(ROOT)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        if any("train" in place for place in chosen.tests):
            miniature(Path(folder) / "sid")
        imported(chosen.tests)
        if chosen.calls and chosen.calls.is_file():
            known = json.loads(chosen.calls.read_text())
        else:
            known = calls(chosen.tests)
            if chosen.calls:
                chosen.calls.write_text(json.dumps(known))
        todo = sample(chosen.count, chosen.seed, chosen.only, equivalent())
        found = tried(todo, known, chosen)
    survivors = [one for one in todo if not found[str(one)]]
    for one in sorted(survivors, key=str):
        print("survives", one, "" if meeting(one, known) else "(no test calls it)")
    killed = len(todo) - len(survivors)
    share = killed / max(len(todo), 1)
    print(f"{killed} of {len(todo)} mutants noticed, {share:.1%}; seed {chosen.seed}")
    sys.exit(share < chosen.least)


if __name__ == "__main__":
    main()
