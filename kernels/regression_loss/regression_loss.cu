// Losses of the difference d = x - target, one thread per element. REAL is float or double; losses are in double.
#include "common.cuh"
#include "loss.cuh"

// Kept at its bounds, NaN is passed on.
__device__ REAL clipped(REAL x, REAL low, REAL high) { return x < low ? low : x > high ? high : x; }
__device__ REAL sign(REAL d) { return REAL((d > 0) - (d < 0)); }

// l = w LOSS and dx = g w SLOPE, for a formula of d and beta; weights is null where all are 1
#define DISTANCE(NAME, LOSS, SLOPE)                                                                              \
    extern "C" __global__ void NAME##_losses(const REAL* xs, const REAL* targets, const REAL* weights,           \
                                             double* losses, long long count, REAL beta) {                       \
        FOR_EACH(i, count) {                                                                                     \
            const REAL d = xs[i] - targets[i], loss = LOSS;                                                      \
            losses[i] = weights ? loss * weights[i] : loss;                                                      \
        }                                                                                                        \
    }                                                                                                            \
    extern "C" __global__ void NAME##_gradients(UPSTREAM, const REAL* xs, const REAL* targets,                   \
                                                const REAL* weights, REAL* dxs, long long count, REAL beta) {    \
        FOR_EACH(i, count) {                                                                                     \
            const REAL d = xs[i] - targets[i], slope = SLOPE;                                                    \
            dxs[i] = (REAL)(UPSTREAM_OF(i) * (weights ? slope * weights[i] : slope));                            \
        }                                                                                                        \
    }

DISTANCE(mse, d * d, 2 * d)
DISTANCE(l1, abs(d), sign(d))
// beta = 0 leaves no parabola
DISTANCE(smooth_l1, abs(d) < beta ? d * d / (2 * beta) : abs(d) - beta / 2,
         beta > 0 ? clipped(d / beta, REAL(-1), REAL(1)) : d == d ? sign(d) : d)
