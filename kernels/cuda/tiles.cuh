// The product of two matrices whose elements are brought by loaders: what is the same wherever they come from and
// whoever multiplies, threads in their registers (register_product.cuh) or tensor cores (tensor_product.cuh).
//
// A block computes ROWS x COLUMNS elements of the product, 16 ROWS_EACH by 16 COLUMNS_EACH (4 or 8). Loaders bring
// DEPTH elements of every row and column at a time. There is room for two such tiles: while one is multiplied, the
// elements of the next are on their way from global memory to registers, and one barrier per tile is enough.
//
// Elements in memory are STORED, sums are REAL (half.cuh). A loader has
//     fetch()      the thread's share of the next tile from global memory to registers, 0 where the matrix ends
//     put(tile)    from there to shared memory
#pragma once

#define SIDE 16
#define THREADS (SIDE * SIDE)
#define ROWS (SIDE * ROWS_EACH)
#define COLUMNS (SIDE * COLUMNS_EACH)

#if TENSOR_CORES
#include <mma.h>
using namespace nvcuda;
#define DEPTH (ROWS_EACH * COLUMNS_EACH == 64 && !HALF ? 8 : 16)
typedef STORED Tiled;
#else
#define DEPTH (ROWS_EACH * COLUMNS_EACH == 64 ? 8 : 16)
typedef REAL Tiled;
#endif

// Keeps vectors aligned and brings what a warp writes at a time to different banks.
constexpr int PAD = 16 / sizeof(Tiled) > 4 ? 16 / sizeof(Tiled) : 4;

// How an element is kept in shared memory: floats are rounded to TF32 there if tensor cores take them.
__device__ Tiled tiled(STORED x) {
#if TENSOR_CORES && !HALF
    return wmma::__float_to_tf32(x);
#else
    return Tiled(x);
#endif
}

// Four neighbouring elements, read and written together (doubles two at a time).
template <class T>
struct __align__(sizeof(T) > 4 ? 16 : 4 * sizeof(T)) Four {
    T each[4];
};

template <class T>
__device__ bool aligned(const T* place) { return (unsigned long long)place % sizeof(Four<T>) == 0; }
template <class T>
__device__ Four<T> four_at(const T* place) { return *reinterpret_cast<const Four<T>*>(place); }

struct __align__(32) Tiles {
    Tiled left[2][DEPTH][ROWS + PAD];
    Tiled right[2][DEPTH][COLUMNS + PAD];
};

// multiply(left, right) runs for all tiles of the depth in their order.
template <class Left, class Right, class Multiply>
__device__ void for_each_tile(Tiles& tiles, Left& left, Right& right, long long depth, Multiply multiply) {
    left.fetch();
    right.fetch();
    left.put(tiles.left[0]);
    right.put(tiles.right[0]);
    __syncthreads();
    int now = 0;
    for (long long start = 0; start < depth; start += DEPTH, now = 1 - now) {
        const bool more = depth - start > DEPTH;
        if (more) left.fetch();
        if (more) right.fetch();
        multiply(tiles.left[now], tiles.right[now]);
        if (more) left.put(tiles.left[1 - now]);
        if (more) right.put(tiles.right[1 - now]);
        __syncthreads();
    }
}

// Rows that lie along the depth, such as filters: `first` is the block's first row, `rows` how many there are from it on.
struct RowLoader {
    static constexpr int ACROSS = DEPTH / 4, STEP = THREADS / ACROSS, EACH = ROWS / STEP;
    const STORED* next;
    long long depth, left;  // left: elements of the row from this thread's next ones on
    int row, rows;
    bool vectors;
    STORED fetched[EACH][4];

    __device__ RowLoader(const STORED* first, long long rows, long long depth)
        : depth(depth), row(threadIdx.x / ACROSS), rows((int)min(rows, (long long)ROWS)) {
        const int k = threadIdx.x % ACROSS * 4;
        next = first + row * depth + k;
        left = depth - k;
        vectors = depth % 4 == 0 && aligned(first);
    }
    __device__ void fetch() {
#pragma unroll
        for (int i = 0; i < EACH; ++i) {
            const STORED* x = next + i * STEP * depth;
            const long long inside = row + i * STEP < rows ? left : 0;
            if (vectors && inside > 0) {
                const Four<STORED> four = four_at(x);
                for (int k = 0; k < 4; ++k) fetched[i][k] = four.each[k];
            } else {
                for (int k = 0; k < 4; ++k) fetched[i][k] = k < inside ? x[k] : STORED(0);
            }
        }
        next += DEPTH;
        left -= DEPTH;
    }
    __device__ void put(Tiled (*tile)[ROWS + PAD]) const {
        const int first = threadIdx.x % ACROSS * 4;
        for (int i = 0; i < EACH; ++i)
            for (int k = 0; k < 4; ++k) tile[first + k][row + i * STEP] = tiled(fetched[i][k]);
    }
};
