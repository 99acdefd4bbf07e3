// The fully connected layer's gradient of the bias; its products are product.cu's. Elements are STORED, sums REAL.
#include "common.cuh"
#include "half.cuh"

#define COLUMNS 32
#define SHARES 8

// db[o] = sum over n of dy[n, o]: a block has 32 columns, and for each of them eight threads that take every eighth row
extern "C" __global__ void __launch_bounds__(COLUMNS * SHARES)
column_sums(const STORED* dys, STORED* sums, long long rows, long long columns) {
    __shared__ REAL partial[SHARES][COLUMNS];
    const long long column = (long long)blockIdx.x * COLUMNS + threadIdx.x;
    REAL sum = 0;
    if (column < columns)
        for (long long row = threadIdx.y; row < rows; row += SHARES) sum += REAL(dys[row * columns + column]);
    partial[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y == 0 && column < columns) {
        for (int share = 1; share < SHARES; ++share) sum += partial[share][threadIdx.x];
        sums[column] = STORED(sum);
    }
}
