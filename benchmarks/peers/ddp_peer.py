"""PyTorch's DistributedDataParallel over gloo: mini-batches with Adam, a share of each batch for every process.

--ranks  processes; each takes --threads threads
"""

import os
import socket

import torch
import torch.distributed as distributed
from torch.nn.parallel import DistributedDataParallel

import common
import torch_peer


class Trainer(torch_peer.Trainer):
    """The trainer of one process, whose network is that of all."""

    def __init__(self, options, optimizer):
        super().__init__(options, optimizer)
        self.model = DistributedDataParallel(self.model)


def of_rank(rank, options, port):
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)  # The order of the samples is that of all ranks.
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    distributed.init_process_group("gloo", rank=rank, world_size=options.ranks)
    x, y, x_test, y_test = torch_peer.data(options, 255)
    trainer = Trainer(options, torch.optim.Adam)

    def run(_):
        for rows in torch.randperm(len(x)).split(options.batch):
            own = rows.tensor_split(options.ranks)[rank]
            trainer.update(x.index_select(0, own), y.index_select(0, own))

    seconds = common.timed_epochs(options.epochs, run)
    if rank == 0:
        accuracy = trainer.accuracy(x_test, y_test)
        common.report(
            epoch_seconds=seconds, test_accuracy=accuracy, version=f"torch {torch.__version__}, gloo"
        )
    distributed.destroy_process_group()


def main():
    extra = [
        ("--ranks", {"type": int, "default": 2}),
        *((flag, {"action": "store_true"}) for flag in ("--compile", "--fused", "--bf16")),
    ]
    options = common.options(__doc__.splitlines()[0], ["minibatch"], extra)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(of_rank, (options, port), options.ranks)


if __name__ == "__main__":
    main()
