/* bochs_init.c - the first process of the guest that run-under-bochs.sh boots.
 *
 * Runs /prog with the arguments in /args, relays its stdout to COM2 and its stderr to COM3 by direct
 * port access (a tty in between would change bytes), then writes the exit status to COM1 and asks
 * Bochs to quit through its shutdown port. */
#define _DEFAULT_SOURCE
#if defined(__x86_64__) && defined(__linux__)
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { COM1 = 0x3f8, COM2 = 0x2f8, COM3 = 0x3e8, BOCHS_SHUTDOWN = 0x8900 };
enum { LINE_CONTROL = 3, LINE_STATUS = 5 };

#define MAX_ARGUMENTS 255

/* 115200 baud, 8n1, no interrupts. */
static void open_port(unsigned short port) {
    outb(0x80, port + LINE_CONTROL);
    outb(1, port);
    outb(0, port + 1);
    outb(3, port + LINE_CONTROL);
    outb(0, port + 1);
    outb(7, port + 2);
    outb(3, port + 4);
}

static void write_port(unsigned short port, const char *bytes, ssize_t n) {
    for (ssize_t i = 0; i < n; i++) {
        while (!(inb(port + LINE_STATUS) & 0x20)) {
        }
        outb((unsigned char)bytes[i], port);
    }
}

static void drain_port(unsigned short port) {
    while (!(inb(port + LINE_STATUS) & 0x40)) {
    }
}

/* The NUL-terminated strings of a file. */
static char **strings_of(const char *path) {
    static char text[1 << 16];
    static char *strings[MAX_ARGUMENTS + 1];
    const int file = open(path, O_RDONLY);
    const ssize_t length = file < 0 ? 0 : read(file, text, sizeof text - 1);
    int count = 0;
    for (char *s = text; s < text + length && count < MAX_ARGUMENTS; s += strlen(s) + 1) {
        strings[count++] = s;
    }
    return strings;
}

static void run_program(const int out[2], const int err[2]) {
    char path[] = "PATH=/", *environment[] = {path, NULL};
    const int nothing = open("/dev/null", O_RDONLY);
    if (iopl(0) != 0 || nothing < 0 || dup2(nothing, 0) < 0 || dup2(out[1], 1) < 0 ||
        dup2(err[1], 2) < 0) {
        _exit(126);
    }
    close(out[0]), close(out[1]), close(err[0]), close(err[1]);
    setsid();
    execve("/prog", strings_of("/args"), environment);
    perror("/prog");
    _exit(127);
}

static void relay(int out, int err) {
    static char bytes[1 << 16];
    struct pollfd from[2] = {{.fd = out, .events = POLLIN}, {.fd = err, .events = POLLIN}};
    for (int open_ends = 2; open_ends > 0 && poll(from, 2, -1) >= 0;) {
        for (int i = 0; i < 2; i++) {
            if (from[i].revents == 0) {
                continue;
            }
            const ssize_t n = read(from[i].fd, bytes, sizeof bytes);
            if (n > 0) {
                write_port(i == 0 ? COM2 : COM3, bytes, n);
            } else {
                from[i].fd = -1;
                open_ends--;
            }
        }
    }
}

int main(void) {
    int out[2], err[2], status = 0;
    char line[128];
    mount("none", "/proc", "proc", 0, NULL);
    mount("none", "/sys", "sysfs", 0, NULL);
    mount("none", "/dev", "devtmpfs", 0, NULL);
    if (iopl(3) != 0 || pipe(out) != 0 || pipe(err) != 0) {
        return 1;
    }
    open_port(COM1), open_port(COM2), open_port(COM3);
    const pid_t program = fork();
    if (program == 0) {
        run_program(out, err);
    }
    close(out[1]), close(err[1]);
    relay(out[0], err[0]);
    while (waitpid(program, &status, 0) < 0) {
    }
    if (WIFSIGNALED(status)) {
        const int n = snprintf(line, sizeof line, "killed by signal %d (%s)\n", WTERMSIG(status),
                               strsignal(WTERMSIG(status)));
        write_port(COM3, line, n);
    }
    const int n = snprintf(line, sizeof line, "\n@@EXIT %d\n",
                           WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    write_port(COM1, line, n);
    drain_port(COM1), drain_port(COM2), drain_port(COM3);
    for (const char *s = "Shutdown"; *s != '\0'; s++) {
        outb((unsigned char)*s, BOCHS_SHUTDOWN);
    }
    for (;;) {
        pause();
    }
}
#else
typedef int kdq_not_on_this_machine; /* a translation unit holds at least one declaration */
#endif
