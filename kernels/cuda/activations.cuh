// Activations as functions of one number, and a number for each of those that can end another kernel (activations.py).
// REAL is float or double. A comparison with NaN is false, so the order of the branches says what becomes of NaN.
#pragma once

#define ZERO REAL(0)

__device__ REAL relu(REAL x) { return x <= ZERO ? ZERO : x; }
__device__ REAL relu6(REAL x) { return x <= ZERO ? ZERO : x >= REAL(6) ? REAL(6) : x; }
__device__ REAL hardsigmoid(REAL x) { return relu6(x + REAL(3)) / REAL(6); }
__device__ REAL hardswish(REAL x) { return x * relu6(x + REAL(3)) / REAL(6); }

// With e = e^-|x|: 1 / (1 + e) on the right, e / (1 + e) on the left; neither overflows.
__device__ REAL sigmoid(REAL x) {
    const REAL e = exp(-abs(x));
    return (x < ZERO ? e : REAL(1)) / (REAL(1) + e);
}
__device__ REAL silu(REAL x) { return x * sigmoid(x); }

// The cases in the order of kernels/prepared.py's ACTIVATIONS; all threads take the same one.
__device__ REAL activated(REAL x, int activation) {
    switch (activation) {
        case 1: return relu(x);
        case 2: return relu6(x);
        case 3: return hardsigmoid(x);
        case 4: return hardswish(x);
        case 5: return sigmoid(x);
        case 6: return silu(x);
        case 7: return tanh(x);
        default: return x;
    }
}
