"""Hostile text in every place that a page shows, as HTML and in Chromium: it stays text."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.testclient import TestClient

from index.build import build_documents
from index.passage import Document
from index.search import Index
from rag.pipeline import Pipeline
from rag.render import safe_line
from tests.web_site import ANSWERS, Browser, Firsts, served, site
from tests.web_site import browser as browser
from web.view import cited_url

RUN = "window.ran=1"
PAYLOADS = [
    # handlers of every kind
    *(
        f"<b on{event}={RUN}>x</b>"
        for event in re.findall(
            r"\w+",
            "click wheel copy paste drag drop scroll toggle input animationstart transitionend beforeinput keydown "
            "pointermove touchstart mouseenter contextmenu auxclick cut invalid submit reset select search play",
        )
    ),
    # elements that run
    *(f"<script>{RUN}</script>{end}" for end in ("", "<!--", "</title>", "]]>")),
    *(
        f"{start}<script>{RUN}</script>"
        for start in ("</mark>", "</title>", "</textarea>", "</style>", "-->", "'>", '">')
    ),
    *(
        f"<{tag} onload={RUN}>"
        for tag in ("svg", "body", "iframe", "link rel=stylesheet href=//evil.example", "img src=x")
    ),
    *(f"<{tag} src=x onerror={RUN}>" for tag in ("img", "video", "audio", "script", "input type=image", "image")),
    *(
        f"<{tag} autofocus onfocus={RUN}>x"
        for tag in ("input", "button", "a href=#", "textarea", "select", "p tabindex=0")
    ),
    *(
        f"<svg><{tag}"
        for tag in (
            f"script>{RUN}</script>",
            f"animate onbegin={RUN} attributeName=x>",
            "use href=//evil.example/x.svg#x />",
            "image href=//evil.example/x.png />",
            f"foreignObject><script>{RUN}</script>",
            f"set onbegin={RUN} attributeName=x>",
        )
    ),
    *(
        f"<{tag}>"
        for tag in (
            "iframe src=//evil.example",
            f"iframe srcdoc='<script>parent.{RUN}</script>'",
            "object data=//evil.example",
            "embed src=//evil.example",
            "base href=//evil.example",
            "form action=//evil.example",
            "frameset",
            "meta http-equiv=refresh content='0;url=//evil.example'",
            "link rel=prefetch href=//evil.example",
            "plaintext",
            "link rel=dns-prefetch href=//evil.example",
            "img srcset=//evil.example/x.png",
            "video poster=//evil.example/x.png",
            "style>@import '//evil.example';</style",
            "style>*{display:none}</style",
            "div style=position:fixed;inset:0",
        )
    ),
    # out of an attribute
    *(
        f"{mark} on{event}={RUN} x={mark}"
        for mark in ('"', "'", "`")
        for event in ("mouseover", "focus", "pointerenter")
    ),
    *(f"{mark}><img src=x onerror={RUN}>" for mark in ('"', "'", "`", "")),
    *(f"{mark}{RUN}//" for mark in ("';", '";', "`;", "</script>;", "\\';", "\u2028")),
    # addresses
    f"javascript:{RUN}",
    f"JaVaScRiPt:{RUN}",
    f"java\tscript:{RUN}",
    f"\x01javascript:{RUN}",
    f"javascript://%0a{RUN}",
    f"data:text/html,<script>{RUN}</script>",
    f"vbscript:{RUN}",
    "//evil.example/x",
    "http://evil.example/",
    "\\\\evil.example\\x",
    "/../../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "../..",
    "?q=x&start=0&end=5#cited",
    "%00",
    "%0d%0aSet-Cookie: a=b",
    # templates
    "{{ 7*191 }}",
    "{% raw %}{{ 7*191 }}",
    "{{ ''.__class__.__mro__ }}",
    "${7*191}",
    "#{7*191}",
    "<%= 7*191 %>",
    "{# gone #}",
    # characters
    "\u202egnp.exe",
    "\u2066\u2067\u2068\u2069x",
    "\u200fabc\u200e",
    "\x1b]0;x\x07\x1b[2J",
    "a\0b",
    "\ufeffx",
    "\x7f\x9b31m",
    "&lt;script&gt;",
    "&#60;script&#62;",
    "+ADw-script+AD4-",
    "\u00bcscript\u00be",
    "\uff1cscript\uff1e",
    "Z\u0351\u036b\u0343" * 60,
    "W" * 3000,
    "\u0645\u0631\u062d\u0628\u0627 " * 40,
    "\U000e0041\U000e0042",
    "\u200b" * 50 + "x",
]
TAGS = set(
    re.findall(
        r"\w+",
        "html head meta title link script body a header main footer article section nav div p h1 h2 h3 ul ol li "
        "dl dt dd form label input button span b strong mark meter figure figcaption blockquote details summary kbd "
        "time",
    )
)
ATTRIBUTES = set(
    re.findall(
        r"[\w-]+",
        "lang charset name content rel href type title src defer class id tabindex action method role for value "
        "maxlength required autocomplete spellcheck dir autofocus hidden data-question data-copy aria-labelledby "
        "aria-label min max datetime",
    )
)
BAD = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


class Page(HTMLParser):
    """The elements, attributes and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.names: set[str] = set()
        self.places: set[str] = set()
        self.scripts: list[str | None] = []
        self.said = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.names |= {name for name, _ in attrs}
        self.places |= {value or "" for name, value in attrs if name in ("href", "src", "action")}
        if tag == "script":
            self.scripts.append(dict(attrs).get("src"))

    def handle_data(self, data: str) -> None:
        self.said += data


