"""The head of the report: what was searched, with what, and what came out in two sentences."""

from datetime import UTC, datetime

from nasray.analysis.counting.statement import bounds, proof
from nasray.analysis.numerals import count
from nasray.analysis.runs.run import Run
from nasray.analysis.trust.verdict import sentence
from nasray.search_spaces.costs.uncounted import lower_bounds


def facts(run: Run) -> list[tuple[str, str]]:
    """What was searched and with what, as pairs of a name and a text."""
    architectures = "not counted" if run.num_architectures is None else count(run.num_architectures)
    if run.space_coverage is not None and not run.space_coverage.is_whole:
        architectures += f", {bounds(run.space_coverage.left_out)} of them without a score"
    budgets = ", ".join(f"{name} up to {limit:,.15g}" for name, limit in run.config["budgets"].items())
    pairs = [
        ("Data", run.data),
        ("Search space", run.space),
        ("Architectures", architectures),
        ("Budgets", budgets or "none"),
        ("Searches", ", ".join(_searches(run))),
        ("Seed", str(run.config["seed"])),
    ]
    return pairs + _origin(run)


def conclusions(run: Run) -> list[str]:
    """What came out: how far the ranking can be trusted, and what is proved of it."""
    texts = []
    if run.agreement_figures is not None:
        texts.append(sentence(run.agreement_figures))
    elif run.ranking is not None:
        texts.append(
            "How far this ranking agrees with the accuracy of trained networks is not known: none was trained for real."
        )
    if run.certificate is not None and run.coverage is not None:
        texts.append(proof(run.certificate, run.coverage))
        if run.certificate.get("uncounted"):  # certificates of earlier versions have none
            texts.append(lower_bounds(run.certificate["uncounted"]))
    return texts


def _searches(run: Run) -> list[str]:
    """The methods that search; of a comparison its arms."""
    comparison = run.config.get("comparison") or {}
    return list(comparison.get("arms", {})) or [str(search["method"]) for search in run.config["searches"]]


def _short(commit: str | None) -> str:
    """The beginning of a commit, with the sign that the checkout was changed."""
    return "unknown" if commit is None else commit.rstrip("+")[:12] + ("+" if commit.endswith("+") else "")


def _origin(run: Run) -> list[tuple[str, str]]:
    """When, from which code and on what machine."""
    if run.environment is None:
        return []
    launched = datetime.fromtimestamp(run.files.environment.stat().st_mtime, UTC)
    machine = run.environment["machine"]
    versions = {"python": run.environment["python"], **run.environment["packages"]}
    return [
        ("Launched", f"{launched:%d %B %Y, %H:%M} UTC"),
        ("Commit", _short(run.environment["commit"])),
        (
            "Machine",
            f"{machine['processor']}, {machine['cpus']} CPUs, {machine['memory_bytes'] / 1e9:.0f} GB",
        ),
        ("Versions", ", ".join(f"{name} {version}" for name, version in versions.items())),
    ]
