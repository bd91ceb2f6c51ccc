"""What is true of every algorithm, and what they are to one another."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import Mesh

from tests.training.algorithms.conftest import NUM_CLIENTS, RATE, loss
from training.algorithms import ALGORITHMS, Cohort, OverClients
from training.algorithms.fedavg import fedavg
from training.algorithms.fednova import fednova
from training.algorithms.fedprox import fedprox
from training.algorithms.fedsgd import fedsgd
from training.algorithms.mime_lite import mime_lite
from training.algorithms.over_clients import CLIENTS
from training.algorithms.reptile import reptile
from training.algorithms.scaffold import scaffold
from training.algorithms.server_optimizers import SERVER_OPTIMIZERS

OPTIONS = {
    "fedprox": {"mu": 0.5},
    "scaffold": {"num_clients": 2 * NUM_CLIENTS},
    "mime_lite": {"beta": 0.9},
    "ditto": {"lambda_": 0.5},
}
CLOSE = {"rtol": 2e-5, "atol": 2e-6}


@pytest.fixture(scope="module", params=ALGORITHMS)
def make(request):
    """Every algorithm: a setup to an algorithm."""
    return lambda setup: ALGORITHMS[request.param](setup, **OPTIONS.get(request.param, {}))


@pytest.fixture(scope="module")
def algorithm(make, setup):
    return make(setup)


@pytest.fixture(scope="module")
def cohorts(make_cohort):
    return [make_cohort(seed=seed) for seed in range(4)]


@pytest.fixture(scope="module")
def done(algorithm, run, cohorts):
    """Its first rounds."""
    return run(algorithm, 4, cohorts)


def assert_same_rounds(rounds, others):
    assert_same(params_of(rounds), params_of(others))
    assert_same(rounds[-1].metrics, others[-1].metrics)


def assert_same(one, other, **tolerance):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **(tolerance or CLOSE)), one, other)


def params_of(rounds):
    return [round_.state.params for round_ in rounds]


def test_every_algorithm_learns(algorithm, run, cohorts):
    rounds = run(algorithm, 30, cohorts[:1] * 30)
    before, after = (float(rounds[place].metrics.local.before.mean_loss) for place in (0, -1))
    assert after < 0.9 * before


def test_the_order_of_a_cohort_does_not_matter(algorithm, run, cohorts, done):
    order = np.array([2, 0, 3, 1])
    others = run(algorithm, 4, [jax.tree.map(lambda array: array[order], cohort) for cohort in cohorts])
    assert_same_rounds(done, others)
    assert_same(jax.tree.map(lambda array: array[order], done[-1].client_states), others[-1].client_states)


@pytest.mark.parametrize(("at_once", "num_devices"), [(4, None), (2, 2)])
def test_how_clients_are_spread_does_not_matter(make, setup, run, cohorts, done, at_once, num_devices):
    mesh = num_devices and Mesh(np.array(jax.devices()[:num_devices]), CLIENTS)
    others = run(make(replace(setup, over_clients=OverClients(at_once, mesh))), 4, cohorts)
    assert_same_rounds(done, others)
    assert_same(done[-1].client_states, others[-1].client_states)


def test_places_without_a_client_and_steps_without_a_target_change_nothing(algorithm, run, cohorts, done):
    def padded(array):
        nothing = np.zeros_like(array[:, :1])
        array = np.concatenate([array[:, :2], nothing, array[:, 2:], nothing], 1)
        return np.concatenate([array, np.zeros_like(array[:1])])

    def with_nothing(cohort: Cohort) -> Cohort:
        batches = {name: padded(array) for name, array in cohort.batches.items()}
        return Cohort(batches, np.append(cohort.num_targets, np.float32(0)))

    assert_same_rounds(done, run(algorithm, 4, [with_nothing(cohort) for cohort in cohorts]))


def test_a_cohort_without_any_target_leaves_the_model(algorithm, params, cohorts, with_states):
    empty = jax.tree.map(np.zeros_like, cohorts[0])
    result = jax.jit(algorithm.apply)(algorithm.init(params), with_states(algorithm, params, empty))
    assert_same(result.state.params, params)
    assert np.isfinite(result.metrics.update_norm)


def test_a_learning_rate_of_zero_leaves_no_nan(make, setup, run, cohorts):
    still = replace(setup, client_learning_rate=optax.constant_schedule(0.0))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(run(make(still), 2, cohorts)[-1]))


def test_metrics_say_what_clients_did(done, cohorts, params):
    cohort, sums = cohorts[0], done[0].metrics.local
    firsts = [loss(params, {k: v[c, 0] for k, v in cohort.batches.items()}) for c in range(NUM_CLIENTS)]
    assert float(sums.before.loss) == pytest.approx(sum(float(first.loss) for first in firsts), rel=1e-5)
    assert float(sums.during.num_targets) == cohort.num_targets.sum()
    assert float(sums.num_steps) == 12
    assert [int(round_.state.round) for round_ in done] == [1, 2, 3, 4]


def sgd(params, cohort, rate=RATE):
    """One step by the gradient of the mean loss over all targets of the cohort."""
    everything = {name: jnp.reshape(array, (-1, *array.shape[3:])) for name, array in cohort.batches.items()}
    gradient = jax.grad(lambda params: loss(params, everything).mean_loss)(params)
    return jax.tree.map(lambda param, slope: param - rate * slope, params, gradient)


AS_SGD = {
    "fedavg": lambda setup, num_clients: fedavg(setup),
    "fedsgd": lambda setup, num_clients: fedsgd(replace(setup, server_optimizer=optax.sgd(RATE))),
    "fedprox": lambda setup, num_clients: fedprox(setup, 0.7),
    "fednova": lambda setup, num_clients: fednova(setup),
    "mime_lite": lambda setup, num_clients: mime_lite(setup, 0.0),
    "scaffold": scaffold,
}


@pytest.mark.parametrize("num_clients", [1, NUM_CLIENTS])
@pytest.mark.parametrize("name", AS_SGD)
def test_one_step_of_all_clients_is_sgd_on_all_their_examples(name, num_clients, setup, run, make_cohort, params):
    """Round after round; for SCAFFOLD as long as all take part."""
    cohort = make_cohort(num_clients, num_steps=1)
    algorithm = AS_SGD[name](setup, num_clients)
    for done in run(algorithm, 3, [cohort] * 3):
        params = sgd(params, cohort)
        assert_same(done.state.params, params)


@pytest.mark.parametrize("optimizer", SERVER_OPTIMIZERS)
def test_fedavg_with_one_local_step_is_fedsgd(optimizer, setup, with_server, run, make_cohort):
    """Whatever the server's optimizer, if the pseudo-gradient has the scale of the gradient."""
    cohorts = [make_cohort(num_steps=1, seed=seed) for seed in range(4)]
    server = SERVER_OPTIMIZERS[optimizer](0.1, 1e-3)
    plain = with_server(server, client_learning_rate=optax.constant_schedule(1.0))
    assert_same(params_of(run(fedavg(plain), 4, cohorts)), params_of(run(fedsgd(plain), 4, cohorts)), rtol=1e-4)


