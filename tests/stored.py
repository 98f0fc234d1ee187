"""What the tests of the store share: small generations in which everything says one number."""

from pathlib import Path
from typing import Any

import numpy as np

from index.passage import Document
from index.publish import publish as published
from index.publish import writing
from index.store import Generation

SETTINGS: dict[str, Any] = {
    "passages": 2,
    "model": "m",
    "encoder": "m@1",
    "recipe": "1",
    "paths": ["/somewhere"],
    "stats": {},
}


def publish(root: Path, number: int) -> Generation:
    """A generation in which everything says ``number``."""
    documents = [
        Document("a.txt", f"text {number} é\r\n\0", "A", masked=((0, 4),), source_sha256="0" * 64),
        Document("b.txt", f"more {number}", date="2020-01-01"),
    ]
    arrays = {"vectors": np.full((2, 3), number, np.float32), "sparse.rows": np.zeros(0, np.int32)}
    with writing(root):
        return published(root, documents, ["/x/a.txt", "/x/\udcffb.txt"], arrays, SETTINGS)


def number_of(generation: Generation) -> int:
    """The one number that everything in the generation says."""
    said = {
        *(int(value) for value in np.unique(generation.arrays["vectors"])),
        int(generation.document(0).text.split()[1]),
        int(generation.document(1).text.split()[1]),
    }
    (number,) = said
    return number


def generations(root: Path) -> list[str]:
    return sorted(path.name for path in root.glob("gen-*"))
