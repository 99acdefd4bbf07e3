// A sliding window as kernels take it (window.py), and walks over its taps.
#pragma once

// Sizes of the input's and the output's planes, then the window.
#define WINDOW                                                                                       \
    long long H, long long W, long long OH, long long OW, long long KH, long long KW, long long SH, long long SW, \
        long long top, long long left, long long DH, long long DW

// The body runs for every tap (p, q) of the window at output position (i, j) that stands inside the plane, with its
// element (h, w), in row-major order.
#define FOR_EACH_TAP(i, j, p, q, h, w)                                                               \
    for (long long p = 0, h = (i) * SH - top; p < KH; ++p, h += DH)                                  \
        if (h >= 0 && h < H)                                                                         \
            for (long long q = 0, w = (j) * SW - left; q < KW; ++q, w += DW)                         \
                if (w >= 0 && w < W)

// The body runs for every output position (i, j) whose window covers the element (h, w), with the tap (p, q) that
// does: what a gradient gathers. Positions ascend.
#define FOR_EACH_COVERING(h, w, i, j, p, q)                                                          \
    for (long long p = KH - 1, i_ = (h) + top - p * DH; p >= 0; --p, i_ += DH)                       \
        if (i_ >= 0 && i_ % SH == 0 && i_ / SH < OH)                                                 \
            for (long long i = i_ / SH, q = KW - 1, j_ = (w) + left - q * DW; q >= 0; --q, j_ += DW) \
                if (long long j = j_ / SW; j_ >= 0 && j_ % SW == 0 && j < OW)