def hostile(number: int, payload: str) -> Document:
    return Document(
        f"{number}/{payload}", f"Wheel{number} stands {payload} and turns.\n{payload}\nWheel{number} is old.\n",
        title=f"Wheel{number} {payload}", source=f"source {payload}", date=f"{payload}"[:30],
    )  # fmt: skip


TOGETHER = 50  # documents in one index: of so few the vectors come without sentence-transformers, in a moment


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """An index for every ``TOGETHER`` payloads."""
    made = []
    for first in range(0, len(PAYLOADS), TOGETHER):
        made.append(tmp_path_factory.mktemp("hostile"))
        planted = list(enumerate(PAYLOADS))[first : first + TOGETHER]
        build_documents([hostile(number, payload) for number, payload in planted], made[-1])
    return made


@pytest.fixture(scope="module")
def clients(roots: list[Path]) -> list[TestClient]:
    return [served(root, Pipeline(Index.open(root), Firsts(), ANSWERS)) for root in roots]


def addresses(number: int) -> list[str]:
    """Where payload ``number`` is shown: its document with a mark, as a question, among what is found."""
    asked = f"Where does Wheel{number} stand {PAYLOADS[number]}"[:1900]
    document = hostile(number, PAYLOADS[number])
    cited = cited_url(document.doc_id, 0, 9, document.sha256).split("#")[0]
    return [cited, f"/?{urlencode({'q': asked})}", f"/?q=Wheel{number}"]


def test_there_are_a_hundred_payloads() -> None:
    assert len(set(PAYLOADS)) == len(PAYLOADS) >= 100


