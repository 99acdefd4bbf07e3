// Reductions of the rows of (rows, length): a block per row, whose threads first take every 256th element and then
// combine what they have in pairs. The order depends on nothing but the length, so the bits never change.
// ELEMENT is the elements' type, SUM the type in which they are added up, FLOATING says whether ELEMENT is a floating-point type.
#include "common.cuh"

#define THREADS 256

// a becomes FORMULA of a and b, from FIRST on
#define REDUCTION(NAME, RESULT, FIRST, FORMULA)                                                   \
    extern "C" __global__ void __launch_bounds__(THREADS)                                         \
        NAME(const ELEMENT* xs, RESULT* ys, long long rows, long long length) {                         \
        __shared__ RESULT partial[THREADS];                                                       \
        for (long long row = blockIdx.x; row < rows; row += gridDim.x) {                          \
            const ELEMENT* x = xs + row * length;                                                       \
            RESULT mine = FIRST;                                                                  \
            for (long long k = threadIdx.x; k < length; k += THREADS) {                           \
                const RESULT a = mine, b = (RESULT)x[k];                                          \
                mine = FORMULA;                                                                   \
            }                                                                                     \
            partial[threadIdx.x] = mine;                                                          \
            __syncthreads();                                                                      \
            for (int half = THREADS / 2; half > 0; half /= 2) {                                   \
                if (threadIdx.x < half) {                                                         \
                    const RESULT a = partial[threadIdx.x], b = partial[threadIdx.x + half];       \
                    partial[threadIdx.x] = FORMULA;                                               \
                }                                                                                 \
                __syncthreads();                                                                  \
            }                                                                                     \
            if (threadIdx.x == 0) ys[row] = partial[0];                                           \
            __syncthreads(); /* the next row overwrites what was read */                          \
        }                                                                                         \
    }

// Sums of integers wrap around, which C++ promises for unsigned ones only.
#if FLOATING
typedef SUM U;
#else
typedef unsigned long long U;
#endif

REDUCTION(reduce_sum, SUM, 0, (SUM)(U(a) + U(b)))
REDUCTION(reduce_product, SUM, 1, (SUM)(U(a) * U(b)))
REDUCTION(reduce_maximum, ELEMENT, x[0], a != a || a > b ? a : b)
REDUCTION(reduce_minimum, ELEMENT, x[0], a != a || a < b ? a : b)
REDUCTION(reduce_any, ELEMENT, 0, a || b)
REDUCTION(reduce_all, ELEMENT, 1, a && b)

// ---- places -------------------------------------------------------------------------------------

// Whether element b at place j comes before element a at place i: NaN first, then the better one, then the former.
#define FIND(NAME, BETTER)                                                                        \
    __device__ bool NAME##_prefers(ELEMENT a, long long i, ELEMENT b, long long j) {                          \
        const bool a_nan = a != a, b_nan = b != b;                                                \
        if (a_nan != b_nan) return b_nan;                                                         \
        if (!a_nan && a != b) return b BETTER a;                                                  \
        return j < i;                                                                             \
    }                                                                                             \
    extern "C" __global__ void __launch_bounds__(THREADS)                                         \
        NAME(const ELEMENT* xs, long long* ys, long long rows, long long length) {                      \
        __shared__ long long partial[THREADS];                                                    \
        for (long long row = blockIdx.x; row < rows; row += gridDim.x) {                          \
            const ELEMENT* x = xs + row * length;                                                       \
            long long mine = 0;                                                                   \
            for (long long k = threadIdx.x; k < length; k += THREADS)                             \
                if (NAME##_prefers(x[mine], mine, x[k], k)) mine = k;                             \
            partial[threadIdx.x] = mine;                                                          \
            __syncthreads();                                                                      \
            for (int half = THREADS / 2; half > 0; half /= 2) {                                   \
                if (threadIdx.x < half) {                                                         \
                    const long long i = partial[threadIdx.x], j = partial[threadIdx.x + half];    \
                    if (NAME##_prefers(x[i], i, x[j], j)) partial[threadIdx.x] = j;               \
                }                                                                                 \
                __syncthreads();                                                                  \
            }                                                                                     \
            if (threadIdx.x == 0) ys[row] = partial[0];                                           \
            __syncthreads(); /* the next row overwrites what was read */                          \
        }                                                                                         \
    }

FIND(argmax, >)
FIND(argmin, <)

// ---- one thread per row, and per element --------------------------------------------------------

// y[k] = x[0] + ... + x[k] along an axis of (outer, length, inner), or from its end.
extern "C" __global__ void cumulative_sum(const ELEMENT* xs, SUM* ys, long long count, long long length, long long inner,
                                          int reverse) {
    FOR_EACH(line, count) {
        const long long start = line / inner * length * inner + line % inner;
        SUM sum = 0;
        for (long long k = 0; k < length; ++k) {
            const long long place = start + (reverse ? length - 1 - k : k) * inner;
            sum = (SUM)(U(sum) + U((SUM)xs[place]));
            ys[place] = sum;
        }
    }
}

#if FLOATING
// dx[k] = dy times the product of all other elements of the row: nothing is divided, so zeros are exact.
extern "C" __global__ void reduce_product_backward(const ELEMENT* dys, const ELEMENT* xs, ELEMENT* dxs, long long count, long long length) {
    FOR_EACH(place, count) {
        const long long row = place / length, own = place % length;
        ELEMENT product = dys[row];
        for (long long k = 0; k < length; ++k)
            if (k != own) product *= xs[row * length + k];
        dxs[place] = product;
    }
}
#endif
