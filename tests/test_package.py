"""What `pip install` brings: recipes and manifests travel in the wheel."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_the_wheel_runs_without_the_checkout(tmp_path):
    build = "from hatchling.builders.wheel import WheelBuilder; import sys;"
    build += "print(*WheelBuilder(sys.argv[1]).build(directory=sys.argv[2]))"
    made = subprocess.run(
        [sys.executable, "-c", build, str(ROOT), str(tmp_path)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    with zipfile.ZipFile(made.stdout.strip()) as wheel:
        names = set(wheel.namelist())
        wheel.extractall(tmp_path / "site")
    for folder in ("recipes", "manifests"):
        shipped = {
            f"isptools/{path.relative_to(ROOT)}"
            for path in (ROOT / folder).rglob("*")
            if path.is_file()
        }
        assert shipped
        assert shipped <= names
    assert "isptools/py.typed" in names
    assert not [name for name in names if "tests" in name or name.endswith((".pyc", ".h5"))]
    code = f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})\n"
    code += "import isptools, isptools.recipe as r, isptools.datasets.card as m\n"
    code += "print(isptools.__file__, r.Recipe.load('sid').name, len(m.load('sid').files))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    where, name, entries = done.stdout.split()
    assert where.startswith(str(tmp_path))
    assert (name, entries) == ("sid", str(2697 + 231))
