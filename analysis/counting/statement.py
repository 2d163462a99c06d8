"""Sentences about a ranking: what is proved, of which architectures, and which are left out."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from nasray.analysis.counting.counting import Count
from nasray.analysis.counting.coverage import Coverage
from nasray.analysis.exact.unrated import Unrated
from nasray.analysis.numerals import count


def proof(certificate: Mapping[str, Any], coverage: Coverage) -> str:
    """What is proved of a ranking, in a sentence.

    Args:
        certificate: With `proved`, and where it is not, the `gap`, see `top_architectures`; infinite
            or None where fewer were found than asked for.
        coverage: Of which architectures it speaks.
    """
    number, aside = ranked(coverage), _aside(coverage)
    if certificate["proved"]:
        return f"Proved: no other of the {number} is better than those listed{aside}."
    if certificate["gap"] is None or math.isinf(certificate["gap"]):
        return f"Not proved: time ran out before so many of the {number} were found{aside}."
    return (
        f"Not proved: time ran out; of the {number}, one that is not listed may be better by "
        f"{certificate['gap']:.3g} at the most{aside}."
    )


def ranked(coverage: Coverage, within: str = " within the budgets") -> str:
    """The architectures that a ranking speaks of, such as "14 rated architectures within the budgets"."""
    return f"{bounds(coverage.ranked)} {'' if coverage.is_whole else 'rated '}architectures{within}"


def left_out(coverage: Coverage, what: str = "not ranked") -> str:
    """The architectures that it does not speak of, such as "; 10 more are not ranked"; empty where there is none."""
    if coverage.is_whole:
        return ""
    return f"; {bounds(coverage.left_out)} more {'is' if coverage.left_out.upper == 1 else 'are'} {what}"


def left_out_since(coverage: Coverage) -> str:
    """The same, with the candidates for whose sake they are not."""
    if coverage.is_whole:
        return ""
    return f"{left_out(coverage)}, since these candidates have no rating: {listed(coverage.unrated)}"


def scope(coverage: Coverage, subject: str) -> str:
    """What a ranking or a part of it is of, in a sentence; empty where nothing is left out.

    Args:
        coverage: Of which architectures the ranking speaks.
        subject: How the sentence begins, such as "The ranking is".
    """
    return "" if coverage.is_whole else f"{subject} of the {ranked(coverage)}{left_out(coverage)}."


def listed(unrated: Sequence[Unrated]) -> str:
    """Candidates without a rating, such as "5 of the 9 in block 1, each with `bad` (non-finite output)"."""
    return "; ".join(map(str, unrated))


def bounds(number: Count) -> str:
    """A number, or the bounds that it is between."""
    if number.exact:
        return count(number.lower)
    if number.lower == 0:
        return f"up to {count(number.upper)}"
    return f"between {count(number.lower)} and {count(number.upper)}"


def _aside(coverage: Coverage) -> str:
    """What must be said beside a proof."""
    if coverage.is_whole and coverage.unrated:
        return f"; candidates without a rating stand in none of these: {listed(coverage.unrated)}"
    return left_out_since(coverage)
