// Binary cross-entropy of logits, one thread per element, in double whatever REAL is (float or double).
#include "common.cuh"
#include "broadcasting.cuh"
#include "loss.cuh"

// Factors w and u, which repeat along some axes of x; a null pointer means 1.
#define FACTORS const REAL* weights, const REAL* positive_weights, LENGTHS, STRIDES(w_step), STRIDES(u_step)
#define FACTORS_OF(i)                                                                            \
    SPLIT(i);                                                                                    \
    const double w = weights ? weights[PLACE(w_step)] : 1, u = positive_weights ? positive_weights[PLACE(u_step)] : 1

// Exponentials of numbers up to 0 only: nothing overflows.
__device__ double softplus(double x) { return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)); }
__device__ double sigmoid(double x) {
    const double e = exp(x > 0 ? -x : x);
    return (x > 0 ? 1 : e) / (1 + e);
}

// l = w (u t softplus(-x) + (1 - t) softplus(x))
extern "C" __global__ void losses_of_logits(const REAL* xs, const REAL* targets, double* losses, long long count,
                                            FACTORS) {
    FOR_EACH(i, count) {
        FACTORS_OF(i);
        const double x = xs[i], t = targets[i];
        losses[i] = w * (u * t * softplus(-x) + (1 - t) * softplus(x));
    }
}

// dx = g w ((1 - t) sigmoid(x) - u t sigmoid(-x))
extern "C" __global__ void input_gradients(UPSTREAM, const REAL* xs, const REAL* targets, REAL* dxs, long long count,
                                           FACTORS) {
    FOR_EACH(i, count) {
        FACTORS_OF(i);
        const double x = xs[i], t = targets[i];
        dxs[i] = (REAL)(UPSTREAM_OF(i) * w * ((1 - t) * sigmoid(x) - u * t * sigmoid(-x)));
    }
}

// dt = g w (u softplus(-x) - softplus(x))
extern "C" __global__ void target_gradients(UPSTREAM, const REAL* xs, REAL* dtargets, long long count, FACTORS) {
    FOR_EACH(i, count) {
        FACTORS_OF(i);
        const double x = xs[i];
        dtargets[i] = (REAL)(UPSTREAM_OF(i) * w * (u * softplus(-x) - softplus(x)));
    }
}
