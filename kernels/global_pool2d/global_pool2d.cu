// Pooling over whole planes: a warp per plane forward, one thread per element backward. Planes are lines of lines.cuh
// whose inner length is 1. REAL is float or double.
#include "common.cuh"
#include "lines.cuh"

extern "C" __global__ void global_average_pool2d_forward(const REAL* xs, REAL* ys, LINES) {
    FOR_EACH_LINE(plane) {
        const REAL* x = xs + FIRST_OF_LINE(plane);
        REAL sum = 0;
        FOR_EACH_OF_LINE(k) { sum += x[k]; }
        sum = sum_of_lanes(sum);
        if (threadIdx.x % LANES == 0) ys[plane] = sum / (REAL)length;
    }
}

// Whether b at place j takes the place of the maximum a at place i: the first maximum wins, but the last NaN.
__device__ bool replaces(REAL a, long long i, REAL b, long long j) {
    const bool a_nan = a != a, b_nan = b != b;
    if (a_nan != b_nan) return b_nan;
    if (a_nan) return j > i;
    return a != b ? b > a : j < i;
}

extern "C" __global__ void global_max_pool2d_forward(const REAL* xs, REAL* ys, long long* indices, LINES) {
    FOR_EACH_LINE(plane) {
        const REAL* x = xs + FIRST_OF_LINE(plane);
        REAL best = x[0];
        long long place = 0;
        FOR_EACH_OF_LINE(k) {
            if (replaces(best, place, x[k], k)) best = x[k], place = k;
        }
        for (int distance = LANES / 2; distance > 0; distance /= 2) {
            const REAL other = __shfl_xor_sync(0xffffffffu, best, distance);
            const long long other_place = __shfl_xor_sync(0xffffffffu, place, distance);
            if (replaces(best, place, other, other_place)) best = other, place = other_place;
        }
        if (threadIdx.x % LANES == 0) ys[plane] = best, indices[plane] = place;
    }
}

extern "C" __global__ void global_average_pool2d_backward(const REAL* dys, REAL* dxs, long long count,
                                                          long long plane_size) {
    FOR_EACH(i, count) { dxs[i] = dys[i / plane_size] / (REAL)plane_size; }
}

extern "C" __global__ void global_max_pool2d_backward(const REAL* dys, const long long* indices, REAL* dxs,
                                                      long long count, long long plane_size) {
    FOR_EACH(i, count) {
        const long long plane = i / plane_size;
        dxs[i] = indices[plane] == i % plane_size ? dys[plane] : REAL(0);
    }
}
