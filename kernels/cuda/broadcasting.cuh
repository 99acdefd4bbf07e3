// Up to four axes of a result and of operands that repeat along some of them (broadcasting.py).
#pragma once

// The last three lengths of the result's four axes, and an operand's strides along all four; then where the operand's
// element for place i of the result is, after SPLIT(i).
#define LENGTHS long long n1, long long n2, long long n3
#define STRIDES(X) long long X##0, long long X##1, long long X##2, long long X##3
#define SPLIT(i) const long long i3 = i % n3, i2 = i / n3 % n2, i1 = i / (n3 * n2) % n1, i0 = i / (n3 * n2 * n1)
#define PLACE(X) (i0 * X##0 + i1 * X##1 + i2 * X##2 + i3 * X##3)
