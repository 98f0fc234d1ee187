"""The search page in Chromium: the way from a question to its proof, keys, themes, widths, accessibility."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.web_site import ANSWERS, QUESTION, REFUSES, Browser, site
from tests.web_site import browser as browser

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
RESULTS = "/?q=How+much+did+the+repair+of+the+mill+cost"
PAGES = {
    "home": "/", "results": RESULTS, "document": "/doc/bridge.md?start=90&end=110#cited", "error": "/doc/none",
    "unusable question": "/?q=%3F",
}  # fmt: skip
AXE = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
    "rules": {"target-size": {"enabled": True}},  # WCAG 2.2's own, off unless named
}

RING = """(() => {
  const {top, bottom} = document.activeElement.getBoundingClientRect();
  const {outlineStyle, outlineWidth} = getComputedStyle(document.activeElement);
  return [outlineStyle, outlineWidth, top < innerHeight && bottom > 0];
})()"""

EDGE = """(({right}, {paddingRight}) => right - parseFloat(paddingRight))(
  document.querySelector("main").getBoundingClientRect(), getComputedStyle(document.querySelector("main")))"""


@pytest.fixture(scope="module")
def answering(root: Path) -> Iterator[str]:
    with site(root, ANSWERS) as address:
        yield address


@pytest.fixture(scope="module")
def refusing(root: Path) -> Iterator[str]:
    with site(root, REFUSES) as address:
        yield address


def focused(page: Any, what: str = "id") -> str:
    return str(page.evaluate(f"document.activeElement.{what}"))


# From the question to its proof


@pytest.mark.parametrize("script", [True, False], ids=["with JavaScript", "without"])
def test_from_home_to_the_cited_words(browser: Browser, answering: str, script: bool) -> None:
    with browser.page(java_script_enabled=script) as page:
        page.goto(answering)
        page.get_by_label("Ask the articles").fill(QUESTION)
        page.get_by_role("button", name="Ask").click()
        page.wait_for_url("**/?q=*")  # a click does not wait for the page it leads to
        assert page.title() == f"{QUESTION} – Citespan"
        assert page.locator("#q").input_value() == QUESTION
        quote = page.locator("article.answer mark").first.inner_text()
        assert page.locator("h1").inner_text() == quote
        copy = page.get_by_role("button", name="Copy citation")
        if script:
            copy.wait_for()  # the script shows it, maybe a moment after the page is there
        assert copy.count() == int(script)
        assert page.get_by_label("goes to the question").is_visible() is script
        page.get_by_text("Why this result").first.click()
        assert page.locator("details[open]").count() == 1
        page.locator("article.answer figcaption a").click()
        page.wait_for_url("**#cited")
        assert page.url.endswith("#cited")
        assert page.locator("#cited").inner_text() == quote
        box = page.locator("#cited").bounding_box()
        assert 0 <= box["y"] < page.viewport_size["height"]
        page.go_back()
        assert page.title() == f"{QUESTION} – Citespan"


def test_no_answer_then_another_question(browser: Browser, refusing: str) -> None:
    with browser.page() as page:
        page.goto(refusing + RESULTS)
        assert page.locator("h1").inner_text() == "No answer found in 6 articles"
        assert page.get_by_role("button", name="Copy citation").count() == 0
        assert page.locator(".others li").count() == 3
        page.goto(refusing + "/doc/none")
        page.get_by_role("link", name="Ask another question").click()
        assert page.url == refusing + "/"


# Keys


def test_keyboard_only(browser: Browser, answering: str) -> None:
    with browser.page() as page:
        page.goto(answering)
        assert focused(page) == "q"
        page.keyboard.type(QUESTION)
        page.keyboard.press("Enter")
        page.wait_for_url("**/?q=*")
        page.keyboard.press("Tab")
        assert focused(page, "className") == "skip"
        page.keyboard.press("Enter")
        assert focused(page) == "main"
        reached = []
        page.keyboard.press("Tab")
        while focused(page, "localName") != "body":
            reached.append(focused(page, "outerHTML"))
            assert page.evaluate(RING) == ["solid", "3px", True], reached[-1]
            assert len(reached) < 200
            page.keyboard.press("Tab")
        wanted = page.evaluate(
            "[...document.querySelectorAll('main a, main button, main summary, footer input')].map((e) => e.outerHTML)"
        )
        assert reached == wanted  # all of them, in the order of the page, and out again
        page.locator("summary").first.focus()
        page.keyboard.press("Enter")
        assert page.locator("details[open]").count() == 1
        page.locator("article.answer figcaption a").focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**/doc/**")
        assert page.locator("#cited").is_visible()


def test_slash_and_escape(browser: Browser, answering: str) -> None:
    with browser.page() as page:
        page.goto(f"{answering}/doc/mill.txt")
        assert focused(page) != "q"
        page.keyboard.press("/")
        assert focused(page) == "q"
        page.keyboard.type("What is /here")
        assert page.locator("#q").input_value() == "What is /here"
        page.keyboard.press("Escape")
        assert page.locator("#q").input_value() == ""
        assert focused(page) == "q"
        page.locator("#slash").uncheck()
        for _ in range(2):  # kept over pages
            page.goto(f"{answering}/doc/mill.txt")
            page.keyboard.press("/")
            assert focused(page) != "q"
        page.locator("#slash").check()
        page.keyboard.press("/")
        assert focused(page) == "q"


def test_past_questions_stay_in_the_browser(browser: Browser, answering: str) -> None:
    with browser.page() as page:
        for at in range(14):
            page.goto(f"{answering}/?q=mill+{at}")
        page.goto(f"{answering}/?q=mill+3")
        page.goto(answering)
        listed = page.locator("#past a").all_inner_texts()
        assert listed[:3] == ["mill 3", "mill 13", "mill 12"]
        assert len(listed) == len(set(listed)) == 12
        assert page.context.cookies() == []
        with browser.page() as other:
            other.goto(answering)
            assert not other.locator("#past").is_visible()
            assert "mill 13" not in other.content()
        page.locator("#past a").nth(1).click()
        assert page.title() == "mill 13 – Citespan"
        page.goto(answering)
        page.get_by_role("button", name="Forget them").click()
        assert not page.locator("#past").is_visible()
        assert focused(page) == "q"
        page.reload()
        assert not page.locator("#past").is_visible()
        assert page.evaluate("localStorage.getItem('past')") is None


def test_a_page_without_storage_works(browser: Browser, answering: str) -> None:
    with browser.page() as page:
        page.add_init_script("Object.defineProperty(window, 'localStorage', {get() { throw new Error('off'); }})")
        page.goto(answering + RESULTS)
        page.keyboard.press("/")
        assert focused(page) == "q"
        page.goto(answering)
        assert not page.locator("#past").is_visible()


def test_copy_citation(browser: Browser, answering: str) -> None:
    with browser.page() as page:
        page.goto(answering + RESULTS)
        page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=answering)
        page.get_by_role("button", name="Copy citation").click()
        page.get_by_text("Copied.").wait_for()
        copied = page.evaluate("navigator.clipboard.readText()")
        sentence = page.locator("article.answer blockquote").inner_text()
        assert copied == f"“{sentence}” — wire.jsonl#2"  # it has no title, and no lines
    with browser.page() as page:
        page.goto(answering + RESULTS)
        page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }")
        page.get_by_role("button", name="Copy citation").click()
        page.get_by_text("did not allow it").wait_for()


# What it looks like


def test_light_and_dark(browser: Browser, answering: str) -> None:
    seen = {}
    for scheme in ("light", "dark"):
        with browser.page(color_scheme=scheme) as page:
            page.goto(answering + RESULTS)
            colours = "((it) => [it.backgroundColor, it.color])(getComputedStyle(document.documentElement))"
            paper, ink = (sum(map(int, re.findall(r"\d+", colour))) for colour in page.evaluate(colours))
            seen[scheme] = paper > ink
    assert seen == {"light": True, "dark": False}


def test_print(browser: Browser, answering: str) -> None:
    with browser.page(color_scheme="dark") as page:
        page.goto(answering + RESULTS)
        page.emulate_media(media="print")
        for hidden in ("header.top", "footer", ".actions", "details"):
            assert not page.locator(hidden).first.is_visible(), hidden
        assert page.locator("article.answer figcaption").is_visible()
        mark = page.locator("article.answer mark").first
        assert "underline" in mark.evaluate("(it) => getComputedStyle(it).textDecorationLine")
        for what in ("document.documentElement", "document.body", "document.querySelector('mark')"):
            paper = page.evaluate(f"getComputedStyle({what}).backgroundColor")
            assert paper in ("rgb(255, 255, 255)", "rgba(0, 0, 0, 0)"), what
        assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(0, 0, 0)"
        assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light"


def test_opensearch(browser: Browser, answering: str) -> None:
    with browser.page() as page:
        page.goto(answering)
        described = page.context.request.get(answering + str(page.locator("link[rel=search]").get_attribute("href")))
        assert described.headers["content-type"].startswith("application/opensearchdescription+xml")
        url = ElementTree.fromstring(described.text()).find("{http://a9.com/-/spec/opensearch/1.1/}Url")
        assert url is not None
        template = url.attrib["template"]
        assert template == answering + "/?q={searchTerms}"
        page.goto(template.replace("{searchTerms}", "mill"))
        assert page.title() == "mill – Citespan"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_accessibility_and_width(browser: Browser, answering: str, refusing: str, scheme: str, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="pip install '.[test]'").Axe()
    addresses = {name: answering + place for name, place in PAGES.items()} | {"no answer": refusing + RESULTS}
    with browser.page(color_scheme=scheme, viewport={"width": width, "height": 640}) as page:
        for name, address in addresses.items():
            page.goto(address)
            page.evaluate("document.querySelectorAll('details').forEach((it) => { it.open = true; })")
            found = axe.run(page, options=AXE).response
            assert [(v["id"], v["nodes"][0]["html"]) for v in found["violations"]] == [], name
            assert {"color-contrast", "target-size", "label"} <= {rule["id"] for rule in found["passes"]}, name
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
            form = page.locator("form.box").bounding_box()  # no wider than the column that it heads
            assert form["x"] + form["width"] <= page.evaluate(EDGE) + 0.5, name


def test_accessibility_can_fail(browser: Browser, answering: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="pip install '.[test]'").Axe()
    with browser.page() as page:
        page.goto(answering)
        page.evaluate("document.querySelector('label').remove()")
        page.evaluate("document.querySelector('.lead').style.color = '#ccc'")
        found = {rule["id"] for rule in axe.run(page, options=AXE).response["violations"]}
        assert {"label", "color-contrast"} <= found
