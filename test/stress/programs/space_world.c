/* SPDX-License-Identifier: MIT */
/* space_world.c - see space_world.h. */
#include "space_world.h"
#include "usage.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <time.h>

#define SAMPLE_NS (250 * MS_NS)
#define BURST_NS  (3 * S_NS)
#define REST_S    3u

void must(peat_rc rc, const char *what)
{
    if (rc == PEAT_OK)
        return;
    (void)fprintf(stderr, "space: %s: %s\n", what, peat_rc_name(rc));
    exit(2);
}

/* ---- time ---- */

/* The store waits on conditions by the system's clock, not by that of its environment; the linker
 * leads these calls here (--wrap). One store at a time, so one speed. */
static _Atomic double wait_speed = 1.0;
static _Atomic uint64_t waits;

static uint64_t real_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * S_NS + (uint64_t)t.tv_nsec;
}

int __real_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *t);
int __wrap_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *t);

int __wrap_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *t)
{
    uint64_t now = real_ns(), until = (uint64_t)t->tv_sec * S_NS + (uint64_t)t->tv_nsec;
    if (until > now)
        until = now + (uint64_t)((double)(until - now) / atomic_load(&wait_speed));
    struct timespec sooner = {.tv_sec = (time_t)(until / S_NS), .tv_nsec = (long)(until % S_NS)};
    atomic_fetch_add(&waits, 1);
    return __real_pthread_cond_timedwait(c, m, &sooner);
}

uint64_t world_waits(void)
{
    return atomic_load(&waits);
}

static uint64_t env_now_ns(void *ctx)
{
    space_world *w = (space_world *)ctx;
    if (w->threads == PEAT_THREADS_NONE)
        return atomic_fetch_add(&w->stepped_ns, 1000);
    return w->real_zero_ns + (uint64_t)((double)(real_ns() - w->real_zero_ns) * w->speed);
}

static void sleep_real(uint64_t ns)
{
    struct timespec t = {.tv_sec = (time_t)(ns / S_NS), .tv_nsec = (long)(ns % S_NS)};
    while (nanosleep(&t, &t) != 0 && errno == EINTR)
        ;
}

static void env_sleep_ns(void *ctx, uint64_t ns)
{
    space_world *w = (space_world *)ctx;
    if (w->threads == PEAT_THREADS_NONE)
        atomic_fetch_add(&w->stepped_ns, ns);
    else
        sleep_real((uint64_t)((double)ns / w->speed));
}

uint64_t world_now(space *s)
{
    return env_now_ns(s->world);
}

void world_wait_until(space *s, uint64_t ns)
{
    space_world *w = s->world;
    if (w->threads != PEAT_THREADS_NONE)
        for (uint64_t now = env_now_ns(w); now < ns; now = env_now_ns(w))
            env_sleep_ns(w, ns - now);
    else if (atomic_load(&w->stepped_ns) < ns)
        atomic_store(&w->stepped_ns, ns);
}

/* ---- samples ---- */

static void *sampler_main(void *arg)
{
    space *s = (space *)arg;
    for (uint64_t next = world_now(s); atomic_load(&s->world->sampling); next += SAMPLE_NS) {
        space_sample_now(s);
        uint64_t now = world_now(s);
        if (now > next + SAMPLE_NS)
            next = now - SAMPLE_NS;
        world_wait_until(s, next + SAMPLE_NS);
    }
    return NULL;
}

static pthread_t sampler; /* one load at a time */

void world_sampling_start(space *s)
{
    if (s->workers == 0)
        return;
    atomic_store(&s->world->sampling, true);
    if (pthread_create(&sampler, NULL, sampler_main, s) != 0)
        must(PEAT_NOMEM, "thread");
}

void world_sampling_stop(space *s)
{
    if (atomic_exchange(&s->world->sampling, false))
        (void)pthread_join(sampler, NULL);
}

/* ---- what there is ---- */

/* The files that were counted: one that is unlinked between the two looks is met by both. */
typedef struct tally {
    ino_t *files;
    size_t count, capacity;
    uint64_t bytes;
} tally;

static void count_once(tally *t, const struct stat *st)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->files[i] == st->st_ino)
            return;
    if (t->count == t->capacity) {
        t->capacity = t->capacity != 0 ? 2 * t->capacity : 64;
        t->files = (ino_t *)realloc(t->files, t->capacity * sizeof *t->files);
        must(t->files != NULL ? PEAT_OK : PEAT_NOMEM, "a sample");
    }
    t->files[t->count++] = st->st_ino;
    t->bytes += (uint64_t)st->st_blocks * 512;
}

static void count_named(const char *dir, tally *t)
{
    struct dirent *e;
    struct stat st;
    DIR *d = opendir(dir);
    while (d != NULL && (e = readdir(d)) != NULL)
        if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
            count_once(t, &st);
    if (d != NULL)
        (void)closedir(d);
}

