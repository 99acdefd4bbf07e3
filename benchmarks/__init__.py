"""How fast kernels, networks and engine are, beside PyTorch in the same process, and how that is known.

python -m benchmarks --help
"""
