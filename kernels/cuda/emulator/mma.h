// CUDA's header for tensor cores: products of matrices whose elements are spread over a warp (nvcuda::wmma).
//
// Element e of lane l is number 32 e + l of its matrix in row-major order. No kernel may rely on that: on a GPU the order
// is another one. Products of halves and of TF32 are exact in float; they are added in ascending order.
#pragma once
#include <cmath>
#include <source_location>
#include <type_traits>

#include "cuda_fp16.h"
#include "runtime.h"

namespace nvcuda::wmma {

struct matrix_a {};
struct matrix_b {};
struct accumulator {};
struct row_major {};
struct col_major {};
enum layout_t { mem_row_major, mem_col_major };
namespace precision {
struct tf32 {};
}  // namespace precision

template <class Use, int M, int N, int K, class T, class Layout = void>
struct fragment {
    static constexpr bool halves = std::is_same_v<T, __half> || std::is_same_v<Use, accumulator>;
    static_assert((M * N == 256 && K == 16 && halves) || (M == 16 && N == 16 && K == 8 && !std::is_same_v<T, __half>),
                  "tensor cores multiply halves in m16n16k16, m32n8k16 and m8n32k16, TF32 in m16n16k8");
    static constexpr int rows = std::is_same_v<Use, matrix_b> ? K : M, columns = std::is_same_v<Use, matrix_a> ? K : N;
    static constexpr int num_elements = rows * columns / 32;
    typedef std::conditional_t<std::is_same_v<T, precision::tf32>, float, T> element_type;
    element_type x[num_elements];
};

// Rounded to 10 bits behind the point, ties away from zero; what mma_sync gets without this loses the other bits.
inline float __float_to_tf32(float x) {
    return std::isfinite(x) ? __uint_as_float((__float_as_uint(x) + 0x1000u) & ~0x1fffu) : x;
}

template <class Fragment, class T>
void fill_fragment(Fragment& fragment, T value) {
    for (auto& element : fragment.x) element = value;
}

}  // namespace nvcuda::wmma

namespace emulator::tensor {

using std::source_location;

inline Place place_of(const source_location& where) {
    return {where.file_name(), int(where.line()), int(where.line() * 4096 + where.column())};
}

// All 32 threads of a warp must come here, and hand in the same; what they hand in is returned, a value per lane.
inline const uint64_t* together(uint64_t value, bool same, const Place& place) {
    const uint64_t* values = exchange(0xffffffffu, value, place);
    for (int lane = 0; lane < 32; ++lane) {
        if (values[lane] == ~0ull) fail(place, "a tensor core's operation needs all 32 threads of a warp; some have returned");
        if (same && values[lane] != values[0])
            fail(place, "the threads of a warp give a tensor core's operation different addresses or steps");
    }
    return values;
}

// move(element, memory) for all of this thread's elements of a matrix in memory, whose rows (or columns) are `step` apart.
template <class Fragment, class T, class Move>
void each(Fragment& fragment, T* memory, unsigned step, bool by_rows, const Place& place, Move move) {
    together(reinterpret_cast<uint64_t>(memory), true, place);
    together(step, true, place);
    if (reinterpret_cast<uint64_t>(memory) % 32 || step * sizeof(T) % 16)
        fail(place, "a tensor core's matrix must begin at a multiple of 32 bytes, its rows at multiples of 16");
    for (int e = 0; e < Fragment::num_elements; ++e) {
        const int number = 32 * e + current->lane, row = number / Fragment::columns, column = number % Fragment::columns;
        move(fragment.x[e], memory[by_rows ? std::size_t(row) * step + column : std::size_t(column) * step + row]);
    }
}

// A whole matrix, from all lanes.
template <int count, class T, class Fragment>
void gather(const Fragment& fragment, float (&elements)[count], const Place& place) {
    const uint64_t* fragments = together(reinterpret_cast<uint64_t>(&fragment), false, place);
    const uint32_t kept = std::is_same_v<T, nvcuda::wmma::precision::tf32> ? ~0x1fffu : ~0u;
    for (int i = 0; i < count; ++i) {
        const float x = reinterpret_cast<const Fragment*>(fragments[i % 32])->x[i / 32];
        elements[i] = __uint_as_float(__float_as_uint(x) & kept);
    }
}

}  // namespace emulator::tensor

namespace nvcuda::wmma {

#define EMULATOR_WHERE const std::source_location& where = std::source_location::current()

template <class Use, int M, int N, int K, class T, class Layout, class Element>
void load_matrix_sync(fragment<Use, M, N, K, T, Layout>& to, const Element* from, unsigned step, EMULATOR_WHERE) {
    emulator::tensor::each(to, from, step, std::is_same_v<Layout, row_major>, emulator::tensor::place_of(where),
                           [](auto& element, const Element& memory) { element = memory; });
}
template <int M, int N, int K, class T>
void load_matrix_sync(fragment<accumulator, M, N, K, T>& to, const T* from, unsigned step, layout_t layout, EMULATOR_WHERE) {
    emulator::tensor::each(to, from, step, layout == mem_row_major, emulator::tensor::place_of(where),
                           [](T& element, const T& memory) { element = memory; });
}
template <int M, int N, int K, class T>
void store_matrix_sync(T* to, const fragment<accumulator, M, N, K, T>& from, unsigned step, layout_t layout, EMULATOR_WHERE) {
    emulator::tensor::each(from, to, step, layout == mem_row_major, emulator::tensor::place_of(where),
                           [](const T& element, T& memory) { memory = element; });
}

// d = a b + c
template <int M, int N, int K, class T, class LayoutA, class LayoutB, class C, class D>
void mma_sync(fragment<accumulator, M, N, K, D>& d, const fragment<matrix_a, M, N, K, T, LayoutA>& a,
              const fragment<matrix_b, M, N, K, T, LayoutB>& b, const fragment<accumulator, M, N, K, C>& c, EMULATOR_WHERE) {
    const emulator::Place place = emulator::tensor::place_of(where);
    float left[M * K], right[K * N];
    emulator::tensor::gather<M * K, T>(a, left, place);
    emulator::tensor::gather<K * N, T>(b, right, place);
    emulator::exchange(0xffffffffu, 0, place);  // nobody changes a fragment that another lane still reads
    for (int e = 0; e < d.num_elements; ++e) {
        const int number = 32 * e + emulator::current->lane, row = number / N, column = number % N;
        float sum = c.x[e];
        for (int k = 0; k < K; ++k) sum += left[row * K + k] * right[k * N + column];
        d.x[e] = D(sum);
    }
}
#undef EMULATOR_WHERE

}  // namespace nvcuda::wmma
