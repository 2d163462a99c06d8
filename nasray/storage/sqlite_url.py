"""The URL of an SQLite file, as SQLAlchemy reads it, whatever characters the file's path has."""

from pathlib import Path

from sqlalchemy.engine import URL, make_url

from nasray.errors import UserError

_SQLITE = "sqlite"


def sqlite_url(path: Path) -> str:
    """The URL of a file, with its path as it is wherever that can be read back.

    Raises:
        UserError: There is none.
    """
    plain = f"{_SQLITE}:///{path}"
    # With a driver's name, since MLflow makes folders by the letters that stand behind "sqlite:///".
    quoted = URL.create(f"{_SQLITE}+pysqlite", database=str(path)).render_as_string()
    for url in (plain, quoted):
        if make_url(url).database == str(path):
            return url
    raise UserError(
        f"the path of an SQLite database must have no ? and no % before two digits, got {path}: move it, or install "
        "SQLAlchemy 2.1 or later"
    )


def is_sqlite(url: str) -> bool:
    """Whether a URL is that of an SQLite file."""
    return url.partition(":")[0].partition("+")[0] == _SQLITE


def sqlite_path(url: str) -> Path | None:
    """The SQLite file of a URL; None where it is another database's, or none."""
    database = make_url(url).database if is_sqlite(url) else None
    return None if database is None else Path(database)
