"""Plain functions on arrays, one folder per operation; they know nothing of Tensor or autograd.

For example:

    import kernels

    kernels.operations()                               # every operation's name
    kernels.versions("conv2d_forward", "reference")    # its ladder on one backend
    with kernels.use(conv2d_forward="loops"):          # choose a version while the context lasts
        ...
"""

from kernels.prepared import PreparedWeight
from kernels.registry import implements, operations, use, versions
from kernels.threads import get_num_threads, set_num_threads
from kernels.window import Window

# `import minidnn` looks for this mark: the name "kernels" is common, and another package may shadow ours.
BELONGS_TO = "minidnn"

__all__ = [
    "PreparedWeight",
    "Window",
    "get_num_threads",
    "implements",
    "operations",
    "set_num_threads",
    "use",
    "versions",
]
