"""A drawing of matplotlib as a picture within a page (SVG), with texts that show when marks are pointed at."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree as ET

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure

STYLE = mpl.rc_params_from_file(Path(__file__).with_name("chart.mplstyle"))
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


def picture(
    figure: Figure, salt: str, attributes: Mapping[str, str], tips: Mapping[str, Sequence[str]]
) -> Markup:
    """What stands in the page; its letters are of the page's font.

    Args:
        figure: The drawing.
        salt: Makes the ids of its parts differ from those of the page's other pictures.
        attributes: Of the whole picture.
        tips: By the gid of an artist, a text for each of its markers, or one for the whole.
    """
    file = BytesIO()
    with mpl.rc_context({**STYLE, "svg.hashsalt": salt}):
        figure.savefig(file, format="svg", metadata=_NO_METADATA)
    svg = ET.fromstring(file.getvalue())
    svg.remove(svg[0])  # a style that would hold for the whole page
    for element in svg.iter():  # names in a page have no namespace
        element.tag = element.tag.rpartition("}")[2]
        element.attrib = {name.rpartition("}")[2]: value for name, value in element.attrib.items()}
    for group in list(svg.iter("g")):
        if told := tips.get(group.attrib.pop("id", "")):
            for mark, text in zip(list(group.iter("use")) or [group], told, strict=True):
                ET.SubElement(mark, "title").text = text
    svg.attrib = {"viewBox": svg.attrib["viewBox"], **attributes}
    return Markup(ET.tostring(svg, encoding="unicode"))
