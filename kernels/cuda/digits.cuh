// Numbers in mixed radix, such as (image, row, column): a place is taken apart once, by division, and then only added to.
#pragma once

struct Digits {
    int high, middle, low;
};

__device__ Digits digits_of(long long number, int middles, int lows) {
    const long long rest = number / lows;
    return {(int)(rest / middles), (int)(rest % middles), (int)(number % lows)};
}

// The sum of two numbers, of which the carries are at most 1.
__device__ Digits plus(Digits x, const Digits& y, int middles, int lows) {
    x.low += y.low;
    x.middle += y.middle;
    x.high += y.high;
    if (x.low >= lows) x.low -= lows, ++x.middle;
    if (x.middle >= middles) x.middle -= middles, ++x.high;
    return x;
}
