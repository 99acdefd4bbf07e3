// Products that are rounded before anything is added to them: the compiler would fuse the two.
#pragma once

__device__ float rounded_product(float a, float b) { return __fmul_rn(a, b); }
__device__ double rounded_product(double a, double b) { return __dmul_rn(a, b); }
