// The convolution's weight gradient as a matrix product without the patches in memory: rows are the outputs' channels,
// columns the weights (c, p, q) of a filter, and the depth is all places (n, i, j). It is cut into parts, which are added
// up in their order in the end. REAL is what is computed in; STORED what is kept in memory.
#include "common.cuh"
#include "digits.cuh"
#include "half.cuh"
#include "tiles.cuh"
#if TENSOR_CORES
#include "tensor_product.cuh"
#else
#include "register_product.cuh"
#endif

// The sizes of a group: planes (H, W) of the input and (OH, OW) of the output, and `length` places of a part.
struct Correlation {
    const STORED *dys, *xs;
    long long places, length, groups, outputs, weights;
    int H, W, OH, OW, KH, KW, SH, SW, top, left, DH, DW;

    __device__ long long positions() const { return (long long)OH * OW; }
    __device__ long long plane() const { return (long long)H * W; }
    __device__ long long channels() const { return weights / (KH * KW); }
};

// The places from `first` on, one tile after the other, of a thread that has every DEPTH-th of them.
struct Walk {
    const Correlation& sum;
    Digits place, tile;
    long long left;

    __device__ Walk(const Correlation& sum, long long first, int own)
        : sum(sum), place(digits_of(first + own, sum.OH, sum.OW)), tile(digits_of(DEPTH, sum.OH, sum.OW)),
          left(min(sum.length, sum.places - first) - own) {}
    __device__ Digits next(const Digits& from) const { return plus(from, {0, 0, 1}, sum.OH, sum.OW); }
    __device__ void go() {
        place = plus(place, tile, sum.OH, sum.OW);
        left -= DEPTH;
    }
};

// Rows of the output's gradient: a thread has four neighbouring places of each of its rows.
struct GradientLoader {
    static constexpr int ACROSS = DEPTH / 4, STEP = THREADS / ACROSS, EACH = ROWS / STEP;
    Walk walk;
    const STORED* planes;
    long long image;
    int row, rows;
    bool vectors;
    STORED fetched[EACH][4];

    __device__ GradientLoader(const Correlation& sum, long long group, long long top, long long first)
        : walk(sum, first, threadIdx.x % ACROSS * 4), image(sum.groups * sum.outputs * sum.positions()),
          row(threadIdx.x / ACROSS), rows((int)min(sum.outputs - top, (long long)ROWS)),
          vectors(sum.positions() % 4 == 0 && aligned(sum.dys)) {
        planes = sum.dys + (group * sum.outputs + top + row) * sum.positions();
    }
    __device__ const STORED* at(const Digits& place) const {
        return planes + place.high * image + (long long)place.middle * walk.sum.OW + place.low;
    }
    __device__ void fetch() {
        Digits place = walk.place;
        if (vectors) {
#pragma unroll
            for (int i = 0; i < EACH; ++i) {
                const bool inside = walk.left > 0 && row + i * STEP < rows;
                const Four<STORED> four = inside ? four_at(at(place) + i * STEP * walk.sum.positions()) : Four<STORED>{};
                for (int k = 0; k < 4; ++k) fetched[i][k] = four.each[k];
            }
        } else {
#pragma unroll
            for (int k = 0; k < 4; ++k, place = walk.next(place))
                for (int i = 0; i < EACH; ++i) {
                    const bool inside = k < walk.left && row + i * STEP < rows;
                    fetched[i][k] = inside ? at(place)[i * STEP * walk.sum.positions()] : STORED(0);
                }
        }
        walk.go();
    }
    __device__ void put(Tiled (*tile)[ROWS + PAD]) const {
        const int first = threadIdx.x % ACROSS * 4;
        for (int i = 0; i < EACH; ++i)
            for (int k = 0; k < 4; ++k) tile[first + k][row + i * STEP] = tiled(fetched[i][k]);
    }
};

