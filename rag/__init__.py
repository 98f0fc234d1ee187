"""Question in, cited answer out."""

__version__ = "0.1.0"
ALTERNATIVES = 3
"""How many other answers stand beside the one that is given, unless asked otherwise.

Here, because the command line's help says it before anything else is loaded.
"""
