"""The page in a browser: clicks, keys, drags; any error on its console fails."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from click.testing import CliRunner, Result

from isptools.cli import main
from isptools.report import pair
from isptools.report.facts import Fact, Top
from tests.report import ten

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
WebDriverWait = pytest.importorskip("selenium.webdriver.support.ui").WebDriverWait
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="no chromium with its driver on this machine"
)
AXE = Path(os.environ.get("ISPTOOLS_AXE", "node_modules/axe-core/axe.min.js"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1280,900"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.chrome.service.Service(str(DRIVER))
    driver = webdriver.Chrome(options=options, service=service)
    driver.implicitly_wait(60)  # a busy machine; elements that are there cost nothing
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def page(planted: tuple[Path, str], planted_page: tuple[Result, Path]) -> tuple[str, str]:
    """Its address, and the key of the planted fault."""
    done, out = planted_page
    assert done.exit_code == 3, done.output
    return out.as_uri(), planted[1]


@pytest.fixture
def at(browser: Any, page: tuple[str, str]) -> Iterator[Any]:
    browser.get(page[0])
    yield browser
    assert browser.get_log("browser") == []


def one(at: Any, query: str) -> Any:
    return at.find_element("css selector", query)


def pressed(at: Any) -> str:
    return str(one(at, '#layers button[aria-pressed="true"]').text)


def shown(at: Any) -> list[int]:
    """Which layers can be seen."""
    script = "return [...document.querySelectorAll('#stage canvas')].map(c => c.style.visibility)"
    return [i for i, each in enumerate(at.execute_script(script)) if each == "visible"]


def test_the_worst_sample_opens_and_says_what_is_wrong(at: Any, page: tuple[str, str]) -> None:
    one(at, "#gallery button").click()
    assert pressed(at) == "1 input"
    assert one(at, "#viewer-key").text == page[1]
    assert "turned" in one(at, "#viewer-numbers td.wrong").text
    assert at.title != "run"


def test_keys_choose_layers_slide_flicker_and_zoom(at: Any) -> None:
    one(at, "#gallery button").click()
    assert pressed(at) == "1 input"
    stage = one(at, "#stage")
    stage.send_keys("3")
    assert pressed(at) == "3 enhancement"
    assert shown(at) == [2]
    stage.send_keys("s")
    assert shown(at) == [0, 2]  # what was looked at before lies below
    cut = "return document.querySelectorAll('#stage canvas')[2].style.clipPath"
    assert "50%" in at.execute_script(cut)
    stage.send_keys("s")
    stage.send_keys("f")
    assert one(at, '#flicker[aria-pressed="true"]')
    WebDriverWait(at, 60).until(lambda _: shown(at) == [0])
    stage.send_keys("f")
    stage.send_keys("+")
    scale = "return document.querySelectorAll('#stage canvas')[2].style.transform"
    larger = at.execute_script(scale)
    stage.send_keys("-")
    assert at.execute_script(scale) != larger


def test_a_turned_phone_shows_the_whole_picture(at: Any) -> None:
    one(at, "#gallery button").click()
    assert pressed(at) == "1 input"
    wide = (
        "const c = document.querySelector('#stage canvas');"
        "return [c.width * c.dataset.fit, document.getElementById('stage').clientWidth]"
    )
    told = at.execute_script(wide)
    assert abs(told[0] - told[1]) < 2
    before = told[1]
    at.set_window_size(500, 900)
    WebDriverWait(at, 60).until(lambda _: at.execute_script(wide)[1] < before)
    WebDriverWait(at, 60).until(lambda _: abs(np.diff(at.execute_script(wide))[0]) < 2)
    at.set_window_size(1280, 900)


def test_values_under_the_pointer(at: Any) -> None:
    """Of every layer, as the picture has them there."""
    one(at, "#gallery button").click()
    assert pressed(at) == "1 input"
    stage = one(at, "#stage")
    webdriver.ActionChains(at).move_to_element(stage).perform()
    told = one(at, "#values").text
    assert all(name in told for name in ("input", "restoration", "enhancement"))
    script = (
        "const c = document.querySelectorAll('#stage canvas')[1], k = Number(c.dataset.fit);"
        "return [...c.getContext('2d').getImageData(Math.floor(arguments[0] / k) - 1,"
        " Math.floor(arguments[1] / k) - 1, 3, 3).data]"
    )
    size = stage.rect
    around = at.execute_script(script, size["width"] / 2, size["height"] / 2)
    pixels = [around[i : i + 3] for i in range(0, 36, 4)]  # the middle may fall between two
    assert any(f"restoration {red} {green} {blue}" in told for red, green, blue in pixels)


def test_arrows_go_to_the_next_sample_and_escape_closes(at: Any, page: tuple[str, str]) -> None:
    one(at, "#gallery button").click()
    assert pressed(at) == "1 input"
    one(at, "#stage").send_keys(webdriver.Keys.ARROW_RIGHT)
    WebDriverWait(at, 60).until(lambda _: one(at, "#viewer-key").text != page[1])
    webdriver.ActionChains(at).send_keys(webdriver.Keys.ESCAPE).perform()
    assert not at.execute_script("return document.getElementById('viewer').open")


def test_a_dot_opens_its_sample(at: Any, page: tuple[str, str]) -> None:
    dot = one(at, "circle.wrong")
    assert page[1] in one(at, "a:has(circle.wrong)").get_attribute("aria-label")
    at.execute_script("arguments[0].scrollIntoView()", dot)
    webdriver.ActionChains(at).click(dot).perform()
    assert one(at, "#viewer-key").text == page[1]


def test_a_link_by_key_opens_its_sample(at: Any, page: tuple[str, str]) -> None:
    at.get("about:blank")
    at.get(f"{page[0]}#{quote(page[1], safe='')}")
    assert pressed(at) == "1 input"
    assert one(at, "#viewer-key").text == page[1]
    assert one(at, "#viewer-link").get_attribute("href").endswith(quote(page[1], safe=""))
    at.get(f"{page[0]}#%")  # no key at all


def test_find_leaves_what_was_asked_for(at: Any, page: tuple[str, str]) -> None:
    one(at, "#find").send_keys(page[1])
    left = at.find_elements("css selector", "#gallery > li:not([hidden])")
    assert [item.find_element("css selector", ".key").text for item in left] == [page[1]]


def test_a_walk_through_the_page_finds_ten_of_ten(
    browser: Any, ten_faults: Path, tmp_path: Path
) -> None:
    """As a person would go: the verdict, each sample that is marked, the splits, the ledger."""
    out = tmp_path / "page.html"
    done = CliRunner().invoke(main, ["report", str(ten_faults), "--out", str(out)])
    assert done.exit_code == 3, done.output
    browser.get(out.as_uri())
    verdict = one(browser, ".verdict.stop").text
    assert "Do not train on this yet" in verdict
    assert "1 input with a line that stands out and 1 pair of splits' scenes alike" in verdict
    told: dict[str, str] = {}
    for place in range(len(browser.find_elements("css selector", "#gallery > li.wrong"))):
        browser.find_elements("css selector", "#gallery > li.wrong button")[place].click()
        assert pressed(browser) == "1 input"
        key = one(browser, "#viewer-key").text
        told[key] = one(browser, "#viewer-numbers").text
        webdriver.ActionChains(browser).send_keys(webdriver.Keys.ESCAPE).perform()
    found = {name for name, (word, key) in ten.WRONG.items() if f"{word}: " in told.get(key, "")}
    for folded in browser.find_elements("css selector", "#problems summary"):
        folded.click()
    (alike,) = [line for line in browser.find_elements("css selector", "#problems li")
                if line.text.startswith("alike")]  # fmt: skip
    linked = alike.find_element("css selector", "a")
    key = linked.text
    linked.click()
    assert one(browser, "#viewer-key").text == key
    webdriver.ActionChains(browser).send_keys(webdriver.Keys.ESCAPE).perform()
    splits = one(browser, "#splits")
    assert len(splits.find_elements("css selector", "a[data-sample] img")) == 2
    if all(scene in splits.text and scene in alike.text for scene in ten.TWINS):
        found.add("duplicate across splits")
    for item in browser.find_elements("css selector", "#ledger details"):
        if ten.REFUSED[0] in item.text and ten.REFUSED[1] in item.text:
            found.add("refused scene")
    assert found == {*ten.WRONG, "duplicate across splits", "refused scene"}
    assert len(found) == 10
    honest_keys = set(told) - {key for _, key in ten.WRONG.values()}
    assert all(key.startswith(ten.VAL) for key in honest_keys)  # of the truth that is blurred
    assert browser.get_log("browser") == []


def _of_pair(folder: Path) -> Path:
    noise = np.random.default_rng(1).integers(0, 256, (2, 60, 90, 3)).astype(np.uint8)
    grid = np.array([(20.0, 20.0), (60.0, 40.0)])
    fact = Fact("shift", "0.4", "px", "at most 1", "how far")
    top = Top("a and b", "ship", "Use it.", (fact,))
    row = pair.Row("matches", "200", "at least 40", "points found in both", False)
    named = (("phone", noise[0]), ("dslr", noise[1]))
    made = pair.PairPage(top, (), (row,), named, named, grid, grid / 100, (("kept", 3),))
    (folder / "pair.html").write_bytes(pair.html(made))
    return folder / "pair.html"


def _of_command(*words: object) -> None:
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code in {0, 3}, done.output


def test_pages_of_other_things_open_without_an_error(
    browser: Any, honest: Path, run: Path, compared: Path, tmp_path: Path
) -> None:
    """In both colors, and axe finds nothing."""
    _of_command("report", run, "--out", tmp_path / "run.html")
    _of_command("report", compared, "--out", tmp_path / "compared.html")
    _of_command("stats", honest, "--plots", tmp_path / "stats.html", "--quiet")
    pages = [_of_pair(tmp_path), *(tmp_path / f"{name}.html" for name in
                                   ("run", "compared", "stats"))]  # fmt: skip
    for place in pages:
        browser.get(place.as_uri())
        assert browser.get_log("browser") == [], place.name
        if not AXE.is_file():
            continue
        browser.execute_script(AXE.read_text(encoding="utf-8"))
        for scheme in ("light", "dark"):
            features = [{"name": "prefers-color-scheme", "value": scheme}]
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
            found = browser.execute_async_script("axe.run().then(arguments[arguments.length - 1])")
            wrong = [(each["id"], each["help"]) for each in found["violations"]]
            assert wrong == [], f"{place.name}, {scheme}"


def test_both_sides_of_a_pair_flicker(browser: Any, tmp_path: Path) -> None:
    browser.get(_of_pair(tmp_path).as_uri())
    one(browser, "#gallery button").click()
    assert pressed(browser) == "1 phone"
    stage = one(browser, "#stage")
    stage.send_keys("2")
    assert pressed(browser) == "2 dslr"
    stage.send_keys("s")
    assert shown(browser) == [0, 1]
    stage.send_keys("f")
    WebDriverWait(browser, 60).until(lambda _: shown(browser) == [0])
    assert browser.get_log("browser") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not installed (npm install axe-core)")
def test_everybody_can_use_it(at: Any, scheme: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    at.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    at.execute_script(AXE.read_text(encoding="utf-8"))
    for opened in (False, True):
        if opened:
            one(at, "#gallery button").click()
            assert pressed(at) == "1 input"
        found = at.execute_async_script("axe.run().then(arguments[arguments.length - 1])")
        assert [(each["id"], each["help"]) for each in found["violations"]] == []
