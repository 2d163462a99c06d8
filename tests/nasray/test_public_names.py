import subprocess
import sys

import pytest

import nasray
from nasray import analysis, search_spaces


@pytest.mark.parametrize("package", [nasray, analysis, search_spaces])
def test_every_public_name_is_there(package):
    for name in package.__all__:
        found = getattr(package, name)
        assert callable(found), f"{package.__name__}.{name} is {found}"
    assert set(package.__all__) <= set(dir(package)) | set(package.__all__)


def test_an_unknown_name_is_none():
    with pytest.raises(AttributeError, match="no attribute 'serach'"):
        nasray.serach  # noqa: B018


HEAVY = "torch ray mlflow pandas scipy sklearn matplotlib optuna torchvision"


@pytest.mark.parametrize(
    "module", ["nasray", "nasray.cli", "nasray.settings.loading", "nasray.search_spaces"]
)
def test_what_reads_a_config_imports_nothing_heavy(module):
    code = f"import sys, {module}; print(*set({HEAVY!r}.split()) & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
