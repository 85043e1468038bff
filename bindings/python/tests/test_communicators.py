"""Training by several ranks: the bits of one process, whoever moves the bytes."""

import queue
import subprocess
import sys
import threading

import numpy as np
import pytest

import gradus
from gradus import MLPClassifier, MLPRegressor, communicators

SAMPLES = np.random.default_rng(0).normal(size=(600, 6)).astype(np.float32)
LABELS = (SAMPLES[:, 0] + SAMPLES[:, 1] > 0).astype(int)


class Threads:
    """Ranks that are threads of this process."""

    def __init__(self, rank, lines):
        self.rank, self.size, self._lines = rank, len(lines), lines

    def exchange(self, partner, send, receive):
        self._lines[self.rank][partner].put(bytes(send))
        receive[:] = self._lines[partner][self.rank].get(timeout=60)


def on_ranks(size, work):
    """What each of `size` ranks makes, or the exception that it ends with."""
    lines = [[queue.Queue() for _ in range(size)] for _ in range(size)]
    found = [None] * size

    def run(rank):
        try:
            found[rank] = work(Threads(rank, lines))
        except Exception as error:
            found[rank] = error

    ranks = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join()
    return found


def classifier(**parameters):
    common = {"hidden_layer_sizes": (16,), "batch_size": 200, "max_iter": 4, "micro_batches": 4}
    return MLPClassifier(**common, n_iter_no_change=None, n_jobs=1, **parameters)


@pytest.mark.parametrize("size", [1, 2, 4])
def test_ranks_give_the_bits_of_one_process(size):
    alone = classifier(random_state=3).fit(SAMPLES, LABELS)
    trained = on_ranks(
        size, lambda it: classifier(random_state=3).fit(SAMPLES, LABELS, communicator=it)
    )
    for model in trained:
        assert model.loss_curve_ == alone.loss_curve_
        for found, expected in zip(model.coefs_, alone.coefs_):
            assert np.array_equal(found, expected)


def test_a_regressor_and_validation_data_too():
    y = SAMPLES @ np.arange(6.0)
    common = {"batch_size": 200, "max_iter": 3, "micro_batches": 2, "n_iter_no_change": None}
    held_out = (SAMPLES[:50], y[:50])
    model = lambda: MLPRegressor(hidden_layer_sizes=(8,), random_state=1, n_jobs=1, **common)
    alone = model().fit(SAMPLES, y, validation_data=held_out)
    for found in on_ranks(
        2, lambda it: model().fit(SAMPLES, y, validation_data=held_out, communicator=it)
    ):
        assert np.array_equal(found.coefs_[0], alone.coefs_[0])
        assert found.validation_loss_curve_ == alone.validation_loss_curve_


def test_ranks_agree_on_a_seed_that_none_was_given():
    trained = on_ranks(4, lambda it: classifier().fit(SAMPLES, LABELS, communicator=it))
    for model in trained[1:]:
        assert np.array_equal(model.coefs_[0], trained[0].coefs_[0])


def test_a_callback_of_one_rank_stops_all():
    def train(communicator):
        stop = lambda report: communicator.rank == 1 and report["epoch"] == 1
        model = classifier(random_state=0, callbacks=stop)
        return model.fit(SAMPLES, LABELS, communicator=communicator).n_iter_

    assert on_ranks(2, train) == [2, 2]


def test_what_differs_is_refused_by_all():
    def train(communicator):
        other = LABELS if communicator.rank != 1 else 1 - LABELS
        return classifier(random_state=0).fit(SAMPLES, other, communicator=communicator)

    for error in on_ranks(2, train):
        assert isinstance(error, ValueError)
        assert str(error) == "rank 1 does not have the training data of rank 0: give all ranks the same data"


def test_an_exchange_that_fails_is_an_error():
    class Broken(Threads):
        left = 20

        def exchange(self, partner, send, receive):
            self.left -= 1
            if self.left < 0 and self.rank == 0:
                self._lines[0][1].put(b"")
                raise ConnectionError("the network is down")
            super().exchange(partner, send, receive)

    lines = [[queue.Queue() for _ in range(2)] for _ in range(2)]
    errors = on_ranks(
        2, lambda it: classifier(random_state=0).fit(SAMPLES, LABELS, communicator=Broken(it.rank, lines))
    )
    assert isinstance(errors[0], OSError) and isinstance(errors[1], OSError)
    assert str(errors[0]) == "the exchange with rank 1 failed: ConnectionError: the network is down"
    assert "the exchange with rank 0 failed" in str(errors[1])


def test_what_is_no_communicator_is_refused():
    with pytest.raises(TypeError, match="expected an object with rank, size and exchange"):
        classifier().fit(SAMPLES, LABELS, communicator=4)
    lines = [[queue.Queue() for _ in range(3)] for _ in range(3)]
    with pytest.raises(ValueError, match="must be a power of two"):
        classifier().fit(SAMPLES, LABELS, communicator=Threads(0, lines))


def test_torch_distributed():
    pytest.importorskip("torch")
    script = """
import sys, numpy as np, torch.distributed as distributed
from gradus import MLPClassifier, communicators
rank = int(sys.argv[1])
distributed.init_process_group("gloo", init_method=sys.argv[2], rank=rank, world_size=2)
X = np.random.default_rng(0).normal(size=(600, 6)).astype(np.float32)
y = (X[:, 0] + X[:, 1] > 0).astype(int)
model = MLPClassifier((16,), batch_size=200, max_iter=4, micro_batches=4, n_iter_no_change=None, n_jobs=1, random_state=3)
model.fit(X, y, communicator=communicators.Torch())
print(model.coefs_[0].sum().hex() if hasattr(model.coefs_[0].sum(), "hex") else repr(float(model.coefs_[0].sum())))
"""
    alone = classifier(random_state=3).fit(SAMPLES, LABELS)
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    ranks = [
        subprocess.Popen([sys.executable, "-c", script, str(rank), place], stdout=subprocess.PIPE, text=True)
        for rank in range(2)
    ]
    said = [rank.communicate(timeout=300)[0].split()[-1] for rank in ranks]
    total = alone.coefs_[0].sum()
    expected = total.hex() if hasattr(total, "hex") else repr(float(total))
    assert said == [expected, expected]


def test_the_package_names_them():
    assert gradus.communicators is communicators
