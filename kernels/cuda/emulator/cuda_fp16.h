// CUDA's header for half precision: 1 sign bit, 5 of the exponent, 10 of the significand. Computed in float and rounded
// to nearest, ties to even.
#pragma once
#include "kernel_table.h"

struct __half {
    __half() = default;
    __half(float x) : value(static_cast<_Float16>(x)) {}
    __half(double x) : value(static_cast<_Float16>(x)) {}
    __half(int x) : value(static_cast<_Float16>(x)) {}
    operator float() const { return static_cast<float>(value); }

  private:
    _Float16 value;
};
typedef __half half;
template <>
inline constexpr bool emulator::is_floating<__half> = true;

inline __half __float2half(float x) { return __half(x); }
inline __half __float2half_rn(float x) { return __half(x); }
inline float __half2float(__half x) { return x; }
