"""Answer -> terminal text or JSON; nothing of a document reaches a terminal as a control sequence."""

import json
import re
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index.passage import Document, Hit
from rag.answer import LINE_END, Answer, Candidate, Citation, Part, Support, line_of

if TYPE_CHECKING:
    from index.build import BuildReport
    from index.records import Record
    from index.search import Index
    from index.store import Generation

_BYTES = {0xDC00 + byte: f"\\x{byte:02x}" for byte in range(0x80, 0x100)}
"""What Python makes of a file name's bytes that are not UTF-8, and how ids have them (``index.find.printable``)."""
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def safe_line(text: str) -> str:
    """The text on one line, with control and bidi characters, and bytes that are not UTF-8, as ``\\x..`` marks."""
    return "".join(
        " " if c in "\n\r\t\f\v\x85\u2028\u2029" else f"\\x{ord(c):02x}" if _invisible(c) else c
        for c in text.translate(_BYTES)
    )


def _invisible(character: str) -> bool:
    if character in _BIDI:
        return True
    # Other characters without a shape (Cf) hold emoji and scripts together, and steer nothing.
    return unicodedata.category(character) in ("Cc", "Cs") or character == "\ufeff"


# JSON, as in the contract

_UNSAFE = re.compile(f"[\x7f-\x9f\ufeff{''.join(sorted(_BIDI))}]")


def json_line(value: object, *, ascii_only: bool = False) -> str:
    """One line of JSON, readable, but with what could steer a terminal escaped (json does so below the space only)."""
    text = json.dumps(value, ensure_ascii=ascii_only)
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def citation_json(citation: Citation) -> dict[str, Any]:
    """A citation's fields, in the contract's order."""
    return asdict(citation)


def documents_json(records: "Sequence[Record]", total: int | None = None) -> dict[str, Any]:
    """Stored documents without their texts, of ``total`` in all (None: these)."""
    listed = [{"document": r.doc_id, "title": r.title, "date": r.date, "source": r.source} for r in records]
    return {"total": len(listed) if total is None else total, "documents": listed}


def _candidate_json(candidate: Candidate) -> dict[str, Any]:
    return {
        "answer": candidate.answer,
        "confidence": candidate.confidence,
        "citations": [citation_json(c) for c in candidate.citations],
        "support": asdict(candidate.support),
    }


def _part_json(part: Part) -> dict[str, Any]:
    return {"answer": part.answer, "citations": [citation_json(c) for c in part.citations]}


def answer_json(answer: Answer) -> dict[str, Any]:
    """The object that ``rag ask --json`` prints (without ``id``)."""
    return {
        "question": answer.question,
        "answered": answer.answered,
        "answer": answer.answer,
        "confidence": answer.confidence,
        "reason": answer.reason,
        "citations": [citation_json(c) for c in answer.citations],
        "parts": [_part_json(part) for part in answer.parts],
        "support": asdict(answer.support),
        "alternatives": [_candidate_json(c) for c in answer.alternatives],
        "timings_ms": answer.timings_ms,
    }


def hits_json(query: str, hits: list[Hit], index: "Index") -> dict[str, Any]:
    """The object that ``rag search --json`` prints."""
    return {
        "query": query,
        "hits": [
            {
                "passage_id": hit.passage.passage_id,
                "document": hit.passage.doc_id,
                "title": index.document(hit.passage.doc_id).title,
                "start": hit.passage.start,
                "end": hit.passage.end,
                "text": hit.passage.text,
                "score": round(hit.score, 6),
                "parts": {name: round(value, 6) for name, value in hit.parts.items()},
            }
            for hit in hits
        ],
    }


def build_json(report: "BuildReport") -> dict[str, Any]:
    """The object that ``rag index --json`` prints."""
    return {
        "generation": report.generation,
        "documents": report.documents,
        "passages": report.passages,
        "scanned": report.scanned,
        "indexed": report.indexed,
        "unchanged": report.unchanged,
        "skipped": [{"path": r.path, "reason": r.reason} for r in report.skipped],
        "failed": [{"path": r.path, "reason": r.reason} for r in report.failed],
        "seconds": report.seconds,
    }


def status_json(generation: "Generation", reader: str) -> dict[str, Any]:
    """The object that ``rag status --json`` prints; ``reader`` is the identity of the one that answers."""
    from index.build import is_stale

    manifest = generation.manifest
    return {
        "generation": generation.name,
        "created": manifest["created"],
        "documents": manifest["documents"],
        "passages": manifest["passages"],
        "encoder": manifest["encoder"],
        "reader": reader,
        "bytes": sum(file["bytes"] for file in manifest["files"].values()),
        "stale": is_stale(generation),
    }


def document_json(document: Document) -> dict[str, Any]:
    """The object that ``rag show --json`` prints."""
    return {
        "document": document.doc_id,
        "title": document.title,
        "date": document.date,
        "source": document.source,
        "text": document.text,
        "sha256": document.sha256,
        "masked": [list(span) for span in document.masked],
    }


# Terminal


class Style:
    """ANSI styles, or nothing at all where colour is not wanted."""

    def __init__(self, colour: bool) -> None:
        """``colour``: whether styles are wanted."""
        self._colour = colour

    def bold(self, text: str) -> str:
        """Text that stands out."""
        return f"\x1b[1m{text}\x1b[0m" if self._colour else text

    def dim(self, text: str) -> str:
        """Text that steps back."""
        return f"\x1b[2m{text}\x1b[0m" if self._colour else text

    def mark(self, text: str) -> str:
        """The cited words; in brackets where there is no colour."""
        return f"\x1b[1;7m{text}\x1b[0m" if self._colour else f"[{text}]"


