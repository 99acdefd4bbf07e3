// The table at the end of every compiled file: its kernels' names, exact parameter types and entry points.
#pragma once
#include <cstddef>
#include <type_traits>
#include <utility>

namespace emulator {

template <class T>
inline constexpr bool is_floating = std::is_floating_point_v<T>;

// Parameters as text, each followed by ";": "f4" float, "i8" long long, "u1" unsigned char, "b1" bool; "*" follows
// a pointer's element, "const " stands before what is only read.
class Signature {
  public:
    template <class T>
    void add() {
        describe<T>();
        append(";");
    }
    const char* text() const { return text_; }

  private:
    template <class T>
    void describe() {
        if constexpr (std::is_pointer_v<T>) {
            using Element = std::remove_pointer_t<T>;
            if (std::is_const_v<Element>) append("const ");
            describe<std::remove_cv_t<Element>>();
            append("*");
        } else if constexpr (std::is_void_v<T>) {
            append("void");
        } else {
            const char size[] = {char('0' + sizeof(T)), 0};
            append(std::is_same_v<T, bool> ? "b" : is_floating<T> ? "f"
                   : std::is_signed_v<T> ? "i" : std::is_unsigned_v<T> ? "u" : "struct");
            append(size);
        }
    }
    void append(const char* part) {
        while (*part) text_[length_++] = *part++;
    }
    char text_[2048] = {};
    int length_ = 0;
};

template <class... Parameters>
const char* signature(void (*)(Parameters...)) {
    static Signature result = [] {
        Signature built;
        (built.add<std::remove_cv_t<Parameters>>(), ...);
        return built;
    }();
    return result.text();
}

template <auto kernel, class... Parameters, std::size_t... i>
void call(void (*)(Parameters...), void** arguments, std::index_sequence<i...>) {
    kernel(*static_cast<std::remove_cv_t<Parameters>*>(arguments[i])...);
}
template <auto kernel, class... Parameters>
void call_unpacked(void (*pointer)(Parameters...), void** arguments) {
    call<kernel>(pointer, arguments, std::index_sequence_for<Parameters...>{});
}

struct Entry {
    const char *name, *signature;
    void (*body)(void** arguments);
    int most_threads;  // __launch_bounds__, or 1024
};

}  // namespace emulator

#define EMULATOR_KERNEL(NAME, MOST_THREADS)                            \
    emulator::Entry{#NAME, emulator::signature(&NAME),                 \
                    [](void** arguments) { emulator::call_unpacked<&NAME>(&NAME, arguments); }, MOST_THREADS}

// The section's ends exist only if some kernel of the file has static shared memory.
#define EMULATOR_KERNEL_TABLE(...)                                                                             \
    extern "C" char __start_shared_memory[] __attribute__((weak, visibility("hidden")));                       \
    extern "C" char __stop_shared_memory[] __attribute__((weak, visibility("hidden")));                        \
    extern "C" __attribute__((visibility("default"))) int kernel_table(const emulator::Entry** entries,        \
                                                                       char** begin, char** end) {             \
        static const emulator::Entry table[] = {__VA_ARGS__};                                                  \
        *entries = table, *begin = __start_shared_memory, *end = __stop_shared_memory;                         \
        return sizeof table / sizeof *table;                                                                   \
    }
