"""Methods of search, each an object that the rest of nasray asks what to do."""

from nasray.methods.method import Method
from nasray.settings.methods import Declaration
from nasray.trainables.settings.method import MethodSettings

__all__ = ["Declaration", "Method", "MethodSettings"]
