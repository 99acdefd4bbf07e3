// The locally connected layer, one thread per element of the result, which walks over everything that it sums.
// weight (OH, OW, O, C, KH, KW), x (N, C, H, W), y (N, O, OH, OW). REAL is float or double.
#include "common.cuh"
#include "window.cuh"

#define CHANNELS long long channels, long long outputs
#define WEIGHT_AT(i, j, o, c, p, q) (((((((i) * OW + (j)) * outputs + (o)) * channels + (c)) * KH) + (p)) * KW + (q))

// y[n, o, i, j] = b[o, i, j] + sum over c, p, q of w[i, j, o, c, p, q] x[n, c, h, w]
extern "C" __global__ void local_forward(const REAL* xs, const REAL* weights, const REAL* bias, REAL* ys,
                                         long long count, WINDOW, CHANNELS) {
    FOR_EACH(place, count) {
        const long long j = place % OW, i = place / OW % OH;
        const long long o = place / (OW * OH) % outputs, n = place / (OW * OH * outputs);
        REAL sum = 0;
        for (long long c = 0; c < channels; ++c) {
            const REAL* x = xs + (n * channels + c) * (H * W);
            FOR_EACH_TAP(i, j, p, q, h, w) { sum += weights[WEIGHT_AT(i, j, o, c, p, q)] * x[h * W + w]; }
        }
        ys[place] = bias ? sum + bias[place % (OW * OH * outputs)] : sum;
    }
}

// dx[n, c, h, w] = sum over o and the windows (i, j) that cover (h, w) of dy[n, o, i, j] w[i, j, o, c, p, q]
extern "C" __global__ void local_backward_input(const REAL* dys, const REAL* weights, REAL* dxs, long long count,
                                                WINDOW, CHANNELS) {
    FOR_EACH(place, count) {
        const long long w = place % W, h = place / W % H;
        const long long c = place / (W * H) % channels, n = place / (W * H * channels);
        REAL sum = 0;
        for (long long o = 0; o < outputs; ++o) {
            const REAL* dy = dys + (n * outputs + o) * (OH * OW);
            FOR_EACH_COVERING(h, w, i, j, p, q) { sum += dy[i * OW + j] * weights[WEIGHT_AT(i, j, o, c, p, q)]; }
        }
        dxs[place] = sum;
    }
}

// dw[i, j, o, c, p, q] = sum over n of dy[n, o, i, j] x[n, c, h, w], 0 in the padding
extern "C" __global__ void local_backward_weight(const REAL* dys, const REAL* xs, REAL* dweights, long long count,
                                                 long long batch, WINDOW, CHANNELS) {
    FOR_EACH(place, count) {
        const long long q = place % KW, p = place / KW % KH, c = place / (KW * KH) % channels;
        const long long bank = place / (KW * KH * channels), o = bank % outputs, position = bank / outputs;
        const long long h = position / OW * SH - top + p * DH, w = position % OW * SW - left + q * DW;
        REAL sum = 0;
        if (h >= 0 && h < H && w >= 0 && w < W)
            for (long long n = 0; n < batch; ++n)
                sum += dys[(n * outputs + o) * (OH * OW) + position] * xs[((n * channels + c) * H + h) * W + w];
        dweights[place] = sum;
    }
}
