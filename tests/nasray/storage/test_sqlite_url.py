from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from nasray.storage.sqlite_url import is_sqlite, sqlite_path, sqlite_url


@pytest.mark.parametrize(
    "name", ["plain", "a b", "a'b", "a#b", "a?b=c", "p%20x", "50%", "ü", "{a}", "a@b:c", "file:x"]
)
def test_a_database_is_in_the_file_of_its_path(tmp_path, name):
    path = tmp_path / name / "some.db"
    path.parent.mkdir()
    url = sqlite_url(path)
    with create_engine(url).begin() as connection:
        connection.execute(text("CREATE TABLE one (value INTEGER)"))
    assert path.is_file()
    assert sqlite_path(url) == path
    assert list(tmp_path.iterdir()) == [path.parent]


def test_an_ordinary_path_is_written_as_it_is():
    assert sqlite_url(Path("/runs/my search/mlflow.db")) == "sqlite:////runs/my search/mlflow.db"


def test_other_databases_have_no_file():
    assert is_sqlite("sqlite:///x.db")
    assert sqlite_path("http://host:5000") is None
    assert sqlite_path("mlruns") is None
    assert sqlite_path("postgresql://me@host/db") is None
