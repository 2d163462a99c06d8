from nasray.trainables.core.guards.notes import LOGGER, collected_notes


def test_notes_of_the_body_are_collected():
    LOGGER.warning("before")
    with collected_notes() as notes:
        LOGGER.warning("%s was damaged", "a file")
        assert notes == ["a file was damaged"]
        notes.clear()
        LOGGER.info("nothing that anybody needs to know")
    LOGGER.warning("after")
    assert notes == []
