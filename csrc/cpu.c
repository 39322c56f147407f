/* cpu.c - what this CPU can execute and its OS preserves across context switches.
 *
 * x86: a vector extension counts only if CPUID announces it and XGETBV says that the OS saves its
 * registers. Intel SDM vol. 1, 14.3 (AVX) and 15.2 (AVX-512).
 *
 * aarch64: NEON is part of it; Linux says what else there is (Documentation/arch/arm64/elf_hwcaps.rst).
 * macOS is not asked: no bits, so kernel "neon" runs there, also on chips that could do more. Other
 * architectures: no bits. */
#include "kdq_internal.h"

static const char *const names[KDQ_FEATURES] = {
    [KDQ_AVX2] = "AVX2",
    [KDQ_AVX512] = "AVX512_F_BW_VL",
    [KDQ_AVX512_VNNI] = "AVX512_VNNI",
    [KDQ_AVX_VNNI] = "AVX_VNNI",
    [KDQ_DOTPROD] = "DOTPROD",
    [KDQ_I8MM] = "I8MM",
};

const char *kdq_feature_name(int32_t bit) {
    return bit >= 0 && bit < KDQ_FEATURES ? names[bit] : NULL;
}

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>

/* XCR0: which register states the OS saves. */
static uint64_t enabled_states(void) {
    uint32_t low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static uint64_t when(uint32_t words, int32_t position, int32_t bit) {
    return (uint64_t)(words >> position & 1) << bit;
}

uint64_t kdq_cpu_features(void) {
    const uint64_t ymm_states = 0x06, zmm_states = 0xe6;
    uint32_t a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 27 & 1)) { /* OSXSAVE: may xgetbv run? */
        return 0;
    }
    const uint64_t states = enabled_states();
    if ((states & ymm_states) != ymm_states || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
        return 0;
    }
    const uint32_t subleaves = a;
    uint64_t features = when(b, 5, KDQ_AVX2);
    if ((states & zmm_states) == zmm_states) {
        features |= when(b >> 16 & b >> 30 & b >> 31, 0, KDQ_AVX512);
        features |= when(c, 11, KDQ_AVX512_VNNI);
    }
    if (subleaves >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d)) {
        features |= when(a, 4, KDQ_AVX_VNNI);
    }
    return features;
}
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>

uint64_t kdq_cpu_features(void) {
    /* Bits of the kernel's interface; an old libc may lack their names. */
    const int dotprod = 20, i8mm = 13;
    const uint64_t first = getauxval(AT_HWCAP), second = getauxval(AT_HWCAP2);
    return (first >> dotprod & 1) << KDQ_DOTPROD | (second >> i8mm & 1) << KDQ_I8MM;
}
#else
uint64_t kdq_cpu_features(void) { return 0; }
#endif
