"""The search page: the pipeline behind a small web server on the user's own machine."""
