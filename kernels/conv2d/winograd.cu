// Winograd's convolution for 3x3 windows of stride 1, F(M x M, 3x3), in the steps of gpu_winograd.py. REAL is float or
// double, M is 2 or 4. The matrix products between the transforms are product.cu's.
//
// A thread transforms a tile of one channel in registers: all loops over a tile are unrolled, so that the matrices'
// zeros cost nothing. Neighbouring threads have neighbouring tiles (filters: neighbouring channels), which stand side
// by side in the arrays of transformed numbers.
#include "activations.cuh"

#define TAPS 3
#define SIDE (M + TAPS - 1)
#define THREADS 128

// A convolution is a product of polynomials, which is taken at points: 0, infinity and pairs +p, -p. FILTER has each
// point's powers, over the product of its distances to the others; DATA the polynomials that are 0 at all other points,
// lowest power first; OUTPUT the powers again.
#if M == 2
#define FILTER {{-1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}}
#define DATA {{-1, 0, 1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, -1, 0, 1}}
#define OUTPUT {{1, 1, 1, 0}, {0, 1, -1, 1}}
#else
#define P 0.625
#define Q 1.5
#define AT_0 (P * P * Q * Q)
#define AT_P (2 * P * P * (P * P - Q * Q))
#define AT_Q (2 * Q * Q * (Q * Q - P * P))
#define FILTER                                                                                   \
    {{1 / AT_0, 0, 0}, {1 / AT_P, P / AT_P, P * P / AT_P}, {1 / AT_P, -P / AT_P, P * P / AT_P},  \
     {1 / AT_Q, Q / AT_Q, Q * Q / AT_Q}, {1 / AT_Q, -Q / AT_Q, Q * Q / AT_Q}, {0, 0, 1}}
#define DATA                                                                                     \
    {{P * P * Q * Q, 0, -P * P - Q * Q, 0, 1, 0},                                                \
     {0, -P * Q * Q, -Q * Q, P, 1, 0}, {0, P * Q * Q, -Q * Q, -P, 1, 0},                         \
     {0, -P * P * Q, -P * P, Q, 1, 0}, {0, P * P * Q, -P * P, -Q, 1, 0},                         \
     {0, P * P * Q * Q, 0, -P * P - Q * Q, 0, 1}}
#define OUTPUT                                                                                   \
    {{1, 1, 1, 1, 1, 0}, {0, P, -P, Q, -Q, 0}, {0, P * P, P * P, Q * Q, Q * Q, 0},               \
     {0, P * P * P, -P * P * P, Q * Q * Q, -Q * Q * Q, 1}}
#endif

// y = matrix x, the elements of y `step` apart
template <int ROWS, int COLUMNS>
__device__ void multiply(const double (&matrix)[ROWS][COLUMNS], const REAL* x, REAL* y, int step) {
#pragma unroll
    for (int i = 0; i < ROWS; ++i) {
        REAL sum = 0;
#pragma unroll
        for (int k = 0; k < COLUMNS; ++k)
            if (matrix[i][k] != 0) sum += (REAL)matrix[i][k] * x[k];
        y[i * step] = sum;
    }
}

// u[position, group, row, d] = (G g G^T)[position] for g the filter at row row_step + d depth_step of its group, turned by
// 180 degrees or not; `count` filters
extern "C" __global__ void __launch_bounds__(THREADS)
transform_filters(const REAL* weights, REAL* us, long long count, long long rows, long long depth, long long row_step,
                  long long depth_step, bool turned) {
    constexpr double matrix[SIDE][TAPS] = FILTER;
    const long long place = (long long)blockIdx.x * THREADS + threadIdx.x;
    if (place >= count) return;
    const long long d = place % depth, row = place / depth % rows, group = place / (depth * rows);
    const REAL* weight = weights + group * rows * depth * (TAPS * TAPS) + row * row_step + d * depth_step;
    REAL half[SIDE][TAPS];
#pragma unroll
    for (int q = 0; q < TAPS; ++q) {
        REAL g[TAPS];
#pragma unroll
        for (int p = 0; p < TAPS; ++p) {
            const int tap = p * TAPS + q;
            g[p] = weight[turned ? TAPS * TAPS - 1 - tap : tap];
        }
        multiply(matrix, g, &half[0][q], TAPS);
    }
#pragma unroll
    for (int i = 0; i < SIDE; ++i) {
        REAL u[SIDE];
        multiply(matrix, half[i], u, 1);
#pragma unroll
        for (int j = 0; j < SIDE; ++j) us[(i * SIDE + j) * count + place] = u[j];
    }
}

