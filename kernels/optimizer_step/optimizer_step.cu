// The optimisers' updates: one thread per element reads and writes everything of it once. Pointers that may be null say
// which form of the update is meant. REAL is float or double.
#include "common.cuh"

extern "C" __global__ void sgd_step(REAL* parameters, const REAL* gradients, REAL* momentum_buffer, long long count,
                                    REAL lr, REAL momentum, REAL one_minus_dampening, REAL weight_decay, int nesterov,
                                    int first) {
    FOR_EACH(i, count) {
        const REAL g = gradients[i] + weight_decay * parameters[i];
        REAL direction = g;
        if (momentum_buffer) {
            const REAL b = first ? g : momentum * momentum_buffer[i] + one_minus_dampening * g;
            momentum_buffer[i] = b;
            direction = nesterov ? g + momentum * b : b;
        }
        parameters[i] -= lr * direction;
    }
}

// Adam where shrink is 0, AdamW where weight_decay is. The corrections are 1 - beta^t.
extern "C" __global__ void adam_step(REAL* parameters, const REAL* gradients, REAL* exp_avg, REAL* exp_avg_sq,
                                     REAL* max_exp_avg_sq, long long count, REAL lr, REAL beta1, REAL one_minus_beta1,
                                     REAL beta2, REAL one_minus_beta2, REAL correction1, REAL correction2, REAL eps,
                                     REAL weight_decay, REAL shrink) {
    FOR_EACH(i, count) {
        const REAL parameter = parameters[i] - shrink * parameters[i];
        const REAL g = gradients[i] + weight_decay * parameter;
        const REAL m = beta1 * exp_avg[i] + one_minus_beta1 * g;
        const REAL v = beta2 * exp_avg_sq[i] + one_minus_beta2 * g * g;
        exp_avg[i] = m;
        exp_avg_sq[i] = v;
        REAL u = v;
        if (max_exp_avg_sq) {
            const REAL before = max_exp_avg_sq[i];
            u = before != before || before > v ? before : v;  // NaN stays
            max_exp_avg_sq[i] = u;
        }
        parameters[i] = parameter - lr * (m / correction1) / (sqrt(u / correction2) + eps);
    }
}

extern "C" __global__ void rmsprop_step(REAL* parameters, const REAL* gradients, REAL* square_avg, REAL* grad_avg,
                                        REAL* momentum_buffer, long long count, REAL lr, REAL alpha,
                                        REAL one_minus_alpha, REAL eps, REAL weight_decay, REAL momentum) {
    FOR_EACH(i, count) {
        const REAL g = gradients[i] + weight_decay * parameters[i];
        REAL variance = alpha * square_avg[i] + one_minus_alpha * g * g;
        square_avg[i] = variance;
        if (grad_avg) {
            const REAL mean = alpha * grad_avg[i] + one_minus_alpha * g;
            grad_avg[i] = mean;
            variance -= mean * mean;
            if (variance < REAL(0)) variance = 0;
        }
        REAL direction = g / (sqrt(variance) + eps);
        if (momentum_buffer) {
            direction += momentum * momentum_buffer[i];
            momentum_buffer[i] = direction;
        }
        parameters[i] -= lr * direction;
    }
}
