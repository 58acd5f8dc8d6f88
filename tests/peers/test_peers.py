"""Values and attributions are those of the packages that people use, and take less time; each package
has an environment of its own, which the first of these tests that needs it makes.
"""

import beside
import environments
import pytest
import torch
from threadpoolctl import threadpool_limits

pytestmark = [pytest.mark.slow, pytest.mark.network]


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(threads)


@pytest.fixture
def peer(request):
    try:
        environments.interpreter(request.param)
    except environments.NotHere as error:
        pytest.skip(f"{request.param} can't be installed: {error}")
    return request.param


def of(*names):
    return pytest.mark.parametrize("peer", names, indirect=True)


@of("pydvl")
def test_neighbour_values_of_rows_without_ties_are_those_of_pydvl(peer):
    assert beside.neighbours(peer, beside.drawn(200, 50), 5)["apart"] <= 1e-9


@of("opendataval")
def test_neighbour_values_of_rows_without_ties_are_those_of_opendataval(peer):
    # it reckons in single precision, and is right only for as many queries as rows
    assert beside.neighbours(peer, beside.drawn(200, 200))["apart"] <= 1e-6


@of("pydvl")
def test_games_have_the_values_that_pydvl_knows(peer):
    found = beside.games()
    assert found["voting"] <= 4
    assert found["shoes"] <= 4
    assert found["miner"] <= 1e-6
    assert found["pair"] <= 1e-6


@of("pydvl")
def test_a_value_along_an_order_takes_a_thirtieth_of_the_time_of_pydvl(peer):
    assert beside.permutations(peer, 2)["times"] >= 30


@of("opendataval")
def test_a_value_along_an_order_takes_less_time_than_with_opendataval(peer):
    assert beside.permutations(peer, 1)["times"] > 1


@of("dattri")
def test_a_datamodelling_score_is_that_of_dattri(peer):
    assert beside.datamodelling() <= 1e-9


@of("dattri")
def test_influence_and_trak_are_those_of_dattri_up_to_scale(peer):
    found = beside.attributions(peer)
    assert found.keys() == {"if", "trak"}
    assert max(found.values()) <= 1e-4


@of("captum")
def test_tracin_is_that_of_captum(peer):
    assert beside.attributions(peer) == {"tracin": pytest.approx(0, abs=1e-5)}


@pytest.mark.parametrize(("peer", "queries"), beside.LARGE, indirect=["peer"])
def test_neighbour_values_of_50000_rows_take_less_time(peer, queries):
    assert beside.neighbours(peer, beside.drawn(50_000, queries))["times"] > 1