def shown_path(path: str) -> str:
    """The path relative to the working directory where it lies below it."""
    with suppress(ValueError, OSError):  # it lies elsewhere; the working directory is gone
        return str(Path(path).relative_to(Path.cwd()))
    return str(Path(path))


def file_line(path: str, line: int) -> int | None:
    """A stored text's ``line`` as an editor counts it; None where the text is not the file (HTML, JSON lines)."""
    return None if path.lower().endswith((".html", ".htm", ".jsonl")) else line


def _place(doc_id: str, line: int, index: "Index") -> str:
    """The file and line as an editor opens them; of a ``.jsonl`` file, whose lines are documents, the id."""
    path = index.path(doc_id)
    if path.lower().endswith(".jsonl"):
        return safe_line(doc_id)
    return safe_line(shown_path(path) + ("" if file_line(path, line) is None else f":{line}"))


def percent(confidence: float) -> int:
    """A confidence in whole percent, from 1 to 99: what is fitted is never certain."""
    return min(99, max(1, round(100 * confidence)))


def _sure(confidence: float) -> str:
    return f"{percent(confidence) / 100:.2f}"


def citation_text(citation: Citation, index: "Index", style: Style) -> str:
    """Two lines: the sentence with the quote marked; title, source, date and place."""
    return f"  {_sentence(citation, style)}\n  {style.dim(_about(citation, index))}"


def _citations(citations: Sequence[Citation], index: "Index", style: Style) -> list[str]:
    """A citation a paragraph; where several documents hold the same sentence, it stands once above them all."""
    said: dict[str, list[str]] = {}
    for citation in citations:
        said.setdefault(_sentence(citation, style), []).append(style.dim(_about(citation, index)))
    return ["\n".join(f"  {line}" for line in (sentence, *places)) + "\n" for sentence, places in said.items()]


def _sentence(citation: Citation, style: Style) -> str:
    at = citation.start - citation.sentence_start
    end = at + len(citation.quote)
    before, quote, after = citation.sentence[:at], citation.sentence[at:end], citation.sentence[end:]
    return f"{safe_line(before)}{style.mark(safe_line(quote))}{safe_line(after)}"


def _about(citation: Citation, index: "Index") -> str:
    known = [safe_line(value) for value in (citation.title, citation.source, citation.date) if value]
    return " · ".join([*known, _place(citation.document, citation.line, index)])


def _stands(support: Support) -> str:
    documents, distinct = support.documents, support.distinct
    independent = f", {distinct} of them independent" if distinct < documents else ""
    return f"stands in {documents} article{'s' * (documents > 1)}{independent}"


def answer_text(answer: Answer, index: "Index", style: Style) -> str:
    """What a person reads: the answer with its proof, or that there is none and the closest passages."""
    lines = []
    if answer.answered:
        sure = f"(confidence {_sure(answer.confidence)}, {_stands(answer.support)})"
        lines += [f"{style.bold(safe_line(answer.answer or ''))}   {sure}", ""]
        lines += _citations(answer.citations, index, style)
        if answer.parts:
            lines.append("Also on this list:")
            for part in answer.parts[1:]:
                lines += [citation_text(part.citations[0], index, style), ""]
        if answer.alternatives:
            lines.append("Other answers:")
    else:
        said = {
            "empty_index": "the index holds no passages",
            "not_found": f"nothing in {len(index.doc_ids)} articles comes near this question",
            "weak": "what comes nearest is not sure enough",
        }[answer.reason or "weak"]
        sure = f"   (confidence {_sure(answer.confidence)})" if answer.confidence else ""
        lines += [style.bold(f"No answer found: {said}.") + sure, ""]
        if answer.alternatives:
            lines.append("Closest:")
    for candidate in answer.alternatives:
        several = f"   ({_stands(candidate.support)})" if candidate.support.documents > 1 else ""
        lines += [f"  {_sure(candidate.confidence)}{several}", citation_text(candidate.citations[0], index, style)]
    return "\n".join(lines).rstrip()


def hits_text(hits: list[Hit], index: "Index", style: Style) -> str:
    """A hit a paragraph: rank, score, place, text."""
    lines = []
    for rank, hit in enumerate(hits, 1):
        document = index.document(hit.passage.doc_id)
        place = _place(document.doc_id, line_of(document, hit.passage.start), index)
        parts = ", ".join(f"{name} {value:.2f}" for name, value in hit.parts.items())
        text = safe_line(hit.passage.text)
        lines += [f"{rank:2}. {style.bold(place)}   {hit.score:.3f} ({parts})", f"    {text}", ""]
    return "\n".join(lines).rstrip() or "No passage matches."


def document_text(document: Document, span: tuple[int, int], style: Style) -> str:
    """The document's text between ``span``, line for line, masked stretches dimmed."""
    start, end = span
    out, at = [], start
    for first, last in document.masked_in(start, end):
        out += [
            _lines(document.text[at : max(first, at)]),
            style.dim(_lines(document.text[max(first, start) : min(last, end)])),
        ]
        at = min(last, end)
    out.append(_lines(document.text[at:end]))
    return "".join(out)


def _lines(text: str) -> str:
    return "\n".join(map(safe_line, LINE_END.split(text)))
