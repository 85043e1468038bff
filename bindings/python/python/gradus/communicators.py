"""Training on several processes: what moves bytes between them.

``fit(X, y, communicator=...)`` trains one model on all ranks of a communicator: each has all of the data and computes its share of
every batch, and every rank ends with the same model, bit for bit the one of a single process. Whoever has a cluster of MPI, Dask,
Ray or Spark starts the processes there; a communicator is any object with

- ``rank``: the number of this process, from 0;
- ``size``: how many there are, a power of two;
- ``exchange(partner, send, receive)``: sends the bytes ``send`` to the rank ``partner`` and fills the bytearray ``receive`` with
  what that rank sends at the same time.

The number of ranks must divide the micro-batches of a batch: one below 8,192 samples, then one for every 4,096.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Protocol

    class Communicator(Protocol):
        """What `fit` needs."""

        rank: int
        size: int

        def exchange(self, partner: int, send: bytes, receive: bytearray) -> None: ...


# The most bytes of one message: counts are 32-bit integers.
_MOST = 1 << 30


class Mpi:
    """The ranks of a communicator of mpi4py.

    Parameters
    ----------
    comm : mpi4py.MPI.Comm or None, default=None
        None for all ranks of the job.

    Examples
    --------
    >>> from mpi4py import MPI  # doctest: +SKIP
    >>> model.fit(X, y, communicator=Mpi(MPI.COMM_WORLD))  # doctest: +SKIP
    """

    def __init__(self, comm: Any = None) -> None:
        from mpi4py import MPI

        self._comm, self._byte = MPI.COMM_WORLD if comm is None else comm, MPI.BYTE
        self.rank, self.size = self._comm.Get_rank(), self._comm.Get_size()

    def exchange(self, partner: int, send: bytes, receive: bytearray) -> None:
        """Send and receive, without a copy."""
        for sent, received in _pieces(send, receive):
            self._comm.Sendrecv(
                [sent, self._byte], dest=partner, recvbuf=[received, self._byte], source=partner
            )


class Torch:
    """The ranks of a process group of ``torch.distributed`` whose backend is gloo, such as torchrun, Ray Train and Spark's
    TorchDistributor set up.

    Parameters
    ----------
    group : torch.distributed.ProcessGroup or None, default=None
        None for the default group.
    """

    def __init__(self, group: Any = None) -> None:
        import torch
        import torch.distributed

        self._torch, self._group = torch, group
        self.rank = torch.distributed.get_rank(group)
        self.size = torch.distributed.get_world_size(group)

    def exchange(self, partner: int, send: bytes, receive: bytearray) -> None:
        """Send and receive at the same time."""
        distributed = self._torch.distributed
        other = partner if self._group is None else distributed.get_global_rank(self._group, partner)
        for sent, received in _pieces(bytearray(send), receive):
            work = []
            if len(sent):
                tensor = self._torch.frombuffer(sent, dtype=self._torch.uint8)
                work.append(distributed.isend(tensor, other, group=self._group))
            if len(received):
                tensor = self._torch.frombuffer(received, dtype=self._torch.uint8)
                work.append(distributed.irecv(tensor, other, group=self._group))
            for part in work:
                part.wait()


def _pieces(send, receive):
    """Cut two buffers into as many messages; both sides know both lengths."""
    send, receive = memoryview(send), memoryview(receive)
    for start in range(0, max(len(send), len(receive)), _MOST):
        yield send[start : start + _MOST], receive[start : start + _MOST]


def checked(communicator):
    """Return what `fit` was given as a communicator; an mpi4py ``Comm`` is one, too."""
    if communicator is None:
        return None
    if hasattr(communicator, "Sendrecv"):
        communicator = Mpi(communicator)
    if not all(hasattr(communicator, name) for name in ("rank", "size", "exchange")):
        raise TypeError(
            f"communicator is {communicator!r}, expected an object with rank, size and exchange(partner, send, receive), "
            "such as those of gradus.communicators, or a communicator of mpi4py"
        )
    if communicator.size < 1 or communicator.size & (communicator.size - 1):
        raise ValueError(
            f"communicator has {communicator.size} ranks, but their number must be a power of two (1, 2, 4, 8, ...)"
        )
    return communicator


def agreed(communicator, number):
    """Return rank 0's `number`, a whole number below 2^64, on all ranks."""
    if communicator is None:
        return number
    level = 1
    while level < communicator.size:
        received = bytearray(8)
        communicator.exchange(
            communicator.rank ^ level, struct.pack("<Q", number), received
        )
        # The lower rank of a pair has heard from rank 0, or is going to with it.
        if communicator.rank & level:
            number = struct.unpack("<Q", received)[0]
        level *= 2
    return number
