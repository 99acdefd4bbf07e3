// Steps that losses have in common.
#include "common.cuh"
#include "loss.cuh"

extern "C" __global__ void sample_weights(LABELS, double* result, long long count, long long classes) {
    FOR_EACH(sample, count) { result[sample] = sample_weight(labels[sample], weights, classes, ignore_index); }
}

// The sum of the losses, divided by a number in device memory or, where that is null, by the divisor.
extern "C" __global__ void finish_loss(const double* sum, const double* total, double divisor, REAL* result) {
    *result = (REAL)(*sum / (total ? *total : divisor));
}
