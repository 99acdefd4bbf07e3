// Lines along an axis of arrays (outer, length, inner): line l is the elements FIRST_OF_LINE(l) + k inner. LANES
// neighbouring threads share a line, one or the 32 of a warp: where inner is 1 a warp reads neighbouring elements
// together, else the threads of neighbouring lines do.
#pragma once

#define LINES long long lines, long long length, long long inner
#define FIRST_OF_LINE(line) ((line) / inner * length * inner + (line) % inner)

// The body runs for every line of this thread and of those that share it.
#define FOR_EACH_LINE(line)                                                                      \
    for (long long line = ((long long)blockIdx.x * blockDim.x + threadIdx.x) / LANES,            \
                   step_ = (long long)gridDim.x * blockDim.x / LANES;                            \
         line < lines; line += step_)

// The body runs for this thread's share of 0 .. length - 1. More than two at a time would take too many registers.
#define FOR_EACH_OF_LINE(k) \
    _Pragma("unroll 2") for (long long k = threadIdx.x % LANES; k < length; k += LANES)

// All threads of a line get the same bits: they add the same pairs.
template <class T>
__device__ T sum_of_lanes(T value) {
    for (int distance = LANES / 2; distance > 0; distance /= 2)
        value += __shfl_xor_sync(0xffffffffu, value, distance);
    return value;
}

// Numbers win over NaN.
template <class T>
__device__ T largest_of_lanes(T value) {
    for (int distance = LANES / 2; distance > 0; distance /= 2)
        value = max(value, __shfl_xor_sync(0xffffffffu, value, distance));
    return value;
}
