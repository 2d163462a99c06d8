import pytest

from nasray.search_spaces.cells.genotype import CellGenotype, ChosenEdge, Genotype

PUBLISHED = "|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_1x1~1|none~2|"
TWO_CELLS = (
    "normal:|sep_conv_3x3~0|noise~1|/reduction:|max_pool_3x3~0|skip_connect~2|+|dil_conv_5x5~1|none~3|"
)


@pytest.mark.parametrize("text", [PUBLISHED, TWO_CELLS, "|a~0|", "other:|a~10|"])
def test_texts_round_trip(text):
    assert str(Genotype.parse(text)) == text


def test_the_published_text_is_read_edge_by_edge():
    (cell,) = Genotype.parse(PUBLISHED).cells.values()
    assert cell == CellGenotype(
        (
            (ChosenEdge("nor_conv_3x3", 0),),
            (ChosenEdge("none", 0), ChosenEdge("avg_pool_3x3", 1)),
            (ChosenEdge("skip_connect", 0), ChosenEdge("nor_conv_1x1", 1), ChosenEdge("none", 2)),
        )
    )


def test_cells_keep_their_names_and_order():
    assert list(Genotype.parse(TWO_CELLS).cells) == ["normal", "reduction"]
    assert list(Genotype.parse(PUBLISHED).cells) == ["cell"]
    assert Genotype.parse(f"cell:{PUBLISHED}") == Genotype.parse(PUBLISHED)


@pytest.mark.parametrize(
    "text", ["", "|", "||", "a~0", "|a|", "|a~0|+", "|a~0||b~1|", "|a~-1|", "|a~01|", "a~0|"]
)
def test_what_is_no_cell_is_refused(text):
    with pytest.raises(ValueError, match="a cell is written like"):
        Genotype.parse(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("|a~1|b~0|", r"sources of node 0 must ascend, got \[1, 0\]"),
        ("|a~0|+|a~0|b~0|", r"sources of node 1 must ascend, got \[0, 0\]"),
        ("|a b~0|", "operation's name must be made of"),
        ("Normal:|a~0|", "cell's name must be made of small letters"),
        ("normal:|a~0|/|b~0|", "several cells is written like"),
        ("normal:|a~0|/normal:|b~0|", "several cells is written like"),
    ],
)
def test_errors_name_the_fault(text, message):
    with pytest.raises(ValueError, match=message):
        Genotype.parse(text)


def test_empty_genotypes_are_refused():
    with pytest.raises(ValueError, match="at least one cell"):
        Genotype({})
    with pytest.raises(ValueError, match="at least one node"):
        CellGenotype(())
    with pytest.raises(ValueError, match="node 0 must have at least one edge"):
        CellGenotype(((),))
    with pytest.raises(ValueError, match="source must be at least 0, got -1"):
        ChosenEdge("a", -1)