def test_fedprox_at_0_is_fedavg(setup, run):
    assert_same(params_of(run(fedprox(setup, 0.0))), params_of(run(fedavg(setup))))


def test_fednova_with_as_many_steps_for_all_is_fedavg(setup, run):
    with_momentum = replace(setup, client_momentum=0.9)
    assert_same(params_of(run(fednova(with_momentum))), params_of(run(fedavg(with_momentum))))


def test_reptile_is_fedavg_where_all_count_the_same(setup, with_server, run):
    part_of_the_way = with_server(optax.sgd(0.25))
    same = fedavg(replace(part_of_the_way, weighting="uniform"))
    assert_same(params_of(run(reptile(part_of_the_way))), params_of(run(same)))


def test_fedprox_holds_clients_back(setup, run):
    free, held = (float(run(fedprox(setup, mu), 1)[0].metrics.update_norm) for mu in (0.0, 2.0))
    assert held < free


def test_a_bound_of_the_gradient_holds(setup, run):
    bounded = replace(setup, client_clip_norm=0.01)
    assert float(run(fedavg(bounded), 1)[0].metrics.update_norm) <= 3 * 0.01 * RATE * 1.0001


def test_going_on_from_a_state_is_the_undisturbed_run(algorithm, cohorts, done):
    """Bit by bit: a state says all."""
    state, states = jax.tree.map(np.asarray, (done[1].state, done[1].client_states))
    for cohort in cohorts[2:]:
        result = jax.jit(algorithm.apply)(state, cohort._replace(client_states=states))
        state, states = result.state, result.client_states
    jax.tree.map(np.testing.assert_array_equal, (state, states), (done[3].state, done[3].client_states))
