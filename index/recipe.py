"""What an index is made by, besides its encoder: a number that an index keeps, and that asking it compares."""

RECIPE = "8"
"""Changes when loading, masking, splitting or tokenising give other passages or terms."""
