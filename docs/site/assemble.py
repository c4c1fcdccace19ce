"""The site's source: the repository's pages where they are, a reference made of docstrings.

    python docs/site/assemble.py build/site/source

Pages are copied with the files they link to, so that a link holds there as it does here.
"""

import ast
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s#]+)[^)]*\)")
PAGES = ("*.md", "docs/*.md", "docs/guides/*.md", "docs/decisions/*.md", "docs/datasets/*.md",
         "docs/papers/*.md",
         "manifests/*/README.md")  # fmt: skip
TOP = """# isptools

```{include} README.md
:start-line: 1
```

```{toctree}
:hidden:
:caption: Guides
:glob:

docs/guides/first-build
docs/guides/get-a-data-set
docs/guides/own-captures
docs/guides/own-camera
docs/guides/add-a-data-set
docs/guides/add-a-network
docs/guides/many-machines
docs/guides/object-storage
docs/guides/other-tools
docs/train
docs/gpu
docs/scale
docs/slow-epoch
docs/papers/README
docs/papers/*
```

```{toctree}
:hidden:
:caption: Gallery and notebooks

gallery/index
```

```{toctree}
:hidden:
:caption: Data sets
:glob:

docs/datasets/README
manifests/*/README
```

```{toctree}
:hidden:
:caption: How it works
:glob:

docs/shard-format
docs/stations
docs/raw
docs/libraw
docs/burst
docs/pair
docs/check
docs/report
docs/same-bytes
docs/limits
docs/platforms
docs/reliability
REST
docs/decisions/README
docs/decisions/0*
```

```{toctree}
:hidden:
:caption: Reference

reference/index
CHANGELOG
CONTRIBUTING
docs/releasing
SECURITY
```
"""


def pages() -> list[Path]:
    """Every page of the site, below the root."""
    return sorted({path.relative_to(ROOT) for glob in PAGES for path in ROOT.glob(glob)})


def contents(names: list[Path]) -> str:
    """The top page; what no list names stands with how it works."""
    listed = [line for line in TOP.splitlines() if "/" in line or line.isupper()]
    rest = [
        str(name.with_suffix("")) for name in names
        if not any(name.with_suffix("").match(line) for line in listed) and name.name != "README.md"
    ]  # fmt: skip
    return TOP.replace("REST", "\n".join(rest))


def linked(page: Path) -> Iterator[Path]:
    """Files of the repository that a page links to."""
    for target in LINK.findall((ROOT / page).read_text("utf-8")):
        path = (ROOT / page).parent / target
        if "://" not in target and path.exists():
            yield path.resolve().relative_to(ROOT)


def told(page: Path) -> str:
    """The text of a page; a link to a folder leads to its page, to the top page to the index."""

    def link(found: re.Match[str]) -> str:
        path = (ROOT / page).parent / found[1]
        if "://" in found[1] or not path.exists():
            return found[0]
        if path.is_dir():
            inside = "README.md" if (path / "README.md").exists() else ""
            return found[0].replace(found[1], f"{found[1].rstrip('/')}/{inside}", 1)
        if path.resolve() == ROOT / "README.md":
            return found[0].replace("README.md", "index.md", 1)
        return found[0]

    return LINK.sub(link, (ROOT / page).read_text("utf-8"))


def modules() -> list[str]:
    """Modules with public names, by their dotted names."""
    found = []
    for path in sorted((ROOT / "isptools").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        private = any(part.startswith("_") and part != "__init__" for part in parts)
        if not private and parts[1] != "cli" and public(path):
            found.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return found


def public(path: Path) -> list[str]:
    """Names of functions and classes that do not begin with an underscore."""
    tree = ast.parse(path.read_text("utf-8"))
    return [
        node.name for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    ]  # fmt: skip


def reference(folder: Path) -> None:
    """A page for each room, with its modules one after the other."""
    rooms: dict[str, list[str]] = {}
    for name in modules():
        rooms.setdefault(name.split(".")[1], []).append(name)
    folder.mkdir()
    for room, names in rooms.items():
        lines = [f"isptools.{room}", "=" * (9 + len(room)), ""]
        for name in names:
            if name != f"isptools.{room}":
                lines += [name, "-" * len(name), ""]
            # names that a package hands on stand with the module that has them
            lines += [f".. automodule:: {name}", "   :members:", "   :ignore-module-all:", ""]
        (folder / f"{room}.rst").write_text("\n".join(lines), encoding="utf-8")
    index = ["Reference", "=========", "", "Every public name, of its docstring.", "",
             ".. toctree::", "   :maxdepth: 1", "", *(f"   {room}" for room in rooms)]  # fmt: skip
    (folder / "index.rst").write_text("\n".join(index) + "\n", encoding="utf-8")


def assemble(target: Path) -> None:
    """Make the source anew."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    names = pages()
    for name in sorted({*names, *(other for page in names for other in linked(page))}):
        source = ROOT / name
        if source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            if name.suffix == ".md":
                (target / name).write_text(told(name), encoding="utf-8")
            else:
                shutil.copyfile(source, target / name)
        else:
            (target / name).mkdir(parents=True, exist_ok=True)
    (target / "index.md").write_text(contents(names), encoding="utf-8")
    for name in ("conf.py", "stated.py"):
        shutil.copyfile(ROOT / "docs/site" / name, target / name)
    shutil.copytree(ROOT / "docs/gallery", target / "scripts")
    reference(target / "reference")


if __name__ == "__main__":
    assemble(Path(sys.argv[1]))
