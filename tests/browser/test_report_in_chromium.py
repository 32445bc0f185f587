"""The report as a reader meets it: in a real browser, on a desk, on a phone, and on paper."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")


import report_page  # noqa: E402
from ranking_tables import MadeUp  # noqa: E402

AXE = "4.10.3"
SIZES = {"desk": (1200, 900), "phone": (360, 740), "dark": (1200, 900)}

# Every element with text of its own: its colour against the nearest opaque background.
CONTRASTS = """
const channel = c => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
const parse = text => text.match(/[\\d.]+/g).map(Number);
const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const ground = element => {
  for (let e = element; e; e = e.parentElement) {
    const colour = parse(getComputedStyle(e).backgroundColor);
    if (colour.length === 3 || colour[3] === 1) return colour;
  }
  return [255, 255, 255];
};
const found = [];
for (const element of document.querySelectorAll("body *")) {
  const own = [...element.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
  if (!own) continue;
  const [a, b] = [parse(getComputedStyle(element).color), ground(element)].map(luminance);
  found.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), element.textContent.slice(0, 40)]);
}
return found;
"""


def _program(*names: str) -> str:
    for name in names:
        path = shutil.which(name)
        if path:
            return path
    pytest.skip(f"no {names[0]} on this machine (apt install chromium chromium-driver)")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with two tracks and something missing."""
    small = MadeUp(("unet", "swin"), structures=("cfos", "microglia"), cases=2, seeds=1)
    drawn = ("overview", "scores", "bootstrap-places")
    folder = tmp_path_factory.mktemp("report")
    return report_page.write(folder, small, small, drawn=drawn, missing=["unet on cfos, seed 1"])


def _started(options: Any) -> Any:
    """A browser; on a busy machine its start may exceed the driver's own minute, so try again."""
    from selenium.common.exceptions import SessionNotCreatedException

    program = _program("chromedriver")
    for _ in range(2):
        try:
            return webdriver.Chrome(service=webdriver.ChromeService(program), options=options)
        except SessionNotCreatedException as error:
            if "not reachable" not in str(error):
                raise
    return webdriver.Chrome(service=webdriver.ChromeService(program), options=options)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = _program("chromium", "chromium-browser", "google-chrome")
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = _started(options)
    # Generous: the machine may be busy, and a slow page is not what is tested here.
    driver.set_page_load_timeout(300)
    driver.command_executor.client_config.timeout = 300
    yield driver
    driver.quit()


def opened(browser: Any, report: Path, size: str) -> Any:
    width, height = SIZES[size]
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == "phone"}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if size == "dark" else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    browser.get(report.as_uri())
    return browser


def unfolded(browser: Any, report: Path, size: str) -> Any:
    """The page with all that folds open, as its own button opens it."""
    opened(browser, report, size).find_element("css selector", ".folds-at-once").click()
    assert browser.execute_script("return !document.querySelector('main details:not([open])')")
    return browser


@pytest.mark.parametrize("size", SIZES)
def test_page_opens_without_an_error_and_asks_the_network_for_nothing(
    browser: Any, report: Path, size: str
) -> None:
    opened(browser, report, size)
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    messages = [json.loads(m["message"])["message"] for m in browser.get_log("performance")]
    asked = [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]
    assert asked
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def test_every_figure_is_decoded(browser: Any, report: Path) -> None:
    opened(browser, report, "desk")
    widths = browser.execute_script(
        "return [...document.images].map(i => i.complete ? i.naturalWidth : 0)"
    )
    assert len(widths) == 6 + 4
    assert min(widths) > 0


@pytest.mark.parametrize("size", SIZES)
def test_page_never_scrolls_sideways(browser: Any, report: Path, size: str) -> None:
    unfolded(browser, report, size)
    wide, visible = browser.execute_script(
        "const e = document.documentElement; return [e.scrollWidth, e.clientWidth]"
    )
    assert wide == visible <= SIZES[size][0]


@pytest.mark.parametrize("size", SIZES)
def test_text_contrasts_with_its_ground(browser: Any, report: Path, size: str) -> None:
    contrasts = opened(browser, report, size).execute_script(CONTRASTS)
    assert len(contrasts) > 100
    assert [(ratio, text) for ratio, text in contrasts if ratio < 4.5] == []