@pytest.mark.parametrize("number", range(len(PAYLOADS)))
def test_it_stays_text(clients: list[TestClient], number: int) -> None:
    client = clients[number // TOGETHER]
    payload = PAYLOADS[number]
    headers = {
        name: re.sub(r"[^!-~]", "", payload)[:500]
        for name in ("user-agent", "referer", "accept-language", "cookie", "x-forwarded-host")
    }
    for at, address in enumerate(addresses(number)):
        response = client.get(address, headers=headers)
        assert response.status_code == (400 if at == 1 and "\0" in payload else 200), response.text
        assert not BAD.search(response.text)
        page = Page(response.text)
        assert page.tags <= TAGS
        assert page.names <= ATTRIBUTES
        assert page.scripts == ["/static/page.js"]
        assert all(place.startswith(("/", "#")) and not place.startswith("//") for place in page.places)
        if at == 0:  # shown whole, as it is or as visible marks
            assert " ".join(safe_line(payload).split()) in " ".join(page.said.split())


def test_the_check_itself() -> None:
    page = Page(f"<p onclick=x><svg><script>{RUN}</script><a href=//evil.example>")
    assert not page.tags <= TAGS
    assert not page.names <= ATTRIBUTES
    assert page.scripts == [None]
    assert "//evil.example" in page.places


# In Chromium

PROBE = """async () => {
  await new Promise((done) => setTimeout(done, 20));
  const every = [...document.querySelectorAll("*")];
  const box = document.querySelector("main").getBoundingClientRect();
  return {
    ran: window.ran ?? null,
    here: location.pathname.startsWith("/doc/") || location.pathname === "/",
    tags: [...new Set(every.map((it) => it.localName))],
    names: [...new Set(every.flatMap((it) => it.getAttributeNames()))],
    scripts: [...document.scripts].map((it) => it.getAttribute("src")),
    away: [...document.links].map((it) => it.href).filter((href) => !href.startsWith(location.origin + "/")),
    wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    outside: every.filter((it) => it.getBoundingClientRect().right > innerWidth + 1 && it.closest("main")).length,
    stands: box.width > 250 && getComputedStyle(document.getElementById("q")).display !== "none",
  };
}"""


def wrong(found: dict[str, Any]) -> list[str]:
    """What a probed page should not have."""
    bad = [f"{name}: {found[name]}" for name in ("ran", "away", "wide", "outside") if found[name]]
    bad += [f"lost: {name}" for name in ("here", "stands") if not found[name]]
    bad += [f"element {tag}" for tag in set(found["tags"]) - TAGS]
    bad += [f"attribute {name}" for name in set(found["names"]) - ATTRIBUTES]
    return bad if found["scripts"] == ["/static/page.js"] else [*bad, f"scripts: {found['scripts']}"]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("policy", [True, False], ids=["as served", "policy switched off"])
@pytest.mark.parametrize("part", range(-(-len(PAYLOADS) // TOGETHER)))
def test_in_chromium_nothing_runs_nothing_is_called_and_the_layout_stands(
    browser: Browser, roots: list[Path], part: int, policy: bool
) -> None:
    """With the content security policy and, so that escaping alone is put to the test, without it."""
    bad: dict[str, list[str]] = {}
    numbers = range(len(PAYLOADS))[part * TOGETHER : (part + 1) * TOGETHER]
    with site(roots[part], ANSWERS) as base, browser.page(bypass_csp=not policy) as page:
        for number in numbers:
            # The question's page shows the article too, unless no such question can be asked.
            document, question, words = addresses(number)
            result = words if "\0" in PAYLOADS[number] else question
            for address in (document, result) if policy else (result,):
                page.goto(base + address)
                found = []
                for width in (320, 1280) if policy else (1280,):
                    page.set_viewport_size({"width": width, "height": 800})
                    found += wrong(page.evaluate(PROBE))
                if found:
                    bad[f"{PAYLOADS[number][:60]!r} at {address[:60]}"] = found
    assert bad == {}


@pytest.mark.slow
def test_the_check_in_chromium_itself(browser: Browser, roots: list[Path]) -> None:
    """Without escaping: the policy stops the script and the call, and the check sees what was planted."""
    planted = f"<img src=//evil.example/x onerror={RUN}><script>{RUN}</script><p style='width: 99em'>x</p>"
    for policy in (True, False):
        with site(roots[0], ANSWERS) as base, browser.page(bypass_csp=not policy) as page:
            page.goto(base)
            page.evaluate("(html) => document.querySelector('main').insertAdjacentHTML('beforeend', html)", planted)
            page.wait_for_timeout(200)
            bad = "; ".join(wrong(page.evaluate(PROBE)))
            strays, breaches = browser.strays.copy(), browser.errors.copy()
            browser.strays.clear()
            browser.errors.clear()
        assert "element img" in bad
        assert "attribute onerror" in bad
        assert "scripts: " in bad
        assert ("ran: 1" in bad) is not policy
        assert bool(strays) is not policy
        assert bool(breaches) is policy