// Where a weight's elements are, from the first element of the patch on.
struct Tap {
    long long plane;
    int row, column;
};

// The elements that the weights see: a thread has one place and every STEP-th weight; neighbours read neighbours.
struct SeenLoader {
    static constexpr int STEP = THREADS / DEPTH, EACH = COLUMNS / STEP;
    Walk walk;
    const STORED* planes;
    const Tap* taps;
    STORED fetched[EACH];

    __device__ SeenLoader(const Correlation& sum, long long group, Tap* taps, long long left, long long first)
        : walk(sum, first, threadIdx.x % DEPTH), planes(sum.xs + group * sum.channels() * sum.plane()), taps(taps) {
        if (threadIdx.x < COLUMNS) {
            const Digits weight = digits_of(left + threadIdx.x, sum.KH, sum.KW);
            const bool exists = left + threadIdx.x < sum.weights;
            taps[threadIdx.x] = {weight.high * sum.plane(), exists ? weight.middle * sum.DH : -(1 << 30), weight.low * sum.DW};
        }
        __syncthreads();
    }
    __device__ void fetch() {
        const Correlation& sum = walk.sum;
        const STORED* image = planes + walk.place.high * (sum.groups * sum.channels() * sum.plane());
        const int h = walk.place.middle * sum.SH - sum.top, w = walk.place.low * sum.SW - sum.left;
#pragma unroll
        for (int i = 0; i < EACH; ++i) {
            const Tap tap = taps[threadIdx.x / DEPTH + i * STEP];
            const int row = h + tap.row, column = w + tap.column;
            const bool inside = walk.left > 0 && row >= 0 && row < sum.H && column >= 0 && column < sum.W;
            fetched[i] = inside ? image[tap.plane + (long long)row * sum.W + column] : STORED(0);
        }
        walk.go();
    }
    __device__ void put(Tiled (*tile)[COLUMNS + PAD]) const {
        for (int i = 0; i < EACH; ++i) tile[threadIdx.x % DEPTH][threadIdx.x / DEPTH + i * STEP] = tiled(fetched[i]);
    }
};

// parts[part, g outputs + o, weight], or the gradient itself where there is one part
extern "C" __global__ void __launch_bounds__(THREADS, 2)
correlate(const STORED* dys, const STORED* xs, REAL* parts, long long places, long long length, long long groups,
          long long outputs, long long weights, int H, int W, int OH, int OW, int KH, int KW, int SH, int SW, int top_padding,
          int left_padding, int DH, int DW) {
    __shared__ Tiles tiles;
    __shared__ Tap taps[COLUMNS];
    const Correlation sum = {dys, xs, places, length, groups, outputs, weights,     H,            W,  OH,
                             OW,  KH, KW,     SH,     SW,     top_padding, left_padding, DH, DW};
    const long long tiles_down = (outputs + ROWS - 1) / ROWS, group = blockIdx.y, part = blockIdx.z;
    const long long top = blockIdx.x % tiles_down * ROWS, left = blockIdx.x / tiles_down * COLUMNS;
    Product product;
    GradientLoader gradients(sum, group, top, part * length);
    SeenLoader seen(sum, group, taps, left, part * length);
    product.add(tiles, gradients, seen, min(length, places - part * length));
    product.hand_out(tiles, [&](int row, int column, const Four<REAL>& values) {
        if (top + row >= outputs) return;
        REAL* y = parts + ((part * groups + group) * outputs + top + row) * weights + left + column;
        for (int j = 0; j < 4; ++j)
            if (left + column + j < weights) y[j] = values.each[j];
    });
}

// sums[place] = the sum over all parts, in their order
extern "C" __global__ void add_parts(const REAL* parts, STORED* sums, long long count, long long number) {
    FOR_EACH(place, count) {
        REAL sum = 0;
        for (long long part = 0; part < number; ++part) sum += parts[part * count + place];
        sums[place] = STORED(sum);
    }
}
