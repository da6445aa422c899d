/* SPDX-License-Identifier: MIT */
/*
 * env_posix.c - the real operating system: the heap, threads, time, chance, and the table of it
 * all. Linux first (3.15 or later); no state of its own.
 */
#include "env/env_posix_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

/* No file of a store has that descriptor (env_posix_open.c). */
void pt_assert_failed(const char *line)
{
    ssize_t written = write(STDERR_FILENO, line, strlen(line));
    (void)written; /* there is nobody else to tell */
    abort();
}

static void *posix_alloc(void *ctx, size_t size)
{
    (void)ctx;
    PT_DCHECK(size > 0, "nobody asks for no memory");
    return malloc(size);
}

static void *posix_resize(void *ctx, void *p, size_t size)
{
    (void)ctx;
    PT_DCHECK(size > 0, "nobody asks for no memory");
    return realloc(p, size);
}

static void posix_release(void *ctx, void *p)
{
    (void)ctx;
    free(p);
}

struct peat_env_thread {
    pthread_t thread;
    void (*run)(void *arg);
    void *arg;
};

static void *thread_main(void *p)
{
    peat_env_thread *thread = p;
    thread->run(thread->arg);
    return NULL;
}

/* The program's signals are the program's: its handlers do not run on our threads. */
static int posix_thread_start(void *ctx, void (*run)(void *arg), void *arg,
                              peat_env_thread **ret_thread)
{
    (void)ctx;
    peat_env_thread *thread = malloc(sizeof *thread);
    if (thread == NULL)
        return ENOMEM;
    *thread = (peat_env_thread){.run = run, .arg = arg};
    sigset_t all, before;
    (void)sigfillset(&all);
    int e = pthread_sigmask(SIG_SETMASK, &all, &before);
    if (e == 0) {
        e = pthread_create(&thread->thread, NULL, thread_main, thread);
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL); /* a mask that was in force */
    }
    if (e != 0) {
        free(thread);
        return e;
    }
    (void)pthread_setname_np(thread->thread, "peat"); /* for ps and debuggers */
    *ret_thread = thread;
    return 0;
}

static void posix_thread_join(void *ctx, peat_env_thread *thread)
{
    (void)ctx;
    if (thread == NULL)
        return;
    int e = pthread_join(thread->thread, NULL);
    PT_ASSERT(e == 0, "a thread that runs can be joined");
    free(thread);
}

static struct timespec read_clock(clockid_t clock_id)
{
    struct timespec t = {0};
    (void)clock_gettime(clock_id, &t); /* both clocks exist everywhere */
    return t;
}

static uint64_t posix_now_ns(void *ctx)
{
    (void)ctx;
    struct timespec t = read_clock(CLOCK_MONOTONIC);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t posix_wall_ms(void *ctx)
{
    (void)ctx;
    struct timespec t = read_clock(CLOCK_REALTIME);
    return (uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u;
}

static void posix_sleep_ns(void *ctx, uint64_t ns)
{
    (void)ctx;
    struct timespec left = {.tv_sec = (time_t)(ns / 1000000000u),
                            .tv_nsec = (long)(ns % 1000000000u)};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

/* For kernels before 3.17 and sandboxes that refuse getrandom. */
static int read_urandom(uint8_t *p, size_t n)
{
    int fd = -1;
    int e = pt_posix_open_at(AT_FDCWD, "/dev/urandom", O_RDONLY, &fd);
    if (e != 0)
        return e;
    while (n > 0 && e == 0) {
        ssize_t got = read(fd, p, n);
        if (got > 0) {
            p += got;
            n -= (size_t)got;
        } else if (got == 0 || errno != EINTR) {
            e = got == 0 ? EIO : errno;
        }
    }
    (void)close(fd); /* read only */
    return e;
}

static int posix_random(void *ctx, void *buf, size_t n)
{
    (void)ctx;
    uint8_t *p = buf;
    while (n > 0) {
        ssize_t got = getrandom(p, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return read_urandom(p, n);
        p += got;
        n -= (size_t)got;
    }
    return 0;
}

static int64_t posix_pid(void *ctx)
{
    (void)ctx;
    return (int64_t)getpid();
}

/* A page of its own that the kernel zeroes in a child. */
static const uint32_t *posix_fork_mark(void *ctx)
{
    (void)ctx;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint32_t *mark =
        (uint32_t *)mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mark == MAP_FAILED)
        return NULL;
    if (madvise(mark, page, MADV_WIPEONFORK) != 0) {
        (void)munmap(mark, page); /* cannot fail for a mapping just made */
        return NULL;
    }
    *mark = 1;
    return mark;
}

static void posix_fork_mark_free(void *ctx, const uint32_t *mark)
{
    (void)ctx;
    if (mark != NULL)
        (void)munmap((void *)(uintptr_t)mark, (size_t)sysconf(_SC_PAGESIZE)); /* as above */
}

const peat_env *peat_env_default(void)
{
    static const peat_env posix_env = {
        .size = sizeof(peat_env),
        .alloc = posix_alloc,
        .resize = posix_resize,
        .release = posix_release,
        .map = pt_posix_map,
        .unmap = pt_posix_unmap,
        .dir_open = pt_posix_dir_open,
        .dir_close = pt_posix_dir_close,
        .dir_sync = pt_posix_dir_sync,
        .dir_list = pt_posix_dir_list,
        .dir_remove = pt_posix_dir_remove,
        .dir_delete = pt_posix_dir_delete,
        .dir_lock = pt_posix_dir_lock,
        .dir_unlock = pt_posix_dir_unlock,
        .file_open = pt_posix_file_open,
        .file_close = pt_posix_file_close,
        .file_read = pt_posix_file_read,
        .file_write = pt_posix_file_write,
        .file_store = pt_posix_file_store,
        .file_sync = pt_posix_file_sync,
        .file_size = pt_posix_file_size,
        .file_truncate = pt_posix_file_truncate,
        .file_allocate = pt_posix_file_allocate,
        .file_advise = pt_posix_file_advise,
        .thread_start = posix_thread_start,
        .thread_join = posix_thread_join,
        .now_ns = posix_now_ns,
        .wall_ms = posix_wall_ms,
        .sleep_ns = posix_sleep_ns,
        .random = posix_random,
        .pid = posix_pid,
        .fork_mark = posix_fork_mark,
        .fork_mark_free = posix_fork_mark_free,
        .unneeded = pt_posix_unneeded,
        .memory_limit = pt_posix_memory_limit,
        .event_open = pt_posix_event_open,
        .event_close = pt_posix_event_close,
        .event_signal = pt_posix_event_signal,
        .event_clear = pt_posix_event_clear,
        .event_wait = pt_posix_event_wait,
#ifdef PT_HAVE_URING
        .ring_open = pt_posix_ring_open,
        .ring_close = pt_posix_ring_close,
        .ring_read = pt_posix_ring_read,
        .ring_submit = pt_posix_ring_submit,
        .ring_reap = pt_posix_ring_reap,
#endif
        .needed = pt_posix_needed,
    };
    return &posix_env;
}
