from nasray.analysis.report.drawing.palette import look
from nasray.analysis.report.sections.training_curves import section
from nasray.analysis.runs.run import load_run


def test_each_kind_has_its_figure(full_run):
    teacher, blocks, retrained = section(load_run(full_run)).parts
    assert [len(figure.charts) for figure in (teacher, blocks, retrained)] == [1, 2, 1]
    assert ">2x24</text>" in blocks.charts[1].markup()


def test_a_trained_network_is_called_by_its_architecture(full_run):
    run = load_run(full_run)
    page = section(run).parts[2].charts[0].markup()
    assert all(text in page for text in run.retrained["architecture"])


def test_many_curves_are_a_band(new_run):
    run = new_run()
    for number in range(70):
        run.done(
            f"retrain/{number:012x}/seed_0", [{"epoch": e, "held_out_accuracy": number / 100} for e in (1, 2)]
        )
    (figure,) = section(load_run(run.path)).parts
    page = figure.charts[0].markup()
    assert page.count(f"opacity: {look('faint')['alpha']}") == 1
    assert page.count(f"stroke: {look('s0')['color']}") == 1
    assert len(figure.legend) == 2


def test_nothing_without_epochs(new_run):
    assert section(load_run(new_run().path)) is None
