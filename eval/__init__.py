"""Question sets in, figures and a verdict out."""
