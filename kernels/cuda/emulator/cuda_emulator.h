// Lets a host's C++ compiler (C++20) take a CUDA C file as it is: every CUDA thread becomes a fiber of
// scheduler.cpp, which leaves the processor only at a barrier or a warp intrinsic.
//
// One form is rewritten before compiling: `extern __shared__ T name[];` becomes EMULATOR_DYNAMIC_SHARED(T, name).
#pragma once
#include <cstddef>
#include <cstdint>

#define __global__
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(bytes) alignas(bytes)

// Blocks run one after the other, so a block's shared memory can be static memory in a section of its own.
#define __shared__ static __attribute__((section("shared_memory")))
#define EMULATOR_DYNAMIC_SHARED(ELEMENT, NAME) \
    ELEMENT* NAME = reinterpret_cast<ELEMENT*>(emulator::dynamic_shared_memory())

#include "arithmetic.h"
#include "kernel_table.h"
#include "runtime.h"
#include "synchronization.h"

#define threadIdx (emulator::current->index)
#define blockIdx (emulator::block_index)
#define blockDim (emulator::block_size)
#define gridDim (emulator::grid_size)
constexpr int warpSize = 32;
