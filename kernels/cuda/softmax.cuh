// What softmax and the losses of logits ask of a line (lines.cuh).
#pragma once

// The largest element, which NaN is not, and the sum of e^(x - largest), which NaN and infinities make NaN.
template <class SUM>
__device__ void normalizer(const REAL* x, long long length, long long inner, REAL& largest, SUM& total) {
    largest = MINUS_INFINITY;
    FOR_EACH_OF_LINE(k) { largest = max(largest, x[k * inner]); }
    largest = largest_of_lanes(largest);
    total = 0;
    FOR_EACH_OF_LINE(k) { total += exp((SUM)x[k * inner] - (SUM)largest); }
    total = sum_of_lanes(total);
}
