// What every kernel file of this project includes.
#pragma once

// i runs over 0 .. count - 1, shared out evenly to all threads of the grid; in 64 bits, for arrays may have more
// than 2^31 elements.
#define FOR_EACH(i, count)                                                                       \
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x, step_ = (long long)gridDim.x * blockDim.x; \
         i < (count); i += step_)

#define MINUS_INFINITY ((REAL)__int_as_float(0xff800000))
#define NOT_A_NUMBER ((REAL)__int_as_float(0x7fffffff))
