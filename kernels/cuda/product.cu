// The product of stacks of matrices A (rows, depth) and B (depth, columns), whichever way they lie in memory. ELEMENT is
// the elements' type, FLOATING says whether it is a floating-point type.
//
// A block computes TILE x TILE elements; its threads fetch DEPTH columns of A and rows of B at a time into shared
// memory, where each is used TILE times. A thread has EACH x EACH elements in registers, so that what it reads from
// shared memory it uses EACH times. Every element is summed by one thread in ascending order.
#include "common.cuh"
#include "half.cuh"
#include "broadcasting.cuh"

#define SIDE 16
#define EACH 4
#define TILE (SIDE * EACH)
#define DEPTH 16
#define THREADS (SIDE * SIDE)
// Shared memory has 32 banks of 4 bytes; threads of a warp wait for each other where they meet in one. Reading a row of a
// tile they never do. Writing along the depth, 16 threads go down a column and 16 down the next one: rows that are 8 bytes
// longer than a multiple of all banks send them to different banks, for elements of 4 bytes all 32 at once, for elements
// of 8 bytes, which take two turns anyway, the 16 of a turn.
#define PITCH (TILE + 8 / (int)sizeof(ELEMENT))

// Halves are summed as floats. Sums of integers wrap around, which C++ promises for unsigned ones only.
#if HALF
typedef float SUM;
#elif FLOATING
typedef ELEMENT SUM;
#else
typedef unsigned long long SUM;
#endif

// tile[k][l] becomes the element at depth `start` + k of line `first` + l, of lines of A or columns of B; 0 outside.
// Neighbouring threads read neighbouring elements, along the depth or across it, and every thread takes steps of one size.
__device__ void fetch(ELEMENT (*tile)[PITCH], const ELEMENT* xs, long long first, long long lines, long long line_step,
                      long long start, long long depth, long long depth_step) {
    const bool along = depth_step == 1;
    const int own_l = along ? threadIdx.x / DEPTH : threadIdx.x % TILE, l_step = along ? THREADS / DEPTH : 0;
    const int own_k = along ? threadIdx.x % DEPTH : threadIdx.x / TILE, k_step = along ? 0 : THREADS / TILE;
    const ELEMENT* x = xs + (first + own_l) * line_step + (start + own_k) * depth_step;
    const int lines_left = (int)min(lines - first, (long long)TILE), depth_left = (int)min(depth - start, (long long)DEPTH);
    for (int i = 0; i < TILE * DEPTH / THREADS; ++i) {
        const int l = own_l + i * l_step, k = own_k + i * k_step;
        const bool inside = l < lines_left && k < depth_left;
        tile[k][l] = inside ? x[i * (l_step * line_step + k_step * depth_step)] : (ELEMENT)0;
    }
}

// y[s] = A[s] B[s] + bias, a number per column or null; the stack's strides are in elements
extern "C" __global__ void __launch_bounds__(THREADS, 2)
product(const ELEMENT* as, const ELEMENT* bs, const ELEMENT* bias, ELEMENT* ys, long long rows, long long depth,
        long long columns, long long a_row, long long a_column, long long b_row, long long b_column, long long stack,
        LENGTHS, STRIDES(a_step), STRIDES(b_step)) {
    __shared__ ELEMENT a_tile[DEPTH][PITCH], b_tile[DEPTH][PITCH];
    const int tx = threadIdx.x % SIDE, ty = threadIdx.x / SIDE;
    const long long tiles_across = (columns + TILE - 1) / TILE;
    const long long top = blockIdx.x / tiles_across * TILE, left = blockIdx.x % tiles_across * TILE;
    for (long long s = blockIdx.y; s < stack; s += gridDim.y) {
        SPLIT(s);
        SUM sums[EACH][EACH] = {};
        for (long long start = 0; start < depth; start += DEPTH) {
            fetch(a_tile, as + PLACE(a_step), top, rows, a_row, start, depth, a_column);
            fetch(b_tile, bs + PLACE(b_step), left, columns, b_column, start, depth, b_row);
            __syncthreads();
#pragma unroll 4
            for (int k = 0; k < DEPTH; ++k)
                for (int i = 0; i < EACH; ++i)
                    for (int j = 0; j < EACH; ++j)
                        sums[i][j] += (SUM)a_tile[k][ty + i * SIDE] * (SUM)b_tile[k][tx + j * SIDE];
            __syncthreads();
        }
        for (int i = 0; i < EACH; ++i)
            for (int j = 0; j < EACH; ++j) {
                const long long row = top + ty + i * SIDE, column = left + tx + j * SIDE;
                if (row < rows && column < columns)
                    ys[(s * rows + row) * columns + column] =
                        (ELEMENT)(bias ? sums[i][j] + (SUM)bias[column] : sums[i][j]);
            }
    }
}
