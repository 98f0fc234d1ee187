"""The mean of several readers: ``python -m rag.training.mean OUT FILE=SHARE [FILE=SHARE ...]``.

Readers that were trained on from one another lie in one basin, and their mean reads text of another kind better than
any of them (Wortsman et al. 2022, "Model soups", arXiv:2203.05482). OUT is written as float16, with the shares and
hashes of what went in.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from index.errors import InputError
from rag.terminal import exit_code
from rag.training.data import fingerprint
from rag.training.loop import write_tensors
from rag.training.network import has_head, load_reader, mean, to_transformers


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m rag.training.mean", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", type=Path, help="file to write")
    parser.add_argument("parts", nargs="+", metavar="FILE=SHARE", help="weights of a reader and their share")
    options = parser.parse_args(arguments)
    return exit_code("rag.training.mean", lambda: _write(options.out, [_part(part) for part in options.parts]))


def _part(text: str) -> tuple[Path, float]:
    file, _, share = text.rpartition("=")
    try:
        if file and 0 < float(share) < float("inf"):
            return Path(file), float(share)
    except ValueError:
        pass
    raise InputError(f"{text!r} is not FILE=SHARE with a share above 0: give, say, phaseD.safetensors=0.5")


def _write(out: Path, parts: Sequence[tuple[Path, float]]) -> None:
    if headless := [path for path, _ in parts if not has_head(path)]:
        raise InputError(f"{headless[0]}: an encoder without a head; give the weights of readers")
    weights = mean([(load_reader(path, seed=0).weights, share) for path, share in parts])
    record = {fingerprint([path]): share for path, share in parts}
    write_tensors(out, to_transformers(weights), {"mean_of": json.dumps(record)})
    print(f"{out} {fingerprint([out])}")


if __name__ == "__main__":
    sys.exit(main())
