from index.passage import Hit, Passage
from rag.sentences import SentenceReader

TEXTS = (
    "The ferry leaves at noon. It carries cars.",
    "The ferry to Sillane leaves the harbour at nine. Tickets are sold on board.",
    "Nobody knows when the bridge will open.",
)
QUESTION = "When does the ferry to Sillane leave?"


def hits(*scores: float) -> list[Hit]:
    found = []
    for number, (text, score) in enumerate(zip(TEXTS, scores, strict=True)):
        cut = text.find(". ") + 1
        sentences = ((0, cut), (cut + 1, len(text))) if cut else ((0, len(text)),)
        found.append(Hit(Passage(number, f"{number}.txt", 0, len(text), text, sentences), score))
    return found


def test_whole_sentences_come_best_first() -> None:
    spans = SentenceReader().read(QUESTION, hits(3.0, 2.0, 1.0))
    assert spans[0].text == "The ferry to Sillane leaves the harbour at nine."
    assert {(span.start, span.end) for span in spans} == {span.sentence for span in spans}
    assert [span.score for span in spans] == sorted((span.score for span in spans), reverse=True)
    assert SentenceReader().read(QUESTION, []) == []


def test_of_the_passages_scores_nothing_counts_but_their_order() -> None:
    near, far, turned = ({s.text: s.score for s in SentenceReader().read(QUESTION, hits(*scores))}
                         for scores in ((3.0, 2.9, 2.8), (90.0, 2.0, 0.1), (2.0, 3.0, 1.0)))  # fmt: skip
    assert near == far
    assert turned[TEXTS[2]] == near[TEXTS[2]]
    assert turned["It carries cars."] < near["It carries cars."]
