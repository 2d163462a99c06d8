"""Files of images that are cut off: found by their ends, without decoding those that are whole."""

from pathlib import Path

from PIL import Image

# What the files of a format begin and end with.
_ENDS = {b"\xff\xd8": b"\xff\xd9", b"\x89PNG": b"IEND\xaeB`\x82"}
_LONGEST_END = 8


def check_whole(path: Path) -> str | None:
    """What is wrong with an image's file, if anything.

    One that ends as those of its format do is taken as whole; any other is decoded, since whole ones may be followed by
    something, and most formats have no mark at their end.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        begin = file.read(_LONGEST_END)
        file.seek(max(0, path.stat().st_size - _LONGEST_END))
        end = file.read()
    if any(begin.startswith(first) and end.endswith(last) for first, last in _ENDS.items()):
        return None
    try:
        with Image.open(path) as image:
            image.load()
    except Exception as error:  # a damaged file may fail in any way
        if isinstance(error, OSError) and error.errno is not None:
            raise
        return "it holds nothing" if not begin else str(error).replace(str(path), "the file")
    return None
