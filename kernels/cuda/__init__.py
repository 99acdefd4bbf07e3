"""Hand-written CUDA kernels: how they are compiled and launched, on a GPU or on a host that has none.

`launch.py` is what an operation's `gpu.py` uses. It hands a `.cu` file to CuPy's RawModule, or to the
stand-in of `emulator/`, which compiles the same file with the host's C++ compiler and runs every CUDA
thread as a fiber. Which of the two is decided by the arrays: CuPy's, or the emulator's `DeviceArray`.
"""
