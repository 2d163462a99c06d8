import sys

import pytest

from nasray.search_spaces.names.attribute import call_named, load_attribute


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def test_an_installed_object_is_found():
    assert load_attribute("fractions:Fraction.from_float")(0.5) == 0.5


def test_a_module_in_the_current_directory_is_found(here):
    (here / "answering.py").write_text("answer = 42\n")
    assert load_attribute("answering:answer") == 42


@pytest.mark.parametrize("path", ["", "fractions", "fractions:", ":Fraction"])
def test_both_halves_are_needed(path):
    with pytest.raises(ValueError, match='is written "module:attribute"'):
        load_attribute(path)


@pytest.mark.parametrize("path", ["no_such_module_here:x", "json.no_such_module_here:x"])
def test_a_missing_module_is_named(path):
    with pytest.raises(ValueError, match=f"{path}.*no module .*no_such_module_here"):
        load_attribute(path)


def test_a_missing_attribute_suggests_a_near_one():
    with pytest.raises(ValueError, match="module fractions must define 'Fractions'; did you mean 'Fraction'"):
        load_attribute("fractions:Fractions")


def test_what_the_module_itself_lacks_is_told_apart(here):
    (here / "needy.py").write_text("import no_such_module_here\n")
    with pytest.raises(ValueError, match=r"importing needy failed: .*'no_such_module_here'"):
        load_attribute("needy:x")


@pytest.mark.parametrize(
    ("source", "message"),
    [("1 / 0\n", "failed: ZeroDivisionError: division by zero"), ("def x(:\n", "failed: SyntaxError")],
)
def test_a_module_that_fails_shows_its_error(here, source, message):
    name = f"broken_{len(source)}"
    (here / f"{name}.py").write_text(source)
    with pytest.raises(ValueError, match=message):
        load_attribute(f"{name}:x")


def test_a_function_is_called():
    assert call_named("operator:add", 2, 3) == 5
    assert call_named("fractions:Fraction", 2, 4) == 0.5


def test_what_is_no_function_or_one_of_other_arguments_is_refused(here):
    (here / "my_parts.py").write_text("WIDTH = 3\ndef one(root):\n    return root\n")
    with pytest.raises(ValueError, match="my_parts:WIDTH must be a function, got int"):
        call_named("my_parts:WIDTH")
    with pytest.raises(ValueError, match=r"my_parts:one must be .* called with nothing: missing .*'root'"):
        call_named("my_parts:one")
    with pytest.raises(ValueError, match=r"my_parts:one must be .* with \(3, 8, 8\), 10: too many"):
        call_named("my_parts:one", (3, 8, 8), 10)


def test_a_functions_own_mistake_is_told_with_its_place(here):
    (here / "my_mistake.py").write_text("def add(size):\n    return 'a' + size\n")
    with pytest.raises(
        ValueError, match=r"my_mistake:add failed: TypeError: .*\(.*my_mistake.py, line 2\)"
    ) as told:
        call_named("my_mistake:add", 3)
    assert isinstance(told.value.__cause__, TypeError)
