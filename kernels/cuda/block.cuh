// Sums over a block of THREADS threads, in an order that nothing changes: within warps in pairs, then warp after warp.
#pragma once

#define THREADS 256

// Every thread hands in a value and gets the sum; partial is shared memory for a value per warp.
template <class T>
__device__ T block_sum(T value, T* partial) {
    for (int distance = 16; distance > 0; distance /= 2) value += __shfl_xor_sync(0xffffffffu, value, distance);
    if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = value;
    __syncthreads();
    T sum = 0;
    for (int warp = 0; warp < THREADS / 32; ++warp) sum += partial[warp];
    __syncthreads();  // the next sum overwrites what was read
    return sum;
}
