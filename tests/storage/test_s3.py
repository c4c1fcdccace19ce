"""From a bucket to a bucket, and training from there: moto's S3 server answers."""

import gc
import json
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from isptools import shards
from isptools.cli import main
from isptools.sources import FaultError
from isptools.storage import StorageError, cache, places, shadow, url_of
from tests.build import tiny as tinies
from tests.build.tiny import Tiny

pytest.importorskip("s3fs", reason="needs the extra `storage`")
server = pytest.importorskip("moto.server", reason="moto is not installed")
# s3fs leaves its connections to the garbage collector, and botocore calls what is deprecated
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def store() -> Iterator[Any]:
    """fsspec's system of a server of its own, with a bucket."""
    running = server.ThreadedMotoServer(port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"http://{host}:{port}"}  # fmt: skip
    with pytest.MonkeyPatch.context() as patched:
        for name, value in keys.items():
            patched.setenv(name, value)
        files = places.system("s3://bucket")[0]
        files.mkdir("bucket")
        yield files
        files.clear_instance_cache()
        gc.collect()
    running.stop()


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the cache."""
    monkeypatch.setenv(cache.FOLDER, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def there(store: Any, tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """The tiny data set, built on the disk, and its raws in the bucket."""
    tiny = tinies.make(tmp_path_factory.mktemp("s3") / "tiny")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(shadow, "SMALL", 1000)  # so that raws of 10 kB count as large
        store.put(f"{tiny.source}/", "bucket/raws/", recursive=True)
        tiny.build()
        done = call(tiny, "s3://bucket/raws", "s3://bucket/shards")
        assert done.exit_code == 0, done.output
    return tiny


def call(tiny: Tiny, source: str, out: str, *more: str) -> Result:
    line = ["build", str(tiny.folder / "recipe.toml"), "--source", source, "--out", out, *more]
    return CliRunner().invoke(main, line)


def of_store(store: Any, place: str) -> dict[str, bytes]:
    names = store.find(place)
    found = {name.removeprefix(f"{place}/"): store.cat_file(name) for name in names}
    return {name: data for name, data in found.items() if not name.startswith(".")}


def test_the_same_bytes_from_a_bucket_as_from_a_disk(store, there: Tiny) -> None:
    assert of_store(store, "bucket/shards") == tinies.listing(there.out)


def test_a_build_goes_on_from_what_is_there(store, there: Tiny) -> None:
    """Only what is not there is made again."""
    again = call(there, "s3://bucket/raws", "s3://bucket/shards")
    assert again.exit_code == 0, again.output
    assert "4 units finished before" in again.output
    assert "verify with" not in again.output
    store.rm("bucket/shards/index.json")
    store.rm("bucket/shards/tiny-val-64x80-0000.h5")
    more = call(there, "s3://bucket/raws", "s3://bucket/shards")
    assert "3 units finished before" in more.output
    assert of_store(store, "bucket/shards") == tinies.listing(there.out)


def test_few_large_files_are_here_at_once(there: Tiny, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(shadow, "SMALL", 1000)
    size = max(path.stat().st_size for path in there.source.rglob("*.dng"))
    made = shadow.shadow("s3://bucket/raws", tmp_path / "shadow", size * 2)
    files = sorted(made.root.rglob("*.dng"))
    assert [path.stat().st_size for path in files] == [
        (there.source / path.relative_to(made.root)).stat().st_size for path in files
    ]
    assert held(files) == 0
    for path in [*files, *files]:
        times = path.stat().st_mtime_ns
        with made.used(path):
            assert path.read_bytes() == (there.source / path.relative_to(made.root)).read_bytes()
            assert held(files) <= 2 * size + 2 * 4096
        assert path.stat().st_mtime_ns == times
    with made.used(files[0]), made.used(files[1]), made.used(files[2]):  # more than there is room
        assert all(any(path.read_bytes()) for path in files[:3])


def held(files: list[Path]) -> int:
    """Bytes on the disk."""
    return sum(path.stat().st_blocks * 512 for path in files)


def test_a_file_that_cannot_be_fetched_is_a_fault(
    store, there: Tiny, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(shadow, "SMALL", 1000)
    store.put(f"{there.source}/", "bucket/gone/", recursive=True)
    made = shadow.shadow("s3://bucket/gone", tmp_path / "shadow", 1 << 30)
    store.rm("bucket/gone/long/a1_long.dng")
    gone = made.used(made.root / "long/a1_long.dng")
    with pytest.raises(FaultError, match="there is no such file"), gone:
        pass


def test_shards_are_read_whole_and_once(there: Tiny, kept: Path) -> None:
    with shards.open("s3://bucket/shards", split="train") as data, shards.open(there.out) as own:
        wanted = {one.key: one for one in own}
        assert [one.key for one in data] == ["tiny/a1/a1_0", "tiny/a1/a1_1", "tiny/b2/b2_0",
                                             "tiny/b2/b2_1"]  # fmt: skip
        for one in data:
            assert (one.input == wanted[one.key].input).all()
            assert (one.restoration == wanted[one.key].restoration).all()
    found = list(kept.rglob("*.h5"))
    assert sorted(path.name for path in found) == [f"tiny-train-64x80-000{i}.h5" for i in (0, 1)]
    times = {path: path.stat().st_ino for path in found}
    assert len(shards.open("s3://bucket/shards/tiny-train-64x80-0000.h5")) == 2
    assert {path: path.stat().st_ino for path in kept.rglob("*.h5")} == times


def test_the_cache_is_bounded(there: Tiny, kept: Path, monkeypatch) -> None:
    """It holds one shard at a time, and each is fetched again when it is read."""
    largest = max(path.stat().st_size for path in there.out.glob("*.h5"))
    monkeypatch.setenv(cache.BOUND, str(largest * 1.5 / 1e9))
    with shards.open("s3://bucket/shards") as data, shards.open(there.out) as own:
        for _ in range(2):
            for ours, theirs in zip(data, own, strict=True):
                assert (ours.input == theirs.input).all()
                assert len(list(kept.rglob("*.h5"))) == 1


def test_what_is_not_what_the_index_says_is_not_read(store, there: Tiny, kept: Path) -> None:
    store.put(f"{there.out}/", "bucket/other/", recursive=True)
    name = "tiny-val-64x80-0000.h5"
    data = bytearray(store.cat_file(f"bucket/other/{name}"))
    data[-1] ^= 1
    store.pipe_file(f"bucket/other/{name}", bytes(data))
    with pytest.raises(ValueError, match=f"{name}: .*sha256"):
        shards.open("s3://bucket/other", split="val")
    store.pipe_file(f"bucket/other/{name}", bytes(data) + b"more")
    with pytest.raises(ValueError, match=r"more than .* bytes came"):
        shards.open("s3://bucket/other", split="val")
    assert not list(kept.rglob("*.h5"))
    index = json.loads(store.cat_file("bucket/other/index.json"))
    index["shards"][0]["name"] = "../../x.h5"
    store.pipe_file("bucket/other/index.json", json.dumps(index).encode())
    with pytest.raises(ValueError, match="is no shard of a build"):
        shards.open("s3://bucket/other")


def test_an_upload_is_read_back(store, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "a").write_bytes(b"some bytes")
    monkeypatch.setattr(places, "PAUSES", ())
    places.upload(tmp_path / "a", "s3://bucket/a")
    assert store.cat_file("bucket/a") == b"some bytes"
    monkeypatch.setattr(places, "_put", lambda _path, url: store.pipe_file(url, b"some byte"))
    with pytest.raises(StorageError, match="not what was written"):
        places.upload(tmp_path / "a", "s3://bucket/a")


def test_training_from_a_bucket(there: Tiny, kept: Path, tmp_path: Path) -> None:
    """The same weights as from the disk."""
    torch = pytest.importorskip("torch", reason="needs the extra `train`")
    load = pytest.importorskip("safetensors.torch").load_file
    weights = []
    for name, place in (("disk", str(there.out)), ("bucket", "s3://bucket/shards")):
        line = ["train", "srcnn", place, "--preset", "tiny", "--device", "cpu",
                "--out", str(tmp_path / name), "--set", "patch=32",
                "--set", 'recipes=["tiny"]', "--set",
                'stages=[{train="whole",steps=2,rate=1e-3}]']  # fmt: skip
        done = CliRunner().invoke(main, line)
        assert done.exit_code == 0, done.output
        weights.append({
            (path.name, word): tensor
            for path in (tmp_path / name).rglob("*.safetensors")
            for word, tensor in load(path).items()
        })  # fmt: skip
    assert weights[0].keys() == weights[1].keys() != set()
    for name, tensor in weights[0].items():
        assert torch.equal(tensor, weights[1][name]), name
    assert list(kept.rglob("*.h5"))


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["s3://bucket/raws", "s3://bucket/x", "--share", "1/2"], 2, "a disk that all share"),
        (["s3://bucket/raws", "here", "--cluster", "tcp://a:1"], 2, "a disk that all share"),
        (["here", "s3://bucket/x", "--verify"], 2, "leave it out where --out is an address"),
        (["s3://bucket/nothing", "here"], 1, "s3://bucket/nothing: there"),
        (["nosuch://bucket/raws", "here"], 1, "nosuch://bucket/raws: Protocol not known"),
    ],
)
def test_one_line_for_people(there: Tiny, tmp_path, monkeypatch, words, code, says) -> None:
    monkeypatch.chdir(tmp_path)
    done = call(there, *words)
    assert done.exit_code == code, done.output
    assert says in " ".join(done.output.split())
    assert "Traceback" not in done.output
    assert not (tmp_path / "here").exists()


@pytest.mark.parametrize(
    ("place", "url"),
    [
        ("s3://bucket/a", "s3://bucket/a"),
        (Path("s3://bucket/a/"), "s3://bucket/a"),
        ("https://example.org/a", "https://example.org/a"),
        ("a/b", None),
        ("/a/b", None),
        ("C:/a", None),
        ("c:\\a", None),
        ("file:///a", None),
    ],
)
def test_what_is_an_address(place, url) -> None:
    assert url_of(place) == url


def test_a_folder_that_looks_like_one_is_a_folder(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s3:" / "bucket").mkdir(parents=True)
    assert url_of(Path("s3:/bucket")) is None
    shutil.rmtree(tmp_path / "s3:")
    assert url_of(Path("s3:/bucket")) == "s3://bucket"


def test_no_address_without_its_library() -> None:
    if find_spec("gcsfs"):
        pytest.skip("gcsfs is installed")
    with pytest.raises(StorageError, match=r"gs://bucket: .*gcsfs"):
        places.system("gs://bucket")
