import numpy as np
import pytest
from PIL import Image

from nasray.trainables.data.whole_files import check_whole

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8))


@pytest.fixture(params=["jpeg", "png", "bmp", "gif"])
def path(request, tmp_path):
    PICTURE.save(tmp_path / f"picture.{request.param}")
    return tmp_path / f"picture.{request.param}"


def test_a_whole_file_is_good_whatever_follows_it(path):
    assert check_whole(path) is None
    path.write_bytes(path.read_bytes() + b"a thumbnail")
    assert check_whole(path) is None


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_a_file_that_is_cut_off_is_not(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert check_whole(path)


def test_what_is_no_picture_is_told_apart(tmp_path):
    (tmp_path / "picture.jpeg").write_text("<html>404</html>")
    assert "cannot identify" in check_whole(tmp_path / "picture.jpeg")