// A chunk of the tiles of all planes of a channel: tile `first` + `own` is this thread's, at (row, column) of image n.
#define TILES long long first, long long tiles, long long down, long long across
#define OWN_TILE                                                                                 \
    const long long own = (long long)blockIdx.x * THREADS + threadIdx.x;                         \
    if (own >= tiles) return;                                                                    \
    const long long column = (first + own) % across, row = (first + own) / across % down;        \
    const long long n = (first + own) / (across * down);

// v[position, channel, tile] = (B^T d B)[position] for d the SIDE x SIDE inputs of the tile, 0 outside the plane
extern "C" __global__ void __launch_bounds__(THREADS)
transform_inputs(const REAL* xs, REAL* vs, TILES, long long channels, long long H, long long W, long long top,
                 long long left) {
    constexpr double matrix[SIDE][SIDE] = DATA;
    OWN_TILE
    const long long h = row * M - top, w = column * M - left;
    for (long long channel = blockIdx.y; channel < channels; channel += gridDim.y) {
        const REAL* x = xs + ((n * channels + channel) * H + h) * W + w;
        REAL half[SIDE][SIDE];
#pragma unroll
        for (int i = 0; i < SIDE; ++i) {
            const bool in_row = h + i >= 0 && h + i < H;
            REAL d[SIDE];
#pragma unroll
            for (int j = 0; j < SIDE; ++j) d[j] = in_row && w + j >= 0 && w + j < W ? x[i * W + j] : REAL(0);
            multiply(matrix, d, &half[i][0], 1);
        }
#pragma unroll
        for (int j = 0; j < SIDE; ++j) {
            REAL d[SIDE], v[SIDE];
#pragma unroll
            for (int i = 0; i < SIDE; ++i) d[i] = half[i][j];
            multiply(matrix, d, v, 1);
#pragma unroll
            for (int i = 0; i < SIDE; ++i) vs[((i * SIDE + j) * channels + channel) * tiles + own] = v[i];
        }
    }
}

// y = activation of A^T m A + b for m[position] = products[position, channel, tile]
extern "C" __global__ void __launch_bounds__(THREADS)
transform_outputs(const REAL* products, const REAL* bias, REAL* ys, TILES, long long channels, long long H, long long W,
                  int activation) {
    constexpr double matrix[M][SIDE] = OUTPUT;
    OWN_TILE
    const long long h = row * M, w = column * M;
    for (long long channel = blockIdx.y; channel < channels; channel += gridDim.y) {
        const REAL offset = bias ? bias[channel] : REAL(0);
        REAL half[M][SIDE];
#pragma unroll
        for (int j = 0; j < SIDE; ++j) {
            REAL m[SIDE];
#pragma unroll
            for (int i = 0; i < SIDE; ++i) m[i] = products[((i * SIDE + j) * channels + channel) * tiles + own];
            multiply(matrix, m, &half[0][j], SIDE);
        }
#pragma unroll
        for (int i = 0; i < M; ++i) {
            REAL y[M];
            multiply(matrix, half[i], y, 1);
#pragma unroll
            for (int j = 0; j < M; ++j)
                if (h + i < H && w + j < W)
                    ys[((n * channels + channel) * H + h + i) * W + w + j] = activated(y[j] + offset, activation);
        }
    }
}
