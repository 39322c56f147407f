/* check_kernels.c - kernels against the plain definitions, without Python: for CPUs that only an
 * emulator has.
 *
 *     check_kernels [--seed N] [--expect NAME] [--force NAME]... [NAME]...
 *
 * Checks the kernels named, or every one of the table that this CPU can run, and "ref". --force also
 * calls one that CPUID does not announce. --expect: the kernel that dispatch must choose here. Exit
 * status 1 if anything differs, or a kernel that was named cannot run. One that is compiled in and does
 * not run is reported as such.
 *
 * "saturating", which is wrong on purpose, shows that these checks can fail. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

#define MAX_KERNELS 32

struct request {
    const kdq_kernel *kernel;
    int named, forced;
};

/* The table, then the kernels that are never chosen. */
static int list_kernels(struct request *requests) {
    int count = 0;
    for (; count < kdq_kernel_count(); count++) {
        requests[count].kernel = kdq_kernel_at(count);
    }
    requests[count++].kernel = kdq_kernel_ref();
    requests[count++].kernel = kdq_kernel_saturating();
    return count;
}

static struct request *find(struct request *requests, int count, const char *name) {
    for (int i = 0; i < count; i++) {
        if (strcmp(requests[i].kernel->name, name) == 0) {
            return requests + i;
        }
    }
    fprintf(stderr, "check_kernels: there is no kernel '%s' in this build\n", name);
    exit(2);
}

static void print_features(uint64_t features) {
    const char *name;
    for (int32_t bit = 0; (name = kdq_feature_name(bit)) != NULL; bit++) {
        if (features >> bit & 1) {
            printf(" %s", name);
        }
    }
}

/* As kdq_ref/kernels/dispatch.py chooses. */
static const char *chosen(void) {
    for (int32_t i = 0; i < kdq_kernel_count(); i++) {
        const kdq_kernel *kernel = kdq_kernel_at(i);
        if (kdq_kernel_missing(kernel) == 0 && kdq_kernel_self_test(kernel) == 0) {
            return kernel->name;
        }
    }
    return "none";
}

static int kernel_is_exact(const kdq_kernel *kernel, uint64_t seed) {
    struct draws draws = {seed};
    const int32_t failed = kdq_kernel_self_test(kernel);
    const struct tally products = check_products(kernel, &draws);
    const struct tally convolutions = check_convolutions(kernel, &draws);
    const struct tally requantization = check_requantization(kernel, &draws);
    const struct tally loops = check_vector_loops(kernel, &draws);
    const struct tally int16 = check_int16(kernel, &draws);
    const struct tally softmax = check_softmax(kernel, &draws);
    const int64_t differing = products.differing + convolutions.differing +
                              requantization.differing + loops.differing + int16.differing +
                              softmax.differing;
    printf("%s: %lld products, %lld convolutions, %lld requantizations, %lld vector loops, "
           "%lld of int16, %lld softmaxes: ",
           kernel->name, (long long)products.compared, (long long)convolutions.compared,
           (long long)requantization.compared, (long long)loops.compared,
           (long long)int16.compared, (long long)softmax.compared);
    if (differing > 0) {
        printf("%lld WRONG", (long long)differing);
    } else {
        printf("all equal");
    }
    if (failed != 0) {
        printf(", self-test FAILED at check %d", failed);
    }
    printf("\n");
    fflush(stdout);
    return differing == 0 && failed == 0;
}

int main(int argc, char **argv) {
    struct request requests[MAX_KERNELS] = {{NULL, 0, 0}};
    const int count = list_kernels(requests);
    const char *expected = NULL;
    uint64_t seed = 1;
    int named = 0, wrong = 0;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) != 0) {
            find(requests, count, argv[i])->named = named = 1;
        } else if (i + 1 < argc && strcmp(argv[i], "--seed") == 0) {
            seed = strtoull(argv[++i], NULL, 10);
        } else if (i + 1 < argc && strcmp(argv[i], "--expect") == 0) {
            expected = argv[++i];
        } else if (i + 1 < argc && strcmp(argv[i], "--force") == 0) {
            struct request *forced = find(requests, count, argv[++i]);
            forced->named = forced->forced = named = 1;
        } else {
            fprintf(stderr, "usage: check_kernels [--seed N] [--expect NAME] [--force NAME]... "
                            "[NAME]...\n");
            return 2;
        }
    }
    printf("this CPU has:");
    print_features(kdq_cpu_features());
    printf("\ndispatch chooses: %s\n", chosen());
    if (expected != NULL && strcmp(expected, chosen()) != 0) {
        printf("dispatch should have chosen %s\n", expected);
        wrong = 1;
    }
    for (int i = 0; i < count; i++) {
        const struct request *request = requests + i;
        const uint64_t missing = kdq_kernel_missing(request->kernel);
        if (named ? !request->named : request->kernel == kdq_kernel_saturating()) {
            continue;
        }
        if (missing == 0 || request->forced) {
            wrong |= !kernel_is_exact(request->kernel, seed);
        } else {
            printf("%s: NOT RUN, this CPU lacks", request->kernel->name);
            print_features(missing);
            printf("\n");
            wrong |= request->named;
        }
    }
    return wrong;
}
