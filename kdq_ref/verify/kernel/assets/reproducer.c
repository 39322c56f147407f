/* What runs the calls above: every one on a thread whose stack is filled first, arrays next to pages
 * that cannot be touched. Exit status 1 if anything is wrong, 0 if all is right. */

#define GUARD ((size_t)1 << 16)
#define STACK ((size_t)8 << 20)
#define DIRTY ((size_t)1 << 17)
#define MOST_ARRAYS 8

static void *function;
static int64_t (*scratch_bytes)(const STRUCT *);

/* Without stdio: a handler may have interrupted malloc. */
static void fail(const char *what)
{
    static const char before[] = "reproduced: ";
    ssize_t written = write(1, before, sizeof before - 1);
    written += write(1, what, strlen(what)) + write(1, "\n", 1);
    _exit(written < 0 ? 2 : 1);
}

static void on_signal(int number)
{
    fail(number == SIGALRM ? "the kernel does not return"
         : number == SIGABRT ? "the kernel aborts"
                             : "the kernel crashes");
}

static void on_exit_by_kernel(void)
{
    fail("the kernel ends the process");
}

/* What fenced() made since the last release(): of every call its arrays, output, scratch, stack. */
static struct {
    void *at;
    size_t bytes;
} mapped[CALLS * (MOST_ARRAYS + 3)];
static int mappings;

static void release(void)
{
    while (mappings) {
        mappings--;
        munmap(mapped[mappings].at, mapped[mappings].bytes);
    }
}

/* Memory of that size next to a guard: its end if at_end, else its start; slack bytes in between. */
static unsigned char *fenced(size_t bytes, size_t slack, size_t align, int at_end, int readable)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t room = (bytes + slack + page) / page * page;
    unsigned char *whole = mmap(NULL, room + 2 * GUARD, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (whole == MAP_FAILED || mprotect(whole, GUARD, readable ? PROT_READ : PROT_NONE) ||
        mprotect(whole + GUARD + room, GUARD, readable ? PROT_READ : PROT_NONE)) {
        perror("mmap");
        _exit(2);
    }
    mapped[mappings].at = whole;
    mapped[mappings++].bytes = room + 2 * GUARD;
    return whole + GUARD + (at_end ? (room - slack - bytes) / align * align : slack);
}

typedef struct {
    const char *name;
    const void *from;
    size_t bytes, slack;
    unsigned char *at;
} array;

typedef struct {
    STRUCT args;
    kdq_abi_requant requant;
    array inputs[MOST_ARRAYS];
    int count, at_end, readable, output_fill, scratch_fill, stack_fill, heap_fill;
    size_t output_slack, scratch_slack, bytes;
    unsigned char *output, *stack;
    const ELEMENT *expected;
    pthread_attr_t attributes;
    pthread_t thread;
} call;

static const void *input(call *c, const char *name, const void *from, size_t bytes, size_t slack)
{
    array *a = &c->inputs[c->count++];
    *a = (array){name, from, bytes, slack, fenced(bytes, slack, 1, c->at_end, c->readable)};
    memcpy(a->at, from, bytes);
    return a->at;
}

static void *output(call *c, const ELEMENT *expected, size_t bytes, size_t slack)
{
    c->expected = expected;
    c->bytes = bytes;
    c->output = fenced(bytes, slack, 1, c->at_end, c->readable);
    memset(c->output, c->output_fill, bytes);
    return c->output;
}

static void scratch(call *c)
{
    int64_t bytes = scratch_bytes ? scratch_bytes(&c->args) : 0;
    if (bytes > 0) {
        unsigned char *at = fenced((size_t)bytes, c->scratch_slack, 64, c->at_end, c->readable);
        memset(at, c->scratch_fill, (size_t)bytes);
        c->args.scratch = at;
        c->args.scratch_bytes = bytes;
    }
}

static void stack(call *c)
{
    c->stack = fenced(STACK, 0, 1, 1, 0);
    memset(c->stack + STACK - DIRTY, c->stack_fill, DIRTY);
    pthread_attr_init(&c->attributes);
    if (pthread_attr_setstack(&c->attributes, c->stack, STACK)) {
        perror("pthread_attr_setstack");
        _exit(2);
    }
}

static void start(call *c)
{
#ifdef __GLIBC__
    mallopt(M_PERTURB, c->heap_fill ^ 0xFF);
#endif
    if (pthread_create(&c->thread, &c->attributes, (void *(*)(void *))function, &c->args)) {
        perror("pthread_create");
        _exit(2);
    }
}

/* What is wrong with a call that came back; 0 if nothing. */
static int check(call *c, int number)
{
    void *returned;
    int wrong = 0;
    pthread_join(c->thread, &returned);
    int32_t status = (int32_t)(uint32_t)(uintptr_t)returned;
    if (status == KDQ_ABI_UNSUPPORTED) {
        printf("call %d: refused\n", number);
        return 0;
    }
    if (status != 0) {
        printf("call %d: returned %d\n", number, (int)status);
        wrong++;
    }
    for (int i = 0; i < c->count; i++) {
        if (memcmp(c->inputs[i].at, c->inputs[i].from, c->inputs[i].bytes)) {
            printf("call %d: the input %s was changed\n", number, c->inputs[i].name);
            wrong++;
        }
    }
    const ELEMENT *got = (const ELEMENT *)(const void *)c->output;
    for (size_t i = 0; i < c->bytes / sizeof *got && wrong < 10; i++) {
        if (got[i] != c->expected[i]) {
            printf("call %d: output element %zu: expected %ld, got %ld\n", number, i,
                   (long)c->expected[i], (long)got[i]);
            wrong++;
        }
    }
    return wrong;
}

int main(int argc, char **argv)
{
    static call calls[CALLS];
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGALRM};
    const char *path = argc > 1 ? argv[1] : LIBRARY;
    void *library = dlopen(path, RTLD_NOW);
    function = library ? dlsym(library, SYMBOL) : NULL;
    if (!function) {
        fprintf(stderr, "%s\n", dlerror());
        return 2;
    }
    scratch_bytes = (int64_t (*)(const STRUCT *))dlsym(library, SYMBOL "_scratch_bytes");
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++) {
        signal(fatal[i], on_signal);
    }
    atexit(on_exit_by_kernel);
    int wrong = 0;
    for (int round = 0; round < ROUNDS && !wrong; round++) {
        alarm(SECONDS);
        for (int i = 0; i < CALLS; i++) {
            memset(&calls[i], 0, sizeof calls[i]);
            prepare[i](&calls[i]);
            scratch(&calls[i]);
            stack(&calls[i]);
        }
        for (int i = 0; i < CALLS; i++) {
            start(&calls[i]);
            if (!AT_ONCE) {
                wrong += check(&calls[i], i);
            }
        }
        for (int i = 0; i < CALLS && AT_ONCE; i++) {
            wrong += check(&calls[i], i);
        }
        release();
    }
    printf(wrong ? "reproduced\n" : "not reproduced: every result is right\n");
    fflush(stdout);
    _exit(wrong ? 1 : 0);
}
