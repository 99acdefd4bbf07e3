// Depthwise convolution on tiles in shared memory: a block takes a tile of a plane, fetches once all that the tile's
// windows (or, on the way back, the windows that cover it) see of the other plane, and computes from there. REAL is
// float or double.
#include "common.cuh"
#include "window.cuh"
#include "activations.cuh"

#define THREADS 256
// That as many blocks fit onto a multiprocessor is enough: fewer registers would mean spills.
#define BLOCKS 4

// A plane's tiles and their sizes, a thread per position; then the largest patch that a tile sees, and how it lies in
// shared memory: element (row, column) at row pitch + column % stride phase + column / stride (gpu_tiles.py says why).
#define TILES unsigned tiles_across, int tile_h, int tile_w, int patch_h, int patch_w, int pitch, int phase

// The tile's first position, and this thread's within the tile.
#define TILE_OF(tile)                                                                            \
    const long long first_i = (long long)((tile) / tiles_across) * tile_h;                       \
    const long long first_j = (long long)((tile) % tiles_across) * tile_w;
#define POSITION const int own_i = threadIdx.x / tile_w, own_j = threadIdx.x % tile_w;

// The body runs for the block's planes n channels + c.
#define FOR_EACH_PLANE(plane, c)                                                                 \
    for (long long n_ = blockIdx.z; n_ < batch; n_ += gridDim.z)                                 \
        for (long long c = blockIdx.y, plane = n_ * channels + c; c < channels; c += gridDim.y, plane += gridDim.y)

// patch = the part of a plane (H, W) that begins at (top, left), 0 where that is outside the plane. `stride` is 1 where
// neighbours stay neighbours.
__device__ void fetch(REAL* patch, int patch_h, int patch_w, int pitch, int phase, int stride, const REAL* plane,
                      long long H, long long W, long long top, long long left) {
    for (int place = threadIdx.x; place < patch_h * patch_w; place += blockDim.x) {
        const int row = place / patch_w, column = place % patch_w;
        const long long h = top + row, w = left + column;
        patch[row * pitch + (stride == 1 ? column : column % stride * phase + column / stride)] =
            h >= 0 && h < H && w >= 0 && w < W ? plane[h * W + w] : REAL(0);
    }
}

// The sum over the taps of weight times patch for a window whose first element lies at `first`.
__device__ REAL windowed(const REAL* patch, int pitch, int phase, const REAL* weight, int KH, int KW, int first, int SW,
                         int DH, int DW) {
    REAL sum = 0;
    for (int p = 0; p < KH; ++p, first += DH * pitch)
        for (int q = 0, column = first, rest = 0; q < KW; ++q) {  // column + rest phase is the tap's place
            sum += weight[p * KW + q] * patch[column + rest * phase];
            column += DW / SW;
            rest += DW % SW;
            if (rest >= SW) rest -= SW, ++column;
        }
    return sum;
}

// y[n, c M + m, i, j] = activation of b + sum over p, q of w[c M + m, p, q] x[n, c, h, w]; plane n C + c of x gives the
// planes (n C + c) M + m of y
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
tiled_forward(const REAL* xs, const REAL* weights, const REAL* bias, REAL* ys, long long batch, long long channels,
              long long multiplier, WINDOW, TILES, int activation) {
    extern __shared__ REAL patch[];
    TILE_OF(blockIdx.x)
    POSITION
    const bool inside = own_i < tile_h && first_i + own_i < OH && first_j + own_j < OW;
    FOR_EACH_PLANE(plane, c) {
        fetch(patch, patch_h, patch_w, pitch, phase, (int)SW, xs + plane * (H * W), H, W, first_i * SH - top,
              first_j * SW - left);
        __syncthreads();
        for (long long m = 0; inside && m < multiplier; ++m) {
            const long long o = c * multiplier + m;
            REAL sum = windowed(patch, pitch, phase, weights + o * (KH * KW), (int)KH, (int)KW,
                                own_i * (int)SH * pitch + own_j, (int)SW, (int)DH, (int)DW);
            if (bias) sum += bias[o];
            ys[((plane * multiplier + m) * OH + first_i + own_i) * OW + first_j + own_j] = activated(sum, activation);
        }
        __syncthreads();
    }
}

// The first window along an axis that reaches an element, or one beyond it. All numbers are small (gpu.py).
__device__ int first_covering(long long element, long long before, long long kernel, long long dilation,
                              long long stride) {
    const int reach = (int)(element + before - (kernel - 1) * dilation);
    return reach <= 0 ? 0 : (reach + (int)stride - 1) / (int)stride;
}

