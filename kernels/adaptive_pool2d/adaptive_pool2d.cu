// Adaptive pooling, one thread per element of the result: a bin forward, backward an element of the input, which gathers
// from the bins that hold it. Arrays are (N C) planes; REAL is float or double.
#include "common.cuh"

// Sizes of the input's and the output's planes.
#define PLANES long long H, long long W, long long OH, long long OW

// Bin i of `bins` covers [BEGIN, END) of an axis: floor(i length / bins) to ceil((i + 1) length / bins).
#define BEGIN(i, length, bins) ((i) * (length) / (bins))
#define END(i, length, bins) ((((i) + 1) * (length) + (bins) - 1) / (bins))

// The body runs for every element (h, w) of bin (i, j), in row-major order.
#define FOR_EACH_IN_BIN(i, j, h, w)                                                              \
    for (long long h = BEGIN(i, H, OH); h < END(i, H, OH); ++h)                                  \
        for (long long w = BEGIN(j, W, OW); w < END(j, W, OW); ++w)

// The body runs for every bin (i, j) that holds element (h, w): i L / B < h + 1 and h < (i + 1) L / B bound its place
// from both sides, which is what BEGIN and END say with elements and bins exchanged.
// There are few of them, so nothing is unrolled.
#define FOR_EACH_BIN_OF(h, w, i, j)                                                              \
    _Pragma("unroll 1") for (long long i = BEGIN(h, OH, H); i < END(h, OH, H); ++i)              \
        _Pragma("unroll 1") for (long long j = BEGIN(w, OW, W); j < END(w, OW, W); ++j)

#define BIN_SIZE(i, j) (REAL)((END(i, H, OH) - BEGIN(i, H, OH)) * (END(j, W, OW) - BEGIN(j, W, OW)))

extern "C" __global__ void adaptive_average_pool2d_forward(const REAL* xs, REAL* ys, long long count, PLANES) {
    FOR_EACH(place, count) {
        const long long j = place % OW, i = place / OW % OH;
        const REAL* x = xs + place / (OW * OH) * (H * W);
        REAL sum = 0;
        FOR_EACH_IN_BIN(i, j, h, w) { sum += x[h * W + w]; }
        ys[place] = sum / BIN_SIZE(i, j);
    }
}

extern "C" __global__ void adaptive_average_pool2d_backward(const REAL* dys, REAL* dxs, long long count, PLANES) {
    FOR_EACH(place, count) {
        const long long w = place % W, h = place / W % H;
        const REAL* dy = dys + place / (W * H) * (OH * OW);
        REAL sum = 0;
        FOR_EACH_BIN_OF(h, w, i, j) { sum += dy[i * OW + j] / BIN_SIZE(i, j); }
        dxs[place] = sum;
    }
}

extern "C" __global__ void adaptive_max_pool2d_forward(const REAL* xs, REAL* ys, long long* indices, long long count,
                                                       PLANES) {
    FOR_EACH(place, count) {
        const long long j = place % OW, i = place / OW % OH;
        const REAL* x = xs + place / (OW * OH) * (H * W);
        REAL best = MINUS_INFINITY;
        long long index = -1;
        FOR_EACH_IN_BIN(i, j, h, w) {
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

extern "C" __global__ void adaptive_max_pool2d_backward(const REAL* dys, const long long* indices, REAL* dxs,
                                                        long long count, PLANES) {
    FOR_EACH(place, count) {
        const long long w = place % W, h = place / W % H, outputs = place / (W * H) * (OH * OW);
        REAL sum = 0;
        FOR_EACH_BIN_OF(h, w, i, j) {
            const long long output = outputs + i * OW + j;
            if (indices[output] == h * W + w) sum += dys[output];
        }
        dxs[place] = sum;
    }
}
