"""The recipe of the reader's weights; nothing here is imported on the way to an answer."""