/* Files of the store without a name that somebody has open. */
static void count_unnamed(const char *dir, tally *t)
{
    char path[4096];
    struct dirent *e;
    struct stat st;
    size_t prefix = strlen(dir);
    DIR *d = opendir("/proc/self/fd");
    while (d != NULL && (e = readdir(d)) != NULL) {
        ssize_t size = readlinkat(dirfd(d), e->d_name, path, sizeof path - 1);
        if (size <= (ssize_t)prefix || strncmp(path, dir, prefix) != 0)
            continue;
        if (fstatat(dirfd(d), e->d_name, &st, 0) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 0)
            count_once(t, &st);
    }
    if (d != NULL)
        (void)closedir(d);
}

uint64_t world_dir_bytes(space *s)
{
    tally t = {0};
    count_named(s->world->dir, &t);
    count_unnamed(s->world->dir, &t);
    free(t.files);
    return t.bytes;
}

/* ---- bytes written ---- */

uint64_t world_written_bytes(space *s)
{
    return atomic_load(&s->world->written_bytes);
}

static int env_write(void *ctx, peat_env_file *file, uint64_t offset, const void *buf, size_t n)
{
    space_world *w = (space_world *)ctx;
    const peat_env *real = peat_env_default();
    atomic_fetch_add(&w->written_bytes, n);
    return real->file_write(real->ctx, file, offset, buf, n);
}

static void make_env(space_world *w)
{
    w->env = *peat_env_default(); /* its members need no ctx but fork_mark's, which may be NULL */
    w->env.ctx = w;
    w->env.now_ns = env_now_ns;
    w->env.sleep_ns = env_sleep_ns;
    w->env.file_write = env_write;
    w->env.file_store = NULL; /* or some bytes would go around env_write */
    w->host = (peat_host){.size = sizeof w->host, .env = &w->env};
    w->options = (peat_options){.size = sizeof w->options,
                                .memory_bytes = (size_t)w->budget_bytes,
                                .threads = w->threads,
                                .host = &w->host};
}

/* ---- the store ---- */

void world_begin(space *s, space_world *w)
{
    uint64_t sixteenth = w->budget_bytes / 16;
    s->world = w;
    s->memtable_bytes = sixteenth < 64 * MIB ? sixteenth : 64 * MIB;
    s->partition_bytes_min = 8 * MIB;
    s->partition_bytes_max = 128 * MIB;
    s->sample_ns = SAMPLE_NS;
    s->burst_ns = BURST_NS;
    s->workers = w->threads < 0 ? 0 : w->threads == 0 ? 1 : (unsigned)w->threads;
    s->works = true;
    s->fill_max = 3.0;
    /* From the default budget on (with memtables of a few MiB runs are merged among themselves
     * first, or a get would have dozens to ask), where threads choose the time: who calls peat_work
     * all the time has each little merged at once. */
    s->bounded = w->budget_bytes >= 256 * MIB && s->workers != 0;
    w->speed = s->speed;
    atomic_store(&wait_speed, s->speed);
    w->real_zero_ns = real_ns();
    atomic_store(&w->stepped_ns, w->real_zero_ns);
    make_env(w);
}

void world_open(space *s)
{
    peat_error e;
    if (peat_open(s->world->dir, &s->world->options, &s->db, &e) == PEAT_OK)
        return;
    (void)fprintf(stderr, "space: %s\n", e.message);
    exit(2);
}

void world_close(space *s)
{
    peat_db *db = s->db;
    s->db = NULL;
    must(peat_close(db), "close");
}

/* By the command, which has no clock but the system's. */
void world_delete_apart(space *s, uint64_t number)
{
    const char *command = getenv("PEAT_BIN");
    char key[32], line[1024];
    must(command != NULL ? PEAT_OK : PEAT_INVALID, "PEAT_BIN");
    (void)snprintf(line, sizeof line, "'%s' del -q -m %" PRIu64 "M '%s' %.16s", command,
                   s->world->budget_bytes / MIB, s->world->dir,
                   (const char *)space_key(s, number, key).data);
    if (system(line) != 0)
        must(PEAT_IO, line);
}

/* Without threads peat_work finds nothing to do; with them they sleep. */
void world_expect_rest(space *s)
{
    uint64_t written = world_written_bytes(s);
    usage before = measure();
    if (s->workers == 0)
        space_wait(s, REST_S * S_NS);
    else
        (void)sleep(REST_S);
    usage after = measure();
    written = world_written_bytes(s) - written;
    if (written != 0 || after.ticks != before.ticks || after.switches != before.switches)
        space_violation(s, "no rest: %" PRIu64 " bytes, %" PRIu64 " ticks, %" PRIu64 " switches",
                        written, after.ticks - before.ticks, after.switches - before.switches);
}
