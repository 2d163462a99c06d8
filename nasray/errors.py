"""Errors that a user is told in one message, without a traceback."""


class UserError(ValueError):
    """A mistake of the user's: in a config, an argument, data, a model, or a file that was changed."""


class SearchFailedError(RuntimeError):
    """Units of a search failed; what the others left is kept, and the same command goes on from there."""
