"""The driver of `make mutants`: which faults it plants, and that it tells dead from live."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
if not hasattr(os, "fork"):
    pytest.skip("mutants need fork", allow_module_level=True)
sys.path.insert(0, str(ROOT / "benchmarks"))

import kinds  # noqa: E402 - behind the path
import mutants  # noqa: E402 - behind the path

SOURCE = '''
"""A text is no fault."""
LIMIT: int = 3

def f(a: int, b: float = 0.5) -> bool:
    """Nor is this one."""
    if not a < b:
        raise ValueError(f"{a} + 1")
    print(a)
    return min(a, b) == -a or a + b * 2.0 > LIMIT
'''
PLANTED = {
    "LIMIT: int = 4", "b: float=0.75", "a <= b", "if a < b", "if not not a < b", "pass",
    "max(a, b)", "min(a, b) != -a", "== a or", "-a and a", "a - b", "b / 2.0", "b * 3.0",
    ">= LIMIT",
}  # fmt: skip


def test_each_kind_of_fault_is_planted_once():
    """One difference a mutant: worked out by hand for a small function."""
    found = mutants.mutants("f.py", SOURCE)
    whole = [mutants.planted(SOURCE, one.at) for one in found]
    for text in PLANTED:
        assert any(text in one for one in whole), text
    assert len(whole) == len(set(whole)) == len(PLANTED)
    plain = ast.unparse(ast.parse(SOURCE))
    assert plain not in whole
    assert {one.function for one in found} == {"f", mutants.MODULE}


def test_texts_types_and_errors_stay():
    whole = [mutants.planted(SOURCE, one.at) for one in mutants.mutants("f", SOURCE)]
    assert all("raise ValueError(f'{a} + 1')" in one and "-> bool" in one for one in whole)


def test_what_is_remembered_meets_all_tests_of_its_file():
    """Whoever calls it first fills its memory: who calls it later is not seen to."""
    found = mutants.sample(10_000, 0, "train/data.py")
    known = {
        name: {"seconds": seconds, "functions": [f"isptools/train/{function}"]}
        for name, seconds, function in (
            ("slow", 2, "data.py:turned"), ("quick", 1, "data.py:levels"), ("no", 0, "run.py:run")
        )
    }  # fmt: skip
    (phase, turned) = (next(m for m in found if m.function == name) for name in ("phase", "turned"))
    assert mutants.meeting(phase, known) == ["quick", "slow"]
    assert mutants.meeting(turned, known) == ["slow"]


def test_a_constant_meets_tests_of_files_that_import_its_module():
    """It is read without a call."""
    (constant, *_) = (m for m in mutants.sample(10_000, 0, "train/codecs.py")
                      if m.function == mutants.MODULE)  # fmt: skip
    known = {
        f"{file}::test": {"seconds": 1, "functions": []}
        for file in ("tests/train/test_figures.py", "tests/train/test_start.py", "tests/gone.py")
    }
    assert mutants.meeting(constant, known) == ["tests/train/test_figures.py::test"]


def test_the_same_seed_takes_the_same_sample():
    one, two, other = (mutants.sample(50, seed, "") for seed in (0, 0, 1))
    assert one == two
    assert one != other
    assert {mutant.file.split("/")[1] for mutant in mutants.sample(10_000, 0, "")} == {
        "train", "measure",
    }  # fmt: skip
    assert len(mutants.sample(10_000, 0, "")) > 1000


@pytest.mark.long
def test_faults_in_a_measure_are_noticed():
    """Three mutants of the ratio of exposures, one of them the code as it is, against its tests."""
    words = ["--count", "3", "--only", "measure/exposure", "--tests",
             "tests/measure/test_exposure.py", "--jobs", "1"]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "benchmarks/mutants.py", *words], cwd=ROOT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "3 of 3 mutants noticed, 100.0%; seed 0", done.stdout


@pytest.mark.parametrize("kind", kinds.KINDS, ids=lambda kind: kind.about)
def test_each_wrong_copy_can_be_planted_and_names_a_test(kind):
    """benchmarks/kinds.py plants them and runs the tests: five minutes."""
    source = (ROOT / kind.file).read_text("utf-8")
    assert source.count(kind.before) == 1
    ast.parse(source.replace(kind.before, kind.after))
    file, _, name = kind.test.partition("::")
    assert f"def {name}(" in (ROOT / file).read_text("utf-8")
