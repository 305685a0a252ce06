"""The web site, built and opened in Chromium: links, mathematics, requests, accessibility.

Skipped where what it needs is missing; `.ci/run` installs it.
"""

import functools
import http.server
import importlib.util
import subprocess
import sys
import threading
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
from browser import CHROMIUM, SWITCHES

ROOT = Path(__file__).resolve().parent.parent
AXE = ROOT / ".venv" / "node_modules" / "axe-core" / "axe.min.js"
NEEDED = ("sphinx", "myst_nb", "furo", "playwright")
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]
pytestmark = pytest.mark.skipif(
    bool(MISSING) or CHROMIUM is None or not AXE.exists(),
    reason="the site needs Chromium, .github/site/requirements.txt, playwright and axe-core",
)
NOTEBOOKS = sorted(path.stem for path in (ROOT / "notebooks").glob("[0-9][0-9]*.ipynb"))
PAGES = ["index", "explorers", "search", "api/minivae.estimator", "api/minivae.vae",
         "notebooks/map", "notebooks/syllabus", "pages/explorer_mnist", "pages/explorer_cats",
         "pages/touch_the_bound", *(f"notebooks/{name}" for name in NOTEBOOKS)]  # fmt: skip
# A long notebook takes axe-core several seconds, and all of them have the colours of these.
LIGHT_AND_DARK = {*PAGES[: -len(NOTEBOOKS)], PAGES[-1]}
WITH_FORMULAS = {
    "notebooks/map",
    "notebooks/syllabus",
    *(f"notebooks/{name}" for name in NOTEBOOKS[:8]),
}
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site, built by the one command; a warning of Sphinx is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, ROOT / ".github" / "site" / "build.py", folder]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def address(site):
    """The site, served on this machine."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=site)
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def tab():
    """One page of a browser, in which the tests open one page of the site after the other: what
    they share, such as MathJax and axe-core, is then read and compiled only once."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=CHROMIUM, args=SWITCHES[1:])
        yield browser.new_page()
        browser.close()


@pytest.fixture
def opened(tab, address):
    """Opens a page of the site, with its mathematics done. In the end, nothing was requested
    elsewhere, and there was no error and no warning in the console."""
    seen = []
    listeners = {
        "console": lambda m: seen.append(m.text) if m.type in ("error", "warning") else None,
        "pageerror": lambda error: seen.append(str(error)),
        "request": lambda r: seen.append(r.url) if not is_local(r.url, address) else None,
    }
    tab.goto("about:blank")
    for event, listener in listeners.items():
        tab.on(event, listener)

    def open_page(name, size=DESK):
        tab.set_viewport_size(size)
        tab.emulate_media(color_scheme="light")
        tab.goto(f"{address}/{name}.html", wait_until="load", timeout=120_000)
        tab.evaluate("() => window.MathJax?.startup?.promise")
        return tab

    yield open_page
    tab.goto("about:blank")  # ends what the page may still be doing
    for event, listener in listeners.items():
        tab.remove_listener(event, listener)
    assert seen == []


class Links(HTMLParser):
    """The ids of a page, and what it links to or loads."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.targets = {""}, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.ids.update(given[name] for name in ("id", "name") if given.get(name))
        self.targets += [given[name] for name in ("href", "src") if given.get(name)]


def test_no_link_is_broken(site):
    """Every target inside the site exists, and so does the place on its page."""
    pages = {path: Links(path.read_text("utf-8")) for path in site.rglob("*.html")}
    assert len(pages) > len(PAGES)
    broken = []
    for path, page in pages.items():
        for target in page.targets:
            parts = urlsplit(target)
            if parts.scheme or target.startswith("//"):
                continue
            file, fragment = urldefrag(target)
            where = (path.parent / unquote(file.partition("?")[0])).resolve() if file else path
            known = pages[where].ids if where in pages else {"", fragment}
            if not where.exists() or unquote(fragment) not in known:
                broken.append((path.relative_to(site).as_posix(), target))
    assert broken == []


def is_local(url, address):
    return url.startswith((address, "data:", "blob:", "about:"))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_quiet_readable_and_accessible(opened, name):
    """No error, no request elsewhere, every formula rendered, nothing wider than a phone, and no
    violation that axe-core finds."""
    page = opened(name, size=PHONE)
    formulas, drawn, wrong = page.evaluate(
        "() => ['span.math, div.math', 'mjx-container', 'mjx-merror, [data-mjx-error]']"
        ".map(what => document.querySelectorAll(what).length)"
    )
    assert (drawn, wrong) == (formulas, 0)
    assert formulas > 0 or name not in WITH_FORMULAS
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), "too wide"
    for dark in (False, True) if name in LIGHT_AND_DARK else (False,):
        page.emulate_media(color_scheme="dark" if dark else "light")
        assert violations(page) == []


# axe-core takes longer the more there is on a page, and most of that is one thing again and again.
# Tokens of a kind in one block of code have the same colours: from the second on they become plain
# text. And what MathJax made of a formula, which is not examined, becomes a box of its size.
SHORTEN = """() => {
    for (const block of document.querySelectorAll(".highlight pre")) {
        const seen = new Set();
        for (const token of block.querySelectorAll("span[class]")) {
            const style = getComputedStyle(token), plain = token.attributes.length === 1;
            const kind = [token.className, style.color, style.backgroundColor, style.fontWeight,
                          token.parentElement.className].join();
            if (seen.has(kind) && plain && !token.children.length) {
                token.replaceWith(token.textContent);
            }
            seen.add(kind);
        }
        block.normalize();
    }
    const formulas = [...document.querySelectorAll("mjx-container")];
    const sizes = formulas.map(formula => formula.getBoundingClientRect());
    formulas.forEach((formula, i) => {
        formula.replaceChildren();
        formula.style.display = "inline-block";
        formula.style.width = `${sizes[i].width}px`;
        formula.style.height = `${sizes[i].height}px`;
    });
}"""


def violations(page):
    """What axe-core finds: the rule, and the first places. Not in MathJax's thousands of nodes."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE.read_text("utf-8"))  # also where a page forbids other scripts
        page.evaluate(SHORTEN)
    found = page.evaluate(
        "() => axe.run({exclude: [['iframe'], ['mjx-container']]}, "
        "{resultTypes: ['violations'], iframes: false})"
    )
    return [
        (rule["id"], len(rule["nodes"]), [node["html"][:200] for node in rule["nodes"][:2]])
        for rule in found["violations"]
    ]


def test_the_search_finds_a_page(opened, address):
    page = opened("search")
    page.goto(f"{address}/search.html?q=reparameterization")
    page.wait_for_selector("#search-results li a", timeout=60_000)
    assert "reparameterization" in page.inner_text("#search-results").lower()


@pytest.mark.parametrize(
    ("name", "frames"),
    [("explorers", 3), (f"notebooks/{NOTEBOOKS[1]}", 1), ("notebooks/10_chonky_cats", 1)],
)
def test_interactive_pages_stand_where_the_text_speaks_of_them(opened, name, frames):
    page = opened(name)
    shown = page.query_selector_all("iframe")
    assert len(shown) == frames
    for frame in shown:
        frame.scroll_into_view_if_needed()
        inside = frame.content_frame()
        inside.wait_for_selector("h1", timeout=60_000)
        assert inside.title()
