from nasray.analysis.exact.chain import link
from nasray.analysis.exact.completions import exact_completions


def test_the_smallest_sum_of_all_is_that_of_brute_force(instances):
    for instance in instances:
        chain = link(instance.tables, instance.budgets)
        assert exact_completions(chain, chain.score)[0] == [instance.everything[0][0]]
        for cost in chain.costs:
            smallest = min(costs[cost.name] for _, _, costs in instance.everything)
            assert exact_completions(chain, cost)[0] == [smallest]
        assert exact_completions(chain, chain.score)[-1] == [0]
