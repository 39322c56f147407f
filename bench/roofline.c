/* This machine's arithmetic peaks: loops that touch registers only.
 *
 * Each function runs `n` passes of TEN independent multiply-accumulates, enough to hide the latency
 * of any of these instructions. The assembly is written out, so that no compiler can move a product
 * of constants out of the loop. Built at run time by bench/roofline.py; x86-64 only.
 */
#include <immintrin.h>

#define TEN(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9)

/* A loop over one instruction mix on vectors of type V; %0 accumulates, %1 is scratch. */
#define LOOP(name, features, V, zero, one, mix)                                                    \
    __attribute__((target(features))) void kdq_roofline_##name(long n)                             \
    {                                                                                              \
        const V a = one, b = one, ones = one;                                                      \
        V TEN(DECLARE) scratch = zero;                                                             \
        TEN(CLEAR_##V)                                                                             \
        for (; n > 0; --n) {                                                                       \
            TEN(mix)                                                                               \
        }                                                                                          \
        (void)a, (void)b, (void)ones, (void)scratch;                                               \
    }

#define DECLARE(i) acc##i,
#define CLEAR___m256(i) acc##i = _mm256_setzero_ps();
#define CLEAR___m256i(i) acc##i = _mm256_setzero_si256();
#define CLEAR___m512i(i) acc##i = _mm512_setzero_si512();

#define STEP(i, text)                                                                              \
    __asm__ volatile(text : "+v"(acc##i), "=&v"(scratch) : "v"(a), "v"(b), "v"(ones));

#define FMA(i) STEP(i, "vfmadd231ps %3, %2, %0")
#define MADDWD(i) STEP(i, "vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0")
#define MADDUBSW_MADDWD(i)                                                                         \
    STEP(i, "vpmaddubsw %3, %2, %1\n\tvpmaddwd %4, %1, %1\n\tvpaddd %1, %0, %0")
#define MADDUBSW_ADDW(i) STEP(i, "vpmaddubsw %3, %2, %1\n\tvpaddw %1, %0, %0")
#define DPBUSD(i) STEP(i, "vpdpbusd %3, %2, %0")
#define DPBUSD_VEX(i) STEP(i, "%{vex%} vpdpbusd %3, %2, %0")

LOOP(fma, "avx2,fma", __m256, _mm256_setzero_ps(), _mm256_set1_ps(1), FMA)
LOOP(maddwd, "avx2", __m256i, _mm256_setzero_si256(), _mm256_set1_epi16(1), MADDWD)
LOOP(maddubsw_maddwd, "avx2", __m256i, _mm256_setzero_si256(), _mm256_set1_epi16(1),
     MADDUBSW_MADDWD)
LOOP(maddubsw_addw, "avx2", __m256i, _mm256_setzero_si256(), _mm256_set1_epi16(1), MADDUBSW_ADDW)
LOOP(avx512vnni, "avx512f,avx512bw,avx512vnni", __m512i, _mm512_setzero_si512(),
     _mm512_set1_epi16(1), DPBUSD)

int kdq_roofline_has_fma(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

int kdq_roofline_has_avx2(void)
{
    return __builtin_cpu_supports("avx2");
}

int kdq_roofline_has_avx512vnni(void)
{
    return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vnni");
}

/* Older compilers and assemblers do not know this one: bench/roofline.py tries with, then without. */
#ifdef KDQ_WITH_AVXVNNI
LOOP(avxvnni, "avx2,avxvnni", __m256i, _mm256_setzero_si256(), _mm256_set1_epi16(1), DPBUSD_VEX)

int kdq_roofline_has_avxvnni(void)
{
    return __builtin_cpu_supports("avxvnni");
}
#else
void kdq_roofline_avxvnni(long n)
{
    (void)n;
}

int kdq_roofline_has_avxvnni(void)
{
    return 0;
}
#endif
