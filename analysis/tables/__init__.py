"""Tables of ratings: loaded, joined, turned into what a ranking is made by."""
