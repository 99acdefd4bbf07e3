// A product of tiles (tiles.cuh) that threads compute: each has ROWS_EACH x COLUMNS_EACH elements in registers.
#pragma once

// Where a thread's elements lie in the block's: fours of neighbours, SIDE fours apart.
__device__ int own_row(int i) { return i / 4 * (4 * SIDE) + (int)threadIdx.x / SIDE * 4 + i % 4; }
__device__ int own_column(int j) { return j / 4 * (4 * SIDE) + (int)threadIdx.x % SIDE * 4 + j % 4; }

// A thread's part of the product; every element is summed by one thread in ascending order.
struct Product {
    REAL sums[ROWS_EACH][COLUMNS_EACH] = {};

    // Adds the product of the loaders' next `depth` columns and rows.
    template <class Left, class Right>
    __device__ void add(Tiles& tiles, Left& left, Right& right, long long depth) {
        for_each_tile(tiles, left, right, depth, [&](const Tiled (*a)[ROWS + PAD], const Tiled (*b)[COLUMNS + PAD]) {
            multiply(a, b);
        });
    }

    __device__ void multiply(const Tiled (*left)[ROWS + PAD], const Tiled (*right)[COLUMNS + PAD]) {
#pragma unroll
        for (int k = 0; k < DEPTH; ++k) {
            Four<REAL> a[ROWS_EACH / 4], b[COLUMNS_EACH / 4];
            for (int i = 0; i < ROWS_EACH / 4; ++i) a[i] = four_at(&left[k][own_row(4 * i)]);
            for (int j = 0; j < COLUMNS_EACH / 4; ++j) b[j] = four_at(&right[k][own_column(4 * j)]);
            for (int i = 0; i < ROWS_EACH; ++i)
                for (int j = 0; j < COLUMNS_EACH; ++j) sums[i][j] += a[i / 4].each[i % 4] * b[j / 4].each[j % 4];
        }
    }

    // put(row, column, four) gets four neighbours of a row of the block's elements, each of them once.
    template <class Put>
    __device__ void hand_out(Tiles&, Put put) const {
        for (int j = 0; j < COLUMNS_EACH; j += 4)
            for (int i = 0; i < ROWS_EACH; ++i)
                put(own_row(i), own_column(j), Four<REAL>{sums[i][j], sums[i][j + 1], sums[i][j + 2], sums[i][j + 3]});
    }
};

