"""One search in its stages, and what several searches share."""
