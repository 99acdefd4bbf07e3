// Arrays from nothing. ELEMENT is the type of an element.
#include "common.cuh"
#include "rounding.cuh"

// ys[i] = value
extern "C" __global__ void fill(ELEMENT* ys, long long count, ELEMENT value) {
    FOR_EACH(i, count) ys[i] = value;
}

__device__ long long rounded_product(long long a, long long b) { return a * b; }

// ys[i] = start + i step, computed in WIDE (double or long long) and converted once
extern "C" __global__ void count_up(ELEMENT* ys, long long count, WIDE start, WIDE step) {
    FOR_EACH(i, count) ys[i] = (ELEMENT)(start + rounded_product((WIDE)i, step));
}
