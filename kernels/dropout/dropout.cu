// Dropout, forward and backward alike: every element draws its own bits, which depend on the seed and its index alone
// (kernels/random_bits.py). REAL is float or double.
#include "common.cuh"

typedef unsigned long long Word;

// The output function of SplitMix; unsigned arithmetic wraps around at 2^64.
__device__ Word mix(Word z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

// y = x scale where the upper 24 bits reach the threshold, else 0, whatever x is
extern "C" __global__ void dropout(const REAL* xs, REAL* ys, long long count, Word mixed_seed, Word threshold,
                                   REAL scale) {
    FOR_EACH(i, count) {
        const Word bits = mix(mixed_seed + (Word)(i + 1) * 0x9E3779B97F4A7C15ull);
        ys[i] = bits >> 40 >= threshold ? xs[i] * scale : REAL(0);
    }
}
