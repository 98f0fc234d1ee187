"""Everything that can go wrong and is not a bug, as one tree.

    RagError                one sentence: what was given, what was expected, what to do next
    ├── InputError          a path, flag, question or question set that cannot be used
    ├── ModelError          an encoder's or reader's files are missing, altered or refused
    ├── IndexMissing        there is no index at that place
    ├── IndexDamaged        there is one, but its bytes are not the ones that were written
    ├── IndexMismatch       it was built by another model or version, or has an unknown format
    └── IndexBusy           another process is writing it

The command line prints the sentence and exits 2. A file that cannot be read is no error of the run: it is a
``Rejected`` (``index.load``) in the report of the build, with its reason.
"""


class RagError(Exception):
    """A failure to report in one sentence."""


class InputError(RagError):
    """What the user gave cannot be used."""


class ModelError(RagError):
    """The files of an encoder or a reader are missing, altered or refused."""


class IndexMissing(RagError):
    """No index stands at the given place."""


class IndexDamaged(RagError):
    """An index whose files are not what its manifest says."""


class IndexMismatch(RagError):
    """An index of another model, or of another version's recipe or format."""


class IndexBusy(RagError):
    """Another process holds the writer's lock."""
