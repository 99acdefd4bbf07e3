// Regions of interest: rows [image, x1, y1, x2, y2] of `rois`, whose corners are scaled. The host has not looked at them.
#pragma once

// A whole number as an integer, within the bounds that regions of the host are held to; NaN is at one of them.
__device__ long long whole(REAL x) { return (long long)max(min(x, REAL(1 << 30)), REAL(-(1 << 30))); }

// The region's image, -1 if there is none with that number.
__device__ long long image_of(const REAL* roi, long long batch) {
    const long long n = whole(roi[0]);
    return n >= 0 && n < batch && roi[0] == (REAL)n ? n : -1;
}
