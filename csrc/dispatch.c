/* dispatch.c - the ONE table of kernels, best first.
 *
 * C only answers questions about entries; kdq_ref/kernels/dispatch.py takes the first one that lacks
 * nothing and passes its self-test, honours KDQ_ISA, and reports what it passed over. So the core has
 * no mutable state.
 *
 * A kernel is added by a file ukr_<name>.c, a declaration in kdq_internal.h, a line here and its name
 * in csrc/build_ffi.py. */
#include "kdq_internal.h"

static const kdq_kernel *const table[] = {
#if defined(__x86_64__)
    &kdq_avx512vnni,
#if defined(KDQ_COMPILES_AVX_VNNI)
    &kdq_avxvnni,
#endif
    &kdq_avx2,
#endif
#if defined(KDQ_COMPILES_I8MM)
    &kdq_i8mm,
#endif
#if defined(KDQ_COMPILES_DOTPROD)
    &kdq_neondot,
#endif
#if defined(KDQ_AARCH64)
    &kdq_neon,
#endif
    &kdq_scalar,
};

int32_t kdq_kernel_count(void) { return (int32_t)(sizeof table / sizeof table[0]); }

const kdq_kernel *kdq_kernel_at(int32_t index) {
    return index >= 0 && index < kdq_kernel_count() ? table[index] : NULL;
}

const char *kdq_kernel_name(const kdq_kernel *kernel) { return kernel->name; }

const kdq_kernel *kdq_kernel_narrow(const kdq_kernel *kernel) { return kernel->narrow; }

uint64_t kdq_kernel_missing(const kdq_kernel *kernel) {
    return kernel->needs & ~kdq_cpu_features();
}
