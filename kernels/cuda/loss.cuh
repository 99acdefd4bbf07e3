// What the losses of labels share. REAL is float or double; losses are in double.
#pragma once

// Labels, a weight per class (null: ones), and the label of samples that do not count.
#define LABELS const long long* labels, const REAL* weights, long long ignore_index

// The weight of a sample: 0 if it is ignored, NaN if its label is no class, for nobody has looked at the labels before.
__device__ double sample_weight(long long label, const REAL* weights, long long classes, long long ignore_index) {
    if (label == ignore_index) return 0;
    if (label < 0 || label >= classes) return __int_as_float(0x7fffffff);
    return weights ? (double)weights[label] : 1;
}

// What comes from above: dy for each sample or for all together, and what a mean divides by, a number in device memory
// or, where that is null, the divisor.
#define UPSTREAM const REAL* dys, int per_sample, const double* total, double divisor
#define UPSTREAM_OF(sample) (dys[per_sample ? (sample) : 0] / (total ? *total : divisor))
