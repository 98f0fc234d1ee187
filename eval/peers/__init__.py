"""How other ways of answering do on the same questions."""
