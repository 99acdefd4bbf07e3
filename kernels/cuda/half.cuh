// Elements that are kept in memory as STORED and computed as REAL: halves as floats, others as they are (half.py).
#pragma once

#if HALF
#include <cuda_fp16.h>
#endif
