"""Values and attributions are those of the packages that people use, and take less time; each package
has an environment of its own, which the first of these tests that needs it makes.
"""

import beside
import environments
import pytest
import torch
from threadpoolctl import threadpool_limits

from bench.tracks.data_valuation_games import CHUNK

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
    # it reckons in single precision, so that the rows are such that their distances are exact there
    assert beside.neighbours(peer, beside.whole(200, 50))["apart"] <= 1e-6


@of("pydvl")
def test_games_have_the_values_that_pydvl_knows(peer):
    found = beside.games()
    assert found["voting"] <= 4
    assert found["shoes"] <= 4
    assert found["miner"] <= 1e-6
    assert found["pair"] <= 1e-6


@of("pydvl")
def test_orders_of_300_rows_take_a_thirtieth_of_the_time_of_pydvl(peer):
    found = beside.permutations(peer)
    assert found["fits"] == found["their_fits"] == beside.ORDERS * beside.ROWS
    assert found["times"] >= 30


@of("opendataval")
def test_orders_of_300_rows_take_less_time_than_with_opendataval(peer):
    found = beside.permutations(peer)
    assert found["fits"] == found["their_fits"] == beside.ORDERS * beside.ROWS
    assert found["times"] > 1


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


APART = {"pydvl": 1e-9, "opendataval": 1e-6}


@of(*APART)
def test_values_of_50000_rows_for_1000_queries_are_those_of_others_in_less_time_and_bounded_memory(
    peer,
):
    found = beside.neighbours(peer, beside.large(peer))
    assert found["apart"] <= APART[peer]
    assert found["times"] > 1
    # some tables of a chunk of queries; all queries at once are six chunks
    assert found["memory"] < 12 * CHUNK * 8
    assert found["memory"] < found["their_memory"]
