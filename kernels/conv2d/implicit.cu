// The convolution as a matrix product whose right matrix, the patches, is nowhere in memory (implicit im2col): tiles of
// it are gathered from the input into shared memory. The gradient of the input is the same sum over other places, see
// gpu_implicit.py. REAL is what is computed in; STORED what is kept in memory.
#include "common.cuh"
#include "activations.cuh"
#include "digits.cuh"
#include "half.cuh"
#include "tiles.cuh"
#if TENSOR_CORES
#include "tensor_product.cuh"
#else
#include "register_product.cuh"
#endif

// Along one axis: result `first_result` + a `result_step`, for a = 0 .. count - 1, sums over the taps t, whose element is
// at first + a step + t tap_step of the source, if there is one.
struct Axis {
    int source, taps, first, step, tap_step, result, first_result, result_step, count;
};
#define AXIS(X)                                                                                                     \
    int X##_source, int X##_taps, int X##_first, int X##_step, int X##_tap_step, int X##_result, int X##_first_result, \
        int X##_result_step, int X##_count
#define AXIS_OF(X)                                                                                                  \
    { X##_source, X##_taps, X##_first, X##_step, X##_tap_step, X##_result, X##_first_result, X##_result_step, X##_count }

// results[n, g rows + r, ...] = f(bias + sum over c, t, u of filters[g rows + r, c, t, u] sources[n, g channels + c, ...])
struct Gather {
    const STORED *sources, *filters, *bias;
    STORED* results;
    int activation;
    long long batch, groups, rows, channels;
    Axis down, across;

    __device__ long long depth() const { return channels * down.taps * across.taps; }
    __device__ long long columns() const { return batch * down.count * across.count; }
    __device__ Digits position(long long column) const { return digits_of(column, down.count, across.count); }
};

// Columns are positions (n, a, b), and go down through (c, t, u). A thread has one column; neighbours read neighbours.
struct PatchLoader {
    static constexpr int EACH = COLUMNS * DEPTH / THREADS;
    const Gather& sum;
    const STORED* planes;
    long long plane, left;
    int h, w;
    Digits place, skipped;
    STORED fetched[EACH];

    __device__ PatchLoader(const Gather& sum, long long group, long long first)
        : sum(sum), plane((long long)sum.down.source * sum.across.source) {
        const long long column = first + threadIdx.x % COLUMNS, k = threadIdx.x / COLUMNS * EACH;
        const Digits position = sum.position(column);
        planes = sum.sources + (position.high * sum.groups + group) * sum.channels * plane;
        h = sum.down.first + position.middle * sum.down.step;
        w = sum.across.first + position.low * sum.across.step;
        left = column < sum.columns() ? sum.depth() - k : 0;
        place = digits_of(k, sum.down.taps, sum.across.taps);
        skipped = digits_of(DEPTH - EACH, sum.down.taps, sum.across.taps);
    }
    __device__ void go(const Digits& step) { place = plus(place, step, sum.down.taps, sum.across.taps); }
    __device__ void fetch() {
#pragma unroll
        for (int i = 0; i < EACH; ++i) {
            const int row = h + place.middle * sum.down.tap_step, column = w + place.low * sum.across.tap_step;
            const bool inside = i < left && row >= 0 && row < sum.down.source && column >= 0 && column < sum.across.source;
            fetched[i] = inside ? planes[place.high * plane + (long long)row * sum.across.source + column] : STORED(0);
            go({0, 0, 1});
        }
        go(skipped);
        left -= DEPTH;
    }
    __device__ void put(Tiled (*tile)[COLUMNS + PAD]) const {
        for (int i = 0; i < EACH; ++i) tile[threadIdx.x / COLUMNS * EACH + i][threadIdx.x % COLUMNS] = tiled(fetched[i]);
    }
};

// The same where each patch is one element and the planes have a multiple of four: they are the matrix as they lie.
struct PlaneLoader {
    static constexpr int ACROSS = COLUMNS / 4, STEP = THREADS / ACROSS, EACH = DEPTH / STEP;
    const STORED* next;
    long long plane, left;
    bool vectors;
    STORED fetched[EACH][4];

    __device__ PlaneLoader(const Gather& sum, long long group, long long first)
        : plane((long long)sum.down.source * sum.across.source), vectors(aligned(sum.sources)) {
        const long long column = first + threadIdx.x % ACROSS * 4, k = threadIdx.x / ACROSS;
        next = sum.sources + ((column / plane * sum.groups + group) * sum.channels + k) * plane + column % plane;
        left = column < sum.columns() ? sum.channels - k : 0;
    }
    __device__ void fetch() {
#pragma unroll
        for (int i = 0; i < EACH; ++i) {
            const STORED* x = next + i * STEP * plane;
            const bool inside = i * STEP < left;
            if (vectors && inside) {
                const Four<STORED> four = four_at(x);
                for (int j = 0; j < 4; ++j) fetched[i][j] = four.each[j];
            } else {
                for (int j = 0; j < 4; ++j) fetched[i][j] = inside ? x[j] : STORED(0);
            }
        }
        next += DEPTH * plane;
        left -= DEPTH;
    }
    __device__ void put(Tiled (*tile)[COLUMNS + PAD]) const {
        for (int i = 0; i < EACH; ++i)
            for (int j = 0; j < 4; ++j)
                tile[threadIdx.x / ACROSS + i * STEP][threadIdx.x % ACROSS * 4 + j] = tiled(fetched[i][j]);
    }
};

// Four neighbours of row `row` (of all groups), from position `column` on, end in memory.
__device__ void store(const Gather& sum, long long row, long long column, const Four<REAL>& values) {
    const REAL offset = sum.bias ? REAL(sum.bias[row]) : REAL(0);
    Four<STORED> ended;
    for (int j = 0; j < 4; ++j) ended.each[j] = STORED(activated(values.each[j] + offset, sum.activation));
    const long long columns = sum.columns(), size = (long long)sum.down.result * sum.across.result;
    Digits at = sum.position(column);
    STORED* planes = sum.results + row * size;
    const long long image = sum.groups * sum.rows * size;
    if (size % 4 == 0 && size == (long long)sum.down.count * sum.across.count && aligned(sum.results)) {
        STORED* y = planes + at.high * image + (long long)at.middle * sum.across.result + at.low;
        if (column < columns) *reinterpret_cast<Four<STORED>*>(y) = ended;
        return;
    }
    for (int j = 0; j < 4; ++j) {
        const long long i = sum.down.first_result + (long long)at.middle * sum.down.result_step;
        const long long k = sum.across.first_result + (long long)at.low * sum.across.result_step;
        if (column + j < columns) planes[at.high * image + i * sum.across.result + k] = ended.each[j];
        at = plus(at, {0, 0, 1}, sum.down.count, sum.across.count);
    }
}

#define GATHER                                                                                                       \
    const STORED *sources, const STORED *filters, const STORED *bias, STORED *results, int activation, long long batch, \
        long long groups, long long rows, long long channels, AXIS(down), AXIS(across)

// LOADER is one of the two. Blocks of one column of tiles follow each other: they read the same patches.
extern "C" __global__ void __launch_bounds__(THREADS, 2) gather_sum(GATHER) {
    __shared__ Tiles tiles;
    const Gather sum = {sources, filters, bias,     results,       activation,    batch,
                        groups,  rows,    channels, AXIS_OF(down), AXIS_OF(across)};
    const long long tiles_down = (rows + ROWS - 1) / ROWS, group = blockIdx.y;
    const long long top = blockIdx.x % tiles_down * ROWS, first = blockIdx.x / tiles_down * COLUMNS;
    Product product;
    if (sum.depth() > 0) {
        RowLoader left(filters + (group * rows + top) * sum.depth(), rows - top, sum.depth());
        LOADER right(sum, group, first);
        product.add(tiles, left, right, sum.depth());
    }
    product.hand_out(tiles, [&](int row, int column, const Four<REAL>& values) {
        if (top + row < rows) store(sum, group * rows + top + row, first + column, values);
    });
}
