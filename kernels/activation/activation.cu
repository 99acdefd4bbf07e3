// The activations: one thread per element, the formulas of reference.py. REAL is float or double.
#include "common.cuh"
#include "activations.cuh"

// y = FORMULA of x
#define FORWARD(NAME, FORMULA)                                                                   \
    extern "C" __global__ void NAME##_forward(const REAL* xs, REAL* ys, long long count) {       \
        FOR_EACH(i, count) {                                                                     \
            const REAL x = xs[i];                                                                \
            ys[i] = FORMULA;                                                                     \
        }                                                                                        \
    }

// dx = FORMULA of dy and what was saved, the input x or the output y
#define BACKWARD(NAME, SAVED, FORMULA)                                                           \
    extern "C" __global__ void NAME##_backward(const REAL* dys, const REAL* saved, REAL* dxs, long long count) { \
        FOR_EACH(i, count) {                                                                     \
            const REAL dy = dys[i], SAVED = saved[i];                                            \
            dxs[i] = FORMULA;                                                                    \
        }                                                                                        \
    }

// Phi(x) = erfc(-x / sqrt 2) / 2 keeps the digits of its left tail.
__device__ REAL normal_probability(REAL x) { return REAL(0.5) * erfc(-x / REAL(1.4142135623730951)); }
__device__ REAL normal_density(REAL x) { return exp(-x * x / REAL(2)) / REAL(2.5066282746310002); }

// u of gelu's approximation x (1 + tanh u) / 2 = x sigmoid(2 u), and du/dx
__device__ REAL gelu_argument(REAL x) {
    return REAL(0.7978845608028654) * (x + REAL(0.044715) * x * x * x);
}
__device__ REAL gelu_argument_slope(REAL x) {
    return REAL(0.7978845608028654) * (REAL(1) + REAL(0.134145) * x * x);
}
__device__ REAL gelu_tanh_derivative(REAL x) {
    const REAL u = gelu_argument(x), phi = sigmoid(REAL(2) * u), slope = phi * sigmoid(REAL(-2) * u);
    // Where the sigmoid is flat its slope is 0, however large u' has become.
    return slope == ZERO ? phi : phi + x * slope * REAL(2) * gelu_argument_slope(x);
}

FORWARD(relu, relu(x))
FORWARD(relu6, relu6(x))
FORWARD(sigmoid, sigmoid(x))
FORWARD(tanh, tanh(x))
FORWARD(hardsigmoid, hardsigmoid(x))
FORWARD(hardswish, hardswish(x))
FORWARD(silu, silu(x))
FORWARD(gelu_none, x * normal_probability(x))
FORWARD(gelu_tanh, x * sigmoid(REAL(2) * gelu_argument(x)))

// A comparison with NaN is false, so the order of the branches says what becomes of NaN.
BACKWARD(relu, y, y <= ZERO ? ZERO : dy)
BACKWARD(relu6, y, y <= ZERO || y >= REAL(6) ? ZERO : dy)
BACKWARD(sigmoid, y, dy * y * (REAL(1) - y))
BACKWARD(tanh, y, dy * (REAL(1) - y * y))
BACKWARD(hardsigmoid, x, x > REAL(-3) && x < REAL(3) ? dy / REAL(6) : ZERO)
BACKWARD(hardswish, x, x <= REAL(-3) ? ZERO : x < REAL(3) ? dy * (x / REAL(3) + REAL(0.5)) : dy)
BACKWARD(silu, x, dy * sigmoid(x) * (REAL(1) + x * sigmoid(-x)))
BACKWARD(gelu_none, x, dy * (normal_probability(x) + x * normal_density(x)))
BACKWARD(gelu_tanh, x, dy * gelu_tanh_derivative(x))

extern "C" __global__ void leaky_relu_forward(const REAL* xs, REAL* ys, long long count, REAL negative_slope) {
    FOR_EACH(i, count) { ys[i] = xs[i] > ZERO ? xs[i] : negative_slope * xs[i]; }
}
extern "C" __global__ void leaky_relu_backward(const REAL* dys, const REAL* xs, REAL* dxs, long long count,
                                               REAL negative_slope) {
    FOR_EACH(i, count) { dxs[i] = xs[i] > ZERO ? dys[i] : negative_slope * dys[i]; }
}
