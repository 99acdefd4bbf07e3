"""What the cpu backend's kernels are made of: compiling and launching, vectors, the register tile, and more.

A room for machinery, not an operation: the kernels themselves stand in the operations' folders.
"""
