// Non-maximum suppression in three steps: the order of the boxes, which box covers which, and who is kept. REAL is float
// or double; every step of an overlap is rounded to it.
#include "common.cuh"
#include "rounding.cuh"

#define THREADS 256
#define BITS 64

// Whether score a at place i comes before score b at place j: NaN first, then the higher one, then the lower place.
__device__ bool comes_before(REAL a, long long i, REAL b, long long j) {
    const bool a_nan = a != a, b_nan = b != b;
    if (a_nan != b_nan) return a_nan;
    if (!a_nan && a != b) return a > b;
    return i < j;
}

// order[r] = the box of rank r; a thread per box counts those that come before it
extern "C" __global__ void rank_boxes(const REAL* scores, long long* order, long long count) {
    FOR_EACH(i, count) {
        long long rank = 0;
        for (long long j = 0; j < count; ++j) rank += comes_before(scores[j], j, scores[i], i);
        order[rank] = i;
    }
}

__device__ REAL area_of(const REAL* box) { return rounded_product(box[2] - box[0], box[3] - box[1]); }

// The intersection over union of two boxes [x1, y1, x2, y2].
__device__ REAL overlap(const REAL* a, const REAL* b) {
    const REAL width = max(min(a[2], b[2]) - max(a[0], b[0]), REAL(0));
    const REAL height = max(min(a[3], b[3]) - max(a[1], b[1]), REAL(0));
    const REAL intersection = rounded_product(width, height);
    return intersection / (area_of(a) + area_of(b) - intersection);
}

// Bit j % 64 of covers[i, j / 64] says whether box i covers box j, both counted by rank, where j comes after i and is of
// the same class (classes is null where there is but one); a thread per 64 bits
extern "C" __global__ void find_overlaps(const REAL* boxes, const long long* classes, const long long* order,
                                         unsigned long long* covers, long long count, long long boxes_count,
                                         long long words, double threshold) {
    FOR_EACH(place, count) {
        const long long i = place / words, first = place % words * BITS;
        const long long own = order[i];
        unsigned long long bits = 0;
        for (long long j = max(i + 1, first); j < min(first + BITS, boxes_count); ++j) {
            const long long other = order[j];
            if (classes && classes[own] != classes[other]) continue;
            if (overlap(boxes + own * 4, boxes + other * 4) > threshold) bits |= 1ULL << (j - first);
        }
        covers[place] = bits;
    }
}

// kept = the boxes that no kept one before them covers, and how many there are. One block: its threads share the words of
// `covered`, the bits of all boxes that are covered by then.
extern "C" __global__ void __launch_bounds__(THREADS)
keep_boxes(const long long* order, const unsigned long long* covers, unsigned long long* covered, long long* kept,
           long long* kept_count, long long boxes_count, long long words) {
    for (long long word = threadIdx.x; word < words; word += THREADS) covered[word] = 0;
    long long found = 0;
    for (long long i = 0; i < boxes_count; ++i) {
        __syncthreads();  // all words are as the boxes before have left them
        if (covered[i / BITS] >> (i % BITS) & 1) continue;
        if (threadIdx.x == 0) kept[found] = order[i];
        ++found;
        __syncthreads();  // all threads have seen the bit
        for (long long word = threadIdx.x; word < words; word += THREADS) covered[word] |= covers[i * words + word];
    }
    if (threadIdx.x == 0) *kept_count = found;
}
