// Pooling, one thread per element of the result: a maximum or average per window, and gradients that gather from
// the windows around an element. Arrays are (N C) planes; REAL is float or double.
#include "common.cuh"
#include "window.cuh"

extern "C" __global__ void max_pool2d_forward(const REAL* xs, REAL* ys, long long* indices, long long count, WINDOW) {
    FOR_EACH(place, count) {
        const long long j = place % OW, i = place / OW % OH;
        const REAL* x = xs + place / (OW * OH) * (H * W);
        REAL best = MINUS_INFINITY;
        long long index = -1;
        FOR_EACH_TAP(i, j, p, q, h, w) {
            const REAL value = x[h * W + w];
            if (index < 0 || value > best || value != value) {  // the first maximum, but the last NaN
                best = value;
                index = h * W + w;
            }
        }
        ys[place] = best;
        indices[place] = index;
    }
}

extern "C" __global__ void max_pool2d_backward(const REAL* dys, const long long* indices, REAL* dxs, long long count,
                                               WINDOW) {
    FOR_EACH(place, count) {
        const long long w = place % W, h = place / W % H, outputs = place / (W * H) * (OW * OH);
        REAL sum = 0;
        FOR_EACH_COVERING(h, w, i, j, p, q) {
            const long long output = outputs + i * OW + j;
            if (indices[output] == h * W + w) sum += dys[output];
        }
        dxs[place] = sum;
    }
}

// The number of taps along one axis between -before and size + after.
__device__ long long taps(long long position, long long stride, long long start, long long kernel, long long size,
                          long long before, long long after) {
    const long long first = position * stride - start, end = first + kernel;
    return min(end, size + after) - max(first, -before);
}

// What counts in an average: the padding on every side, 0 where it is left out, and a divisor, or 0.
#define DIVISOR long long above, long long below, long long before, long long behind, long long divisor_override
#define DIVISOR_AT(i, j)                                                             \
    (divisor_override ? divisor_override                                             \
                      : taps(i, SH, top, KH, H, above, below) * taps(j, SW, left, KW, W, before, behind))

extern "C" __global__ void average_pool2d_forward(const REAL* xs, REAL* ys, long long count, WINDOW, DIVISOR) {
    FOR_EACH(place, count) {
        const long long j = place % OW, i = place / OW % OH;
        const REAL* x = xs + place / (OW * OH) * (H * W);
        REAL sum = 0;
        FOR_EACH_TAP(i, j, p, q, h, w) { sum += x[h * W + w]; }
        ys[place] = sum / (REAL)DIVISOR_AT(i, j);
    }
}

extern "C" __global__ void average_pool2d_backward(const REAL* dys, REAL* dxs, long long count, WINDOW, DIVISOR) {
    FOR_EACH(place, count) {
        const long long w = place % W, h = place / W % H, outputs = place / (W * H) * (OW * OH);
        REAL sum = 0;
        FOR_EACH_COVERING(h, w, i, j, p, q) { sum += dys[outputs + i * OW + j] / (REAL)DIVISOR_AT(i, j); }
        dxs[place] = sum;
    }
}
