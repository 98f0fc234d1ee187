"""What several test files share: a small corpus, and an index of it that no test changes."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from index.build import build

MILL = (
    "The old mill\n"
    "\n"
    "The water mill on the river was built in 1862. Its repair cost $3.5 million and took four years.\n"
    "“It is the last of its kind,” the museum said.\n"
    "The mill opens on Sundays and grinds 200 kilograms of flour an hour.\n"
)
ARTICLES = {
    "mill.txt": MILL,
    "syndicated/mill.txt": MILL.replace("of flour an hour", "of rye flour an hour"),
    "bridge.md": (
        "---\ntitle: The bridge\ndate: 2021-05-03\nsource: Example Gazette\n---\n\n"
        "# The bridge\n\nThe *iron* bridge was closed for repair in March. It carries 4,000 cars a day.\n"
    ),
    "ferry.html": (
        "<html><head><title>The ferry</title></head><body><article><h1>The ferry</h1>"
        "<p>The ferry crosses the river every 20 minutes, and a ticket costs €4.50 for adults on all weekdays.</p>"
        "<p>It was electric from the start: two batteries of 500 kilowatt hours drive it across and back again.</p>"
        "</article></body></html>"
    ),
    "wire.jsonl": (
        json.dumps(
            {"id": "1", "title": "Harvest", "text": "The harvest fell by 5% after a dry summer.", "date": "2020"}
        )
        + "\n"
        + json.dumps({"id": "2", "text": "Repair of the water mill cost $3.5 million, the county said."})
        + "\n"
    ),
}


def write(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return folder


@pytest.fixture(name="write", scope="session")
def write_fixture() -> Callable[[Path, Mapping[str, str | bytes]], Path]:
    """Files by name into a folder, which is returned."""
    return write


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six documents in five formats; not to be changed."""
    return write(tmp_path_factory.mktemp("corpus"), ARTICLES)


@pytest.fixture(scope="session")
def root(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The index of ``corpus``; not to be changed."""
    place = tmp_path_factory.mktemp("index") / "index"
    build([corpus], place)
    return place


@pytest.fixture(scope="session")
def resign() -> Callable[[Path, Callable[[dict[str, Any]], object]], None]:
    """Change the current manifest and make all checksums right again: what an attacker does, not what decay does."""

    def change(root: Path, edit: Callable[[dict[str, Any]], object]) -> None:
        name = (root / "CURRENT").read_text().split()[0]
        path = root / name / "MANIFEST.json"
        manifest = json.loads(path.read_bytes())
        for file, facts in manifest["files"].items():
            data = (root / name / file).read_bytes()
            facts.update(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
        edit(manifest)
        path.write_text(json.dumps(manifest))
        (root / "CURRENT").write_text(f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n")

    return change
