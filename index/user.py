"""Folders of the user's own, beside any index: indexes kept for ``--corpus``, confidences fitted for other readers."""

from pathlib import Path
from typing import Literal

from index.errors import InputError


def user_folder(kind: Literal["cache", "data"]) -> Path:
    """Citespan's folder of that kind, as the platform has it; InputError where the user has no home."""
    import platformdirs

    try:
        return platformdirs.user_cache_path("citespan") if kind == "cache" else platformdirs.user_data_path("citespan")
    except RuntimeError:
        raise InputError(
            f"there is no home to keep {kind} in: set HOME or XDG_{kind.upper()}_HOME, or give an index with --index"
        ) from None
