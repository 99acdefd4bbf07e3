// Max unpooling of (N C) planes, `cells` pooled values each, into planes of `pixels`. REAL is float or double.
#include "common.cuh"
#include "scatter.cuh"

// y[indices[i]] = x[i], the last of those with one index; elsewhere 0. A block per plane.
extern "C" __global__ void __launch_bounds__(THREADS)
max_unpool2d_forward(const REAL* xs, const long long* indices, REAL* ys, long long planes, long long cells,
                     long long pixels) {
    __shared__ Items items;
    for (long long plane = blockIdx.x; plane < planes; plane += gridDim.x) {
        REAL* y = ys + plane * pixels;
        for (long long pixel = threadIdx.x; pixel < pixels; pixel += THREADS) y[pixel] = REAL(0);
        scatter(
            items, cells,
            [&](long long cell, REAL& value) {
                const long long index = indices[plane * cells + cell];
                value = xs[plane * cells + cell];
                return index < pixels ? index : -1;
            },
            [&](long long pixel, REAL value) { y[pixel] = value; });
    }
}

// dx[i] = dy[indices[i]], NaN where that is outside the plane; one thread per value
extern "C" __global__ void max_unpool2d_backward(const REAL* dys, const long long* indices, REAL* dxs, long long count,
                                                 long long cells, long long pixels) {
    FOR_EACH(i, count) {
        const long long index = indices[i];
        dxs[i] = index >= 0 && index < pixels ? dys[i / cells * pixels + index] : NOT_A_NUMBER;
    }
}
