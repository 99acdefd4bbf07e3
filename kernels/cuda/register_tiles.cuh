// The product of two matrices whose elements are brought by loaders: what is the same wherever they come from.
//
// A block computes ROWS x COLUMNS elements of the product, a thread ROWS_EACH x COLUMNS_EACH (4 or 8) of them in
// registers. Loaders bring DEPTH elements of every row and column at a time. There is room for two such tiles: while
// one is multiplied, the elements of the next are on their way from global memory to registers, and one barrier per
// tile is enough.
//
// STORED is the type of elements in memory, REAL the one that is computed in. A loader has
//     fetch()      the thread's share of the next tile from global memory to registers, 0 where the matrix ends
//     put(tile)    from there to shared memory
#pragma once

#define SIDE 16
#define THREADS (SIDE * SIDE)
#define ROWS (SIDE * ROWS_EACH)
#define COLUMNS (SIDE * COLUMNS_EACH)
#define DEPTH (ROWS_EACH * COLUMNS_EACH == 64 ? 8 : 16)
#define PAD 4  // keeps vectors aligned and brings what a warp writes at a time to different banks

// Four neighbouring elements, read and written together (doubles two at a time).
template <class T>
struct __align__(sizeof(T) > 4 ? 16 : 4 * sizeof(T)) Four {
    T each[4];
};

template <class T>
__device__ bool aligned(const T* place) { return (unsigned long long)place % sizeof(Four<T>) == 0; }
template <class T>
__device__ Four<T> four_at(const T* place) { return *reinterpret_cast<const Four<T>*>(place); }

struct __align__(16) Tiles {
    REAL left[2][DEPTH][ROWS + PAD];
    REAL right[2][DEPTH][COLUMNS + PAD];
};

// Where a thread's elements lie in the block's: fours of neighbours, SIDE fours apart.
__device__ int own_row(int i) { return i / 4 * (4 * SIDE) + (int)threadIdx.x / SIDE * 4 + i % 4; }
__device__ int own_column(int j) { return j / 4 * (4 * SIDE) + (int)threadIdx.x % SIDE * 4 + j % 4; }

// A thread's part of the product; every element is summed by one thread in ascending order.
struct Product {
    REAL sums[ROWS_EACH][COLUMNS_EACH] = {};

    // Adds the product of the loaders' next `depth` columns and rows.
    template <class Left, class Right>
    __device__ void add(Tiles& tiles, Left& left, Right& right, long long depth) {
        left.fetch();
        right.fetch();
        left.put(tiles.left[0]);
        right.put(tiles.right[0]);
        __syncthreads();
        int now = 0;
        for (long long start = 0; start < depth; start += DEPTH, now = 1 - now) {
            const bool more = depth - start > DEPTH;
            if (more) left.fetch();
            if (more) right.fetch();
            multiply(tiles.left[now], tiles.right[now]);
            if (more) left.put(tiles.left[1 - now]);
            if (more) right.put(tiles.right[1 - now]);
            __syncthreads();
        }
    }

    __device__ void multiply(const REAL (*left)[ROWS + PAD], const REAL (*right)[COLUMNS + PAD]) {
#pragma unroll
        for (int k = 0; k < DEPTH; ++k) {
            Four<REAL> a[ROWS_EACH / 4], b[COLUMNS_EACH / 4];
            for (int i = 0; i < ROWS_EACH / 4; ++i) a[i] = four_at(&left[k][own_row(4 * i)]);
            for (int j = 0; j < COLUMNS_EACH / 4; ++j) b[j] = four_at(&right[k][own_column(4 * j)]);
            for (int i = 0; i < ROWS_EACH; ++i)
                for (int j = 0; j < COLUMNS_EACH; ++j) sums[i][j] += a[i / 4].each[i % 4] * b[j / 4].each[j % 4];
        }
    }

    // put(row, column, four) gets four neighbours of a row of the block's elements, each of them once.
    template <class Put>
    __device__ void hand_out(Tiles&, Put put) const {
        for (int j = 0; j < COLUMNS_EACH; j += 4)
            for (int i = 0; i < ROWS_EACH; ++i)
                put(own_row(i), own_column(j), Four<REAL>{sums[i][j], sums[i][j + 1], sums[i][j + 2], sums[i][j + 3]});
    }
};

// Rows that lie along the depth, such as filters: `first` is the block's first row, `rows` how many there are from it on.
struct RowLoader {
    static constexpr int ACROSS = DEPTH / 4, STEP = THREADS / ACROSS, EACH = ROWS / STEP;
    const STORED* next;
    long long depth, left;  // left: elements of the row from this thread's next ones on
    int row, rows;
    bool vectors;
    STORED fetched[EACH][4];

    __device__ RowLoader(const STORED* first, long long rows, long long depth)
        : depth(depth), row(threadIdx.x / ACROSS), rows((int)min(rows, (long long)ROWS)) {
        const int k = threadIdx.x % ACROSS * 4;
        next = first + row * depth + k;
        left = depth - k;
        vectors = depth % 4 == 0 && aligned(first);
    }
    __device__ void fetch() {
#pragma unroll
        for (int i = 0; i < EACH; ++i) {
            const STORED* x = next + i * STEP * depth;
            const long long inside = row + i * STEP < rows ? left : 0;
            if (vectors && inside > 0) {
                const Four<STORED> four = four_at(x);
                for (int k = 0; k < 4; ++k) fetched[i][k] = four.each[k];
            } else {
                for (int k = 0; k < 4; ++k) fetched[i][k] = k < inside ? x[k] : STORED(0);
            }
        }
        next += DEPTH;
        left -= DEPTH;
    }
    __device__ void put(REAL (*tile)[ROWS + PAD]) const {
        const int first = threadIdx.x % ACROSS * 4;
        for (int i = 0; i < EACH; ++i)
            for (int k = 0; k < 4; ++k) tile[first + k][row + i * STEP] = REAL(fetched[i][k]);
    }
};
