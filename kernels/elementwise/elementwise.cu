// Arithmetic, one thread per element of the result. ELEMENT is the operands' type, FLOATING says whether it is a
// floating-point type.
#include "common.cuh"
#include "broadcasting.cuh"

// Sums of integers wrap around, which C++ promises for unsigned ones only.
#if FLOATING
typedef ELEMENT U;
#else
typedef unsigned long long U;
#endif

// ---- formulas -----------------------------------------------------------------------------------

// A comparison with NaN is false: NaN wins from either side.
__device__ ELEMENT larger(ELEMENT a, ELEMENT b) { return a != a || a > b ? a : b; }
__device__ ELEMENT smaller(ELEMENT a, ELEMENT b) { return a != a || a < b ? a : b; }

#if FLOATING
__device__ ELEMENT negated(ELEMENT x) { return -x; }

// floor(a / b) from the exact remainder, so that a = b quotient + remainder holds after rounding.
__device__ ELEMENT floor_quotient(ELEMENT a, ELEMENT b) {
    if (b == 0) return a / b;
    const ELEMENT rest = fmod(a, b);
    ELEMENT quotient = (a - rest) / b;
    if (rest != 0 && (b < 0) != (rest < 0)) quotient -= 1;
    const ELEMENT whole = floor(quotient);
    return quotient - whole > ELEMENT(0.5) ? whole + 1 : whole;
}
__device__ ELEMENT floor_remainder(ELEMENT a, ELEMENT b) {
    const ELEMENT rest = fmod(a, b);
    return rest != 0 && (b < 0) != (rest < 0) ? rest + b : rest;
}
#else
__device__ ELEMENT negated(ELEMENT x) { return (ELEMENT)(U(0) - U(x)); }
#endif

// ---- one operand --------------------------------------------------------------------------------

#define UNARY(NAME, RESULT, FORMULA)                                                              \
    extern "C" __global__ void each_##NAME(const ELEMENT* xs, RESULT* ys, long long count) {           \
        FOR_EACH(i, count) {                                                                     \
            const ELEMENT x = xs[i];                                                                   \
            ys[i] = (RESULT)(FORMULA);                                                           \
        }                                                                                        \
    }

UNARY(copy, ELEMENT, x)
UNARY(negative, ELEMENT, negated(x))
UNARY(absolute, ELEMENT, x < 0 ? negated(x) : (ELEMENT)(x + (ELEMENT)0))  // + 0 turns -0.0 into 0.0
UNARY(sign, ELEMENT, x > 0 ? 1 : x < 0 ? -1 : 0)
UNARY(is_nan, bool, x != x)
#if FLOATING
UNARY(is_finite, bool, x - x == 0)  // only a finite number minus itself is 0
UNARY(exponential, ELEMENT, exp(x))
UNARY(logarithm, ELEMENT, log(x))
UNARY(square_root, ELEMENT, sqrt(x))
UNARY(sine, ELEMENT, sin(x))
UNARY(cosine, ELEMENT, cos(x))
UNARY(floor, ELEMENT, floor(x))
UNARY(round_half_even, ELEMENT, rint(x))
#else
UNARY(is_finite, bool, true)
#endif

extern "C" __global__ void each_clip(const ELEMENT* xs, ELEMENT* ys, long long count, ELEMENT low, ELEMENT high) {
    FOR_EACH(i, count) {
        const ELEMENT raised = xs[i] < low ? low : xs[i];
        ys[i] = raised > high ? high : raised;
    }
}

// ---- two operands of one shape, and two that broadcast ----------------------------------------------

#define BINARY(NAME, FORMULA)                                                                     \
    extern "C" __global__ void each_##NAME(const ELEMENT* as, const ELEMENT* bs, ELEMENT* ys, long long count) {   \
        FOR_EACH(i, count) {                                                                     \
            const ELEMENT a = as[i], b = bs[i];                                                        \
            ys[i] = (ELEMENT)(FORMULA);                                                                \
        }                                                                                        \
    }                                                                                            \
    extern "C" __global__ void strides_##NAME(const ELEMENT* as, const ELEMENT* bs, ELEMENT* ys, long long count, LENGTHS, \
                                              STRIDES(a_step), STRIDES(b_step)) {                \
        FOR_EACH(i, count) {                                                                     \
            SPLIT(i);                                                                            \
            const ELEMENT a = as[PLACE(a_step)], b = bs[PLACE(b_step)];                                \
            ys[i] = (ELEMENT)(FORMULA);                                                                \
        }                                                                                        \
    }

BINARY(add, U(a) + U(b))
BINARY(subtract, U(a) - U(b))
BINARY(multiply, U(a) * U(b))
BINARY(maximum, larger(a, b))
BINARY(minimum, smaller(a, b))
#if FLOATING
BINARY(divide, a / b)
BINARY(floor_divide, floor_quotient(a, b))
BINARY(remainder, floor_remainder(a, b))
BINARY(power, pow(a, b))
#endif

extern "C" __global__ void strides_copy(const ELEMENT* xs, ELEMENT* ys, long long count, LENGTHS, STRIDES(x_step)) {
    FOR_EACH(i, count) {
        SPLIT(i);
        ys[i] = xs[PLACE(x_step)];
    }
}

extern "C" __global__ void strides_where(const bool* conditions, const ELEMENT* as, const ELEMENT* bs, ELEMENT* ys, long long count,
                                         LENGTHS, STRIDES(c_step), STRIDES(a_step), STRIDES(b_step)) {
    FOR_EACH(i, count) {
        SPLIT(i);
        ys[i] = conditions[PLACE(c_step)] ? as[PLACE(a_step)] : bs[PLACE(b_step)];
    }
}