def test_first_tab_shows_the_way_past_the_navigation(browser: Any, report: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    opened(browser, report, "desk")
    browser.switch_to.active_element.send_keys(Keys.TAB)
    link = browser.switch_to.active_element
    assert link.text == "Skip to the results"
    assert link.rect["x"] >= 0
    link.send_keys(Keys.ENTER)
    assert browser.current_url.endswith("#main")


def test_what_scrolls_sideways_is_reached_by_keyboard_and_named(browser: Any, report: Path) -> None:
    unreachable = unfolded(browser, report, "phone").execute_script(
        """return [...document.querySelectorAll("body *")]
        .filter(e => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX === "auto")
        .filter(e => e.tabIndex < 0 || !(e.ariaLabel || e.getAttribute("aria-labelledby")))
        .map(e => e.outerHTML.slice(0, 80))"""
    )
    assert unreachable == []


def test_a_header_sorts_its_table_by_keyboard_and_says_so(browser: Any, report: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    opened(browser, report, "desk")
    table = browser.find_element("css selector", "table.tools")
    button = table.find_element(
        "xpath", ".//th[starts-with(normalize-space(.), 'Mean rank')]/button"
    )
    orders = {}
    for _ in range(2):
        button.send_keys(Keys.ENTER)
        said = button.find_element("xpath", "..").get_attribute("aria-sort")
        orders[said] = [
            float(row.find_elements("tag name", "td")[2].text)
            for row in table.find_elements("css selector", "tbody tr")
        ]
    assert orders["ascending"] == sorted(orders["ascending"])
    assert orders["descending"] == orders["ascending"][::-1]


def test_filter_leaves_rows_with_all_words(browser: Any, report: Path) -> None:
    opened(browser, report, "desk")
    browser.find_element("css selector", ".filter input").send_keys("u-net mask")
    rows = browser.find_elements("css selector", "table.tools")[0].find_elements("tag name", "tr")
    shown = [row.text for row in rows[1:] if row.is_displayed()]
    assert len(shown) == 1
    assert shown[0].startswith("U-Net · masked")


def test_what_is_folded_opens_by_keyboard_by_a_link_and_on_paper(
    browser: Any, report: Path
) -> None:
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    opened(browser, report, "desk")
    folds = "return [...document.querySelectorAll('main details')].map(fold => fold.open)"
    assert not any(browser.execute_script(folds))
    browser.find_element("css selector", "main summary").send_keys(Keys.ENTER)
    assert browser.execute_script(folds)[0]
    target = "const row = document.querySelector('tr[id]'); location.hash = row.id; return row"
    assert browser.execute_script(target).is_displayed()
    opened(browser, report, "desk")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    shown = """return [...document.querySelectorAll('main details > :not(summary, .filter)')]
        .every(part => part.checkVisibility({ contentVisibilityAuto: true }))"""
    assert not any(browser.execute_script(folds))
    # As soon as a frame is drawn in the new medium.
    WebDriverWait(browser, 20).until(lambda page: page.execute_script(shown))
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_viewer_shows_a_case_and_turns_its_planes(browser: Any, report: Path) -> None:
    opened(browser, report, "desk")
    pixels = """
        const viewer = document.getElementById("viewer");
        const seen = () => [...viewer.querySelectorAll("canvas")].map(canvas => {
          const { width, height } = canvas;
          const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
          return [width, height, ...data.slice(0, 3)];
        });
        const done = arguments[arguments.length - 1];
        location.hash = "case-1";
        const wait = () => {
          if (!viewer.querySelector("output").textContent) return setTimeout(wait, 20);
          const plane = viewer.querySelector("[name=plane]");
          const before = [viewer.querySelector("output").textContent, seen()];
          plane.value = 1;
          plane.dispatchEvent(new Event("input"));
          done([...before, viewer.querySelector("output").textContent]);
        };
        wait();
    """
    browser.set_script_timeout(120)
    before, seen, after = browser.execute_async_script(pixels)
    assert (before, after) == ("z: 1 of 2", "z: 2 of 2")
    assert [canvas[:2] for canvas in seen] == [[4, 2]] * 3
    image, truth, errors = (canvas[2:] for canvas in seen)
    assert image == [255, 255, 255]
    assert truth[2] > truth[0] + 50, "blue"
    assert errors[0] > 230 > errors[2], "yellow: a voxel of both"


def test_a_whole_volume_is_shown_without_a_truth_and_with_its_mask(
    browser: Any, report: Path
) -> None:
    opened(browser, report, "desk")
    seen = """
        const viewer = document.getElementById("viewer");
        const done = arguments[arguments.length - 1];
        const text = selector => viewer.querySelector(selector).textContent;
        const bar = viewer.querySelector(".bar"), early = bar.checkVisibility();
        location.hash = "volume-1";
        const wait = () => {
          if (!text("output")) return setTimeout(wait, 20);
          const canvases = [...viewer.querySelectorAll("canvas")];
          const pixel = canvases[2].getContext("2d").getImageData(0, 0, 1, 1).data;
          done([canvases.map(canvas => canvas.checkVisibility()), [...pixel],
            text("output"), text(".reduced"), text(".opened code"),
            [early, bar.checkVisibility(), text(".bar b"), bar.querySelector("i").style.width]]);
        };
        wait();
    """
    browser.set_script_timeout(120)
    visible, pixel, depth, reduced, command, bar = browser.execute_async_script(seen)
    assert visible == [True, False, True]
    assert pixel[2] > pixel[0] + 50, "blue, the colour of the U-Net"
    assert depth == "z: 1 of 2, 0 µm deep"
    assert reduced.startswith("Reduced for this page: 2 × 4 × 4 voxels")
    assert command.endswith("segmentations/unet/cfos/export/sample1.ome.zarr")
    assert bar[:2] == [False, True]
    assert re.fullmatch(r"[\d.]+ µm", bar[2])
    assert 0 < float(bar[3].removesuffix("%")) <= 100 / 3


def test_page_prints(browser: Any, report: Path) -> None:
    opened(browser, report, "desk")
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})
    pdf = base64.b64decode(printed["data"])
    assert pdf.startswith(b"%PDF")
    assert 2 <= pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page ") <= 30


@pytest.fixture(scope="module")
def axe(request: pytest.FixtureRequest) -> str:
    """The accessibility checker's source, from the package registry, kept in pytest's cache."""
    folder = request.config.cache.mkdir("axe-core")
    packed = folder / f"axe-core-{AXE}.tgz"
    if not packed.exists():
        command = [_program("npm"), "pack", f"axe-core@{AXE}", "--silent"]
        try:
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=120)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            pytest.skip("axe-core could not be fetched from the npm registry")
    with tarfile.open(packed) as archive:
        return archive.extractfile("package/axe.min.js").read().decode()


@pytest.mark.parametrize("size", SIZES)
def test_accessibility_checker_finds_no_violation(
    browser: Any, report: Path, axe: str, size: str
) -> None:
    unfolded(browser, report, size)
    browser.set_script_timeout(300)
    browser.execute_script(axe)
    found = browser.execute_async_script(
        "const done = arguments[arguments.length - 1]; axe.run().then(r => done(r.violations))"
    )
    assert [(v["id"], v["help"], len(v["nodes"])) for v in found] == []
