// A product of tiles (tiles.cuh) that tensor cores compute: each of the block's eight warps has a fourth of the columns
// of half the rows, in squares of 16 x 16 elements. Halves are multiplied as they are, floats as TF32; sums are floats.
#pragma once

#if HALF
typedef __half Factor;
#define FACTOR_DEPTH 16
#else
typedef wmma::precision::tf32 Factor;
#define FACTOR_DEPTH 8
#endif
#define SQUARE 16
#define SQUARES_DOWN (ROWS / (2 * SQUARE))
#define SQUARES_ACROSS (COLUMNS / (4 * SQUARE))

typedef wmma::fragment<wmma::matrix_a, SQUARE, SQUARE, FACTOR_DEPTH, Factor, wmma::col_major> LeftSquare;
typedef wmma::fragment<wmma::matrix_b, SQUARE, SQUARE, FACTOR_DEPTH, Factor, wmma::row_major> RightSquare;
typedef wmma::fragment<wmma::accumulator, SQUARE, SQUARE, FACTOR_DEPTH, float> Sums;

// Where a warp's squares begin in the block's elements.
__device__ int square_row(int i) { return ((int)threadIdx.x / 32 / 4 * SQUARES_DOWN + i) * SQUARE; }
__device__ int square_column(int j) { return ((int)threadIdx.x / 32 % 4 * SQUARES_ACROSS + j) * SQUARE; }

// A warp's part of the product.
struct Product {
    Sums sums[SQUARES_DOWN][SQUARES_ACROSS];

    __device__ Product() {
        for (int i = 0; i < SQUARES_DOWN; ++i)
            for (int j = 0; j < SQUARES_ACROSS; ++j) wmma::fill_fragment(sums[i][j], 0.0f);
    }

    // Adds the product of the loaders' next `depth` columns and rows.
    template <class Left, class Right>
    __device__ void add(Tiles& tiles, Left& left, Right& right, long long depth) {
        for_each_tile(tiles, left, right, depth, [&](const Tiled (*a)[ROWS + PAD], const Tiled (*b)[COLUMNS + PAD]) {
            multiply(a, b);
        });
    }

    __device__ void multiply(const Tiled (*left)[ROWS + PAD], const Tiled (*right)[COLUMNS + PAD]) {
#pragma unroll
        for (int k = 0; k < DEPTH; k += FACTOR_DEPTH) {
            LeftSquare a[SQUARES_DOWN];
            for (int i = 0; i < SQUARES_DOWN; ++i) wmma::load_matrix_sync(a[i], &left[k][square_row(i)], ROWS + PAD);
            for (int j = 0; j < SQUARES_ACROSS; ++j) {
                RightSquare b;
                wmma::load_matrix_sync(b, &right[k][square_column(j)], COLUMNS + PAD);
                for (int i = 0; i < SQUARES_DOWN; ++i) wmma::mma_sync(sums[i][j], a[i], b, sums[i][j]);
            }
        }
    }

    // put(row, column, four) gets four neighbours of a row of the block's elements, each of them once. A square goes
    // through the warp's own part of the tiles' memory, for which thread has which elements is not known.
    template <class Put>
    __device__ void hand_out(Tiles& tiles, Put put) const {
        float* square = reinterpret_cast<float*>(&tiles) + threadIdx.x / 32 * (SQUARE * SQUARE);
        static_assert(sizeof(Tiles) >= THREADS / 32 * SQUARE * SQUARE * sizeof(float), "each warp has room for a square");
        for (int i = 0; i < SQUARES_DOWN; ++i)
            for (int j = 0; j < SQUARES_ACROSS; ++j) {
                wmma::store_matrix_sync(square, sums[i][j], SQUARE, wmma::mem_row_major);
                __syncwarp();
                for (int own = threadIdx.x % 32; own < SQUARE * SQUARE / 4; own += 32)
                    put(square_row(i) + own / 4, square_column(j) + own % 4 * 4, four_at(square + 4 * own));
                __syncwarp();
            }
    }
};
