// What the scheduler tells the sanitizers, and nothing where it is built without them.
#pragma once
#include <cstddef>

extern "C" void __asan_unpoison_memory_region(const volatile void*, std::size_t) __attribute__((weak));

#ifdef EMULATOR_ADDRESS_SANITIZER
extern "C" void __asan_set_error_report_callback(void (*callback)(const char* report));
#endif

namespace emulator {

inline bool address_sanitizer() { return __asan_unpoison_memory_region != nullptr; }

#ifdef EMULATOR_THREAD_SANITIZER
}
#include <sanitizer/tsan_interface.h>
namespace emulator {
constexpr bool thread_sanitizer = true;
inline void* create_fiber() { return __tsan_create_fiber(0); }
inline void* this_fiber() { return __tsan_get_current_fiber(); }
// 1: switching alone orders nothing; only barriers do.
inline void announce_switch(void* fiber) { __tsan_switch_to_fiber(fiber, 1); }
inline void acquire(void* place) { __tsan_acquire(place); }
inline void release(void* place) { __tsan_release(place); }
#else
constexpr bool thread_sanitizer = false;
inline void* create_fiber() { return nullptr; }
inline void* this_fiber() { return nullptr; }
inline void announce_switch(void*) {}
inline void acquire(void*) {}
inline void release(void*) {}
#endif

}  // namespace emulator
