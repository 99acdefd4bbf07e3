// The convolution and its gradients. REAL is float or double; the gradient of the bias also takes halves (half.cuh).
//
//   direct          one thread per element of the result, which walks over everything that it sums
//   im2col          every patch becomes a column, so that the convolution is a matrix product
//   tiled_product   that product: tiles of both matrices are shared by the threads of a block
//
// The forward kernels end with an activation, a number that activations.cuh knows.
// Every result is summed by one thread in a fixed order: there are no atomics.
#include "common.cuh"
#include "half.cuh"
#include "activations.cuh"
#include "block.cuh"
#include "window.cuh"

// Channels of the input and of the output, all groups together.
#define CHANNELS long long in_channels, long long out_channels, long long groups

// y[n, o, i, j] = activation of b[o] + sum over c, p, q of w[o, c, p, q] x[n, g C + c, h, w]
extern "C" __global__ void direct_forward(const REAL* xs, const REAL* weights, const REAL* bias, REAL* ys,
                                          long long count, WINDOW, CHANNELS, int activation) {
    const long long C = in_channels / groups, O = out_channels / groups;
    FOR_EACH(place, count) {
        const long long j = place % OW, i = place / OW % OH;
        const long long o = place / (OW * OH) % out_channels, n = place / (OW * OH * out_channels);
        const REAL* x = xs + (n * in_channels + o / O * C) * (H * W);
        const REAL* weight = weights + o * C * (KH * KW);
        REAL sum = 0;
        for (long long c = 0; c < C; ++c)
            FOR_EACH_TAP(i, j, p, q, h, w) { sum += weight[(c * KH + p) * KW + q] * x[(c * H + h) * W + w]; }
        ys[place] = activated(bias ? sum + bias[o] : sum, activation);
    }
}

// dx[n, g C + c, h, w] = sum over the outputs o of the group, and the windows (i, j) that cover (h, w)
extern "C" __global__ void direct_backward_input(const REAL* dys, const REAL* weights, REAL* dxs, long long count,
                                                 WINDOW, CHANNELS) {
    const long long C = in_channels / groups, O = out_channels / groups;
    FOR_EACH(place, count) {
        const long long w = place % W, h = place / W % H;
        const long long channel = place / (W * H) % in_channels, n = place / (W * H * in_channels);
        const long long group = channel / C, c = channel % C;
        REAL sum = 0;
        for (long long o = group * O; o < (group + 1) * O; ++o) {
            const REAL* dy = dys + (n * out_channels + o) * (OH * OW);
            const REAL* weight = weights + (o * C + c) * (KH * KW);
            FOR_EACH_COVERING(h, w, i, j, p, q) { sum += dy[i * OW + j] * weight[p * KW + q]; }
        }
        dxs[place] = sum;
    }
}

// dw[o, c, p, q] = sum over images n and positions (i, j) of dy[n, o, i, j] x[n, g C + c, h, w]
extern "C" __global__ void direct_backward_weight(const REAL* dys, const REAL* xs, REAL* dweights, long long count,
                                                  long long batch, WINDOW, CHANNELS) {
    const long long C = in_channels / groups, O = out_channels / groups;
    FOR_EACH(place, count) {
        const long long q = place % KW, p = place / KW % KH, c = place / (KW * KH) % C, o = place / (KW * KH * C);
        REAL sum = 0;
        for (long long n = 0; n < batch; ++n) {
            const REAL* dy = dys + (n * out_channels + o) * (OH * OW);
            const REAL* x = xs + (n * in_channels + o / O * C + c) * (H * W);
            for (long long i = 0, h = p * DH - top; i < OH; ++i, h += SH) {
                if (h < 0 || h >= H) continue;
                for (long long j = 0, w = q * DW - left; j < OW; ++j, w += SW)
                    if (w >= 0 && w < W) sum += dy[i * OW + j] * x[h * W + w];
            }
        }
        dweights[place] = sum;
    }
}

// db[o] = sum over n, i, j of dy[n, o, i, j]: a block per channel, whose threads combine their parts
extern "C" __global__ void __launch_bounds__(THREADS)
backward_bias(const STORED* dys, STORED* dbias, long long batch, long long out_channels, long long positions) {
    __shared__ REAL partial[THREADS / 32];
    const long long o = blockIdx.x;
    REAL sum = 0;
    for (long long k = threadIdx.x; k < batch * positions; k += THREADS)
        sum += REAL(dys[(k / positions * out_channels + o) * positions + k % positions]);
    sum = block_sum(sum, partial);
    if (threadIdx.x == 0) dbias[o] = STORED(sum);
}

// columns[n, channel, p, q, i, j] = x[n, channel, h, w], 0 in the padding
extern "C" __global__ void im2col(const REAL* xs, REAL* columns, long long count, WINDOW) {
    FOR_EACH(place, count) {
        const long long j = place % OW, i = place / OW % OH;
        const long long q = place / (OW * OH) % KW, p = place / (OW * OH * KW) % KH;
        const long long plane = place / (OW * OH * KW * KH);
        const long long h = i * SH - top + p * DH, w = j * SW - left + q * DW;
        const bool inside = h >= 0 && h < H && w >= 0 && w < W;
        columns[place] = inside ? xs[(plane * H + h) * W + w] : REAL(0);
    }
}

// y[n, o, position] = activation of y[n, o, position] + b[o], for products that a library has left there
extern "C" __global__ void end_product(REAL* ys, const REAL* bias, long long count, long long channels,
                                       long long positions, int activation) {
    FOR_EACH(place, count) {
        const REAL y = ys[place];
        ys[place] = activated(bias ? y + bias[place / positions % channels] : y, activation);
    }
}

// y[b] = activation of a[b % groups] columns[b] + bias, for matrices a (rows, depth) and columns (depth, width). A warp
// has two rows of a tile, 32 neighbouring elements, one per bank: a column of padding would make two of them meet.
#define TILE 16
extern "C" __global__ void __launch_bounds__(TILE * TILE)
tiled_product(const REAL* as, const REAL* columns, const REAL* bias, REAL* ys, long long batches, long long groups,
              long long rows, long long depth, long long width, int activation) {
    __shared__ REAL a_tile[TILE][TILE], column_tile[TILE][TILE];
    const int tx = threadIdx.x, ty = threadIdx.y;
    const long long column = (long long)blockIdx.x * TILE + tx, row = (long long)blockIdx.y * TILE + ty;
    for (long long b = blockIdx.z; b < batches; b += gridDim.z) {
        const long long group = b % groups;
        REAL sum = 0;
        for (long long start = 0; start < depth; start += TILE) {
            const long long a_depth = start + tx, column_depth = start + ty;
            a_tile[ty][tx] =
                row < rows && a_depth < depth ? as[(group * rows + row) * depth + a_depth] : REAL(0);
            column_tile[ty][tx] =
                column_depth < depth && column < width ? columns[(b * depth + column_depth) * width + column] : REAL(0);
            __syncthreads();
            for (int k = 0; k < TILE; ++k) sum += a_tile[ty][k] * column_tile[k][tx];
            __syncthreads();
        }
        if (row < rows && column < width)
            ys[(b * rows + row) * width + column] =
                activated(bias ? sum + bias[group * rows + row] : sum, activation);
    }
}
