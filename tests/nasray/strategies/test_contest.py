from nasray.strategies.contest import Outcome, choice, compete, steps_table
from nasray.strategies.strategy import Training


class Fixed:
    """Asks for given batches and keeps what it is told."""

    def __init__(self, *batches):
        self.batches, self.told = list(batches), []

    def ask(self):
        return [Training(*training) for training in (self.batches.pop(0) if self.batches else [])]

    def tell(self, training, accuracy):
        self.told.append((training.architecture, accuracy))


ACCURACIES = {"a": 0.5, "b": 0.7, "c": 0.6, "d": 0.7}


def test_what_several_ask_for_is_trained_once_and_told_to_each():
    trained, noticed = [], []

    def train(trainings):
        trained.append([training.architecture for training in trainings])
        return {one: Outcome(ACCURACIES[one.architecture], 2.0) for one in trainings}

    first, second = Fixed([("a", 4), ("b", 4)], [("c", 4)]), Fixed([("b", 4), ("d", 4)])
    steps = compete({"first": first, "second": second}, train, noticed.append)
    assert trained == [["a", "b", "d"], ["c"]]
    assert first.told == [("a", 0.5), ("b", 0.7), ("c", 0.6)]
    assert second.told == [("b", 0.7), ("d", 0.7)]
    assert steps == noticed
    table = steps_table(steps)
    assert list(table["strategy"]) == ["first"] * 3 + ["second"] * 2
    assert list(table["number"]) == [1, 2, 3, 1, 2]
    assert list(table["spent_epochs"]) == [4, 8, 12, 4, 8]
    assert list(table["best"]) == ["a", "b", "b", "b", "b"], "the first of equals stays"
    assert list(table["best_held_out_accuracy"]) == [0.5, 0.7, 0.7, 0.7, 0.7]


def test_the_longest_trainings_decide():
    strategy = Fixed([("b", 2), ("c", 2)], [("a", 4)])
    steps = compete(
        {"one": strategy}, lambda asked: {t: Outcome(ACCURACIES[t.architecture], 1.0) for t in asked}
    )
    assert choice(steps).architecture == "a"
    assert [step.best for step in steps] == ["b", "b", "a"]
