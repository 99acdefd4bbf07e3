"""PyTorch's way to do what a contract does: for every operation the callables that it is raced against.

`peers(operation, arguments)` returns contenders on the same numbers. Layouts and views are prepared outside
the timed call, as they would be in a network that runs in that layout throughout:

    pytorch                eager, NCHW, without recording a graph
    pytorch channels_last  eager, NHWC memory (convolutions and pooling)
    pytorch unfold         the same algorithm by hand: columns, then a matrix product
"""

from benchmarks.peers import convolutions, layers  # noqa: F401 - they announce their peers
from benchmarks.peers.table import CHANNELS_LAST, EAGER, Peer, peers, without_graph

__all__ = ["CHANNELS_LAST", "EAGER", "Peer", "peers", "without_graph"]