// The sum over the taps of patch times weight for an element that tap (p, q) reaches from (row + (KH - 1 - p) DH) / SH,
// (column + (KW - 1 - q) DW) / SW of a patch of rows x columns windows, if these are whole.
__device__ REAL covered(const REAL* patch, int pitch, int rows, int columns, const REAL* weight, int KH, int KW,
                        int row, int column, int SH, int SW, int DH, int DW) {
    REAL sum = 0;
    for (int p = KH - 1; p >= 0; --p, row += DH)
        if (row >= 0 && row % SH == 0 && row / SH < rows)
            for (int q = KW - 1, c = column; q >= 0; --q, c += DW)
                if (c >= 0 && c % SW == 0 && c / SW < columns)
                    sum += patch[row / SH * pitch + c / SW] * weight[p * KW + q];
    return sum;
}

// dx[n, c, h, w] = sum over m and the windows (i, j) that cover (h, w) of dy[n, c M + m, i, j] w[c M + m, p, q]
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
tiled_backward_input(const REAL* dys, const REAL* weights, REAL* dxs, long long batch, long long channels,
                     long long multiplier, WINDOW, TILES) {
    extern __shared__ REAL patch[];
    TILE_OF(blockIdx.x)
    POSITION
    const long long h = first_i + own_i, w = first_j + own_j;
    const bool inside = own_i < tile_h && h < H && w < W;
    const long long patch_i = first_covering(first_i, top, KH, DH, SH);
    const long long patch_j = first_covering(first_j, left, KW, DW, SW);
    const int own_row = (int)(h + top - (KH - 1) * DH - patch_i * SH);
    const int own_column = (int)(w + left - (KW - 1) * DW - patch_j * SW);
    const int rows = inside ? (int)min(OH - patch_i, (long long)patch_h) : 0;
    const int columns = (int)min(OW - patch_j, (long long)patch_w);
    FOR_EACH_PLANE(plane, c) {
        REAL sum = 0;
        for (long long m = 0; m < multiplier; ++m) {
            fetch(patch, patch_h, patch_w, pitch, phase, 1, dys + (plane * multiplier + m) * (OH * OW), OH, OW, patch_i,
                  patch_j);
            __syncthreads();
            sum += covered(patch, pitch, rows, columns, weights + (c * multiplier + m) * (KH * KW), (int)KH, (int)KW,
                           own_row, own_column, (int)SH, (int)SW, (int)DH, (int)DW);
            __syncthreads();
        }
        if (inside) dxs[(plane * H + h) * W + w] = sum;
    }
}

// A part of dw[o, p, q] = sum over n, i, j of dy[n, o, i, j] x[n, c, h, w]: block o parts + part takes every parts-th tile
// of filter o's planes. The threads are shared out to the taps: those of one tap, its lanes, take every lanes-th
// position of a tile and keep a sum each, which are added up when all tiles are done.
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
tiled_backward_weight(const REAL* dys, const REAL* xs, REAL* found, long long batch, long long channels,
                      long long multiplier, WINDOW, TILES, long long tiles, long long parts) {
    extern __shared__ REAL patch[];
    REAL *dy_tile = patch + patch_h * pitch, *sums = dy_tile + tile_h * tile_w;
    const long long o = blockIdx.x / parts, part = blockIdx.x % parts, filters = channels * multiplier;
    const int taps = (int)(KH * KW), lanes = THREADS / taps, tap = threadIdx.x / lanes, lane = threadIdx.x % lanes;
    const int down = tap / (int)KW * (int)DH, across = tap % (int)KW * (int)DW;
    const int seen = down * pitch + across % (int)SW * phase + across / (int)SW;  // from the patch's first element on
    REAL sum = 0;
    for (long long k = part; k < batch * tiles; k += parts) {
        const long long n = k / tiles;
        TILE_OF((unsigned)(k % tiles))
        fetch(patch, patch_h, patch_w, pitch, phase, (int)SW, xs + (n * channels + o / multiplier) * (H * W), H, W,
              first_i * SH - top, first_j * SW - left);
        fetch(dy_tile, tile_h, tile_w, tile_w, 0, 1, dys + (n * filters + o) * (OH * OW), OH, OW, first_i, first_j);
        __syncthreads();
        for (int place = lane; tap < taps && place < tile_h * tile_w; place += lanes) {
            const int i = place / tile_w, j = place % tile_w;
            if (first_i + i < OH && first_j + j < OW) sum += dy_tile[place] * patch[seen + i * (int)SH * pitch + j];
        }
        __syncthreads();
    }
    const int row = taps | 1;  // odd, so that neither lanes nor taps meet in a bank
    if (tap < taps) sums[lane * row + tap] = sum;
    __syncthreads();
    if (threadIdx.x < taps) {
        REAL total = 0;
        for (int i = 0; i < lanes; ++i) total += sums[i * row + threadIdx.x];
        found[(part * filters + o) * taps + threadIdx.x] = total;
    }
}

// dw = the parts' sums, added up in their order
extern "C" __global__ void sum_of_parts(const REAL* found, REAL* dweights, long long count, long long parts) {
    FOR_EACH(i, count) {
        REAL sum = 0;
        for (long long part = 0; part < parts; ++part) sum += found[part * count + i];
        dweights[i] = sum;
    }
}
