import sys

import pytest

from nasray.search_spaces.names.source_digests import source_digests


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder of a user's modules, which later tests do not find imported."""
    before = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def write(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_what_a_module_imports_counts_to_the_end(here):
    files = {
        "first_part.py": "import second_part\nimport json, torch\nx = second_part.y\n",
        "second_part.py": "def later():\n    from kit.inner import deep\n    return deep\n\ny = 1\n",
        "kit/__init__.py": "",
        "kit/inner/__init__.py": "from . import deep\nfrom ..beside import z\n",
        "kit/inner/deep.py": "",
        "kit/beside.py": "z = 3\n",
        "kit/unused.py": "",
    }
    write(here, files)
    found = source_digests(["first_part:x"])
    assert list(found) == [
        "first_part", "kit", "kit.beside", "kit.inner", "kit.inner.deep", "second_part",
    ]  # fmt: skip
    (here / "kit" / "beside.py").write_text("z = 4\n")
    again = source_digests(["first_part:x"])
    assert {name for name in found if found[name] != again[name]} == {"kit.beside"}


def test_modules_that_import_each_other_end(here):
    write(here, {"ring_a.py": "import ring_b\nx = 1\n", "ring_b.py": "import ring_a\n"})
    assert list(source_digests(["ring_a:x"])) == ["ring_a", "ring_b"]


def test_guarded_imports_of_what_is_not_there_are_passed_over(here):
    text = "try:\n    import no_such_module_here.inner\nexcept ImportError:\n    pass\nx = 1\n"
    write(here, {"guarded.py": text})
    assert list(source_digests(["guarded:x"])) == ["guarded"]


def test_installed_packages_count_where_one_of_their_modules_is_named(here):
    write(here, {"using.py": "import yaml\nx = 1\n"})
    assert list(source_digests(["using:x"])) == ["using"]
    assert {"yaml", "yaml.loader"} <= source_digests(["yaml.nodes:Node", "yaml:load"]).keys()


def test_a_module_of_ours_counts_alone():
    module = "nasray.trainables.teacher.small_vit"
    assert list(source_digests([f"{module}:small_vit"])) == [module]


def test_a_missing_module_is_told():
    with pytest.raises(ValueError, match="no module 'no_such_module_here'"):
        source_digests(["no_such_module_here:x"])
