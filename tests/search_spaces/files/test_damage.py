import zlib

import pytest

from nasray.search_spaces.files.damage import file_checksum, set_aside


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 7])
def test_the_checksum_is_that_of_the_content(tmp_path, size):
    content = bytes(index % 251 for index in range(size))
    (tmp_path / "file").write_bytes(content)
    assert file_checksum(tmp_path / "file") == f"{zlib.crc32(content):08x}"


def test_one_bit_makes_another_checksum(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(bytes(1000))
    before = file_checksum(path)
    path.write_bytes(bytes(500) + b"\x01" + bytes(499))
    assert file_checksum(path) != before


def test_a_damaged_file_gets_another_name(tmp_path):
    (tmp_path / "table.parquet").write_text("damaged")
    aside = set_aside(tmp_path / "table.parquet")
    assert aside == tmp_path / "table.parquet.damaged"
    assert list(tmp_path.iterdir()) == [aside]
    assert set_aside(tmp_path / "table.parquet") == aside  # as another process may have done meanwhile
    assert aside.read_text() == "damaged"
