/* SPDX-License-Identifier: MIT */
/*
 * test_fill.c - a store on a file system that is full: a tmpfs of a few MiB, full at another point
 * every time. Calls answer PEAT_FULL or work; reads are right; it closes, is read, and goes on by
 * itself when there is room. Mounts in a name space of its own; skipped where that is forbidden.
 * ctest: timeout=300
 *
 *     faults_test_fill --campaign        SEED=, N= points, BOUND= seconds
 */
#include "faults/faults.h"
#include "world/shared.h"
#include "world/test.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define DISK_KIB 2048
#define POINTS   40
#define CHUNK    200 /* points in one child process */
/* What waits behind a failed unit is tried again after 3.2 s at the most. */
#define RESUME_MS 30000

typedef struct progress {
    uint64_t at, points, refused; /* refused: calls that answered PEAT_FULL */
} progress;

typedef struct fill {
    faults_world world; /* first: see fill_hits */
    char mount[200], dir[220], copy[220], ballast[220];
    char story[120];
    uint64_t refused;
    bool full; /* from now on calls may find no room */
} fill;

static uint64_t fill_hits(const faults_world *w)
{
    return ((const fill *)(const void *)w)->full;
}

/* --- the disk --- */

/* False where it is not allowed. */
static bool mount_disk(fill *f)
{
    const char *tmp = getenv("TMPDIR");
    char size[32];
    (void)snprintf(f->mount, sizeof f->mount, "%.150s/peat-fill-XXXXXX", tmp ? tmp : "/tmp");
    (void)snprintf(size, sizeof size, "size=%dk", DISK_KIB);
    if (mkdtemp(f->mount) == NULL)
        return false;
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("peat-fill", f->mount, "tmpfs", MS_NODEV | MS_NOSUID, size) != 0) {
        (void)rmdir(f->mount);
        return false;
    }
    (void)snprintf(f->dir, sizeof f->dir, "%s/store", f->mount);
    (void)snprintf(f->copy, sizeof f->copy, "%s/copy", f->mount);
    (void)snprintf(f->ballast, sizeof f->ballast, "%s/ballast", f->mount);
    return true;
}

static void unmount_disk(const fill *f)
{
    (void)umount2(f->mount, MNT_DETACH);
    (void)rmdir(f->mount);
}

/* Takes all but `left` KiB of what is free. */
static void put_ballast(const fill *f, uint64_t left)
{
    static char page[4096];
    int fd = open(f->ballast, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    uint64_t size = 0;
    if (fd < 0)
        return; /* not even that fits */
    while (write(fd, page, sizeof page) == (ssize_t)sizeof page)
        size += sizeof page;
    if (ftruncate(fd, (off_t)(size > left * 1024 ? size - left * 1024 : 0)) != 0)
        abort();
    (void)close(fd);
}

/* --- one point --- */

static unsigned below(fill *f, uint64_t n)
{
    return (unsigned)rng_below(&f->world.random, n);
}

static bool room_in_book(const fill *f)
{
    return f->world.book.writes + 100 < FAULTS_WRITES_MAX;
}

/* One write; false when it was refused. */
static bool write_one(fill *f, uint32_t size)
{
    faults_world *w = &f->world;
    unsigned kind = below(f, 12);
    if (w->db == NULL || !room_in_book(f))
        return false;
    if (kind == 0)
        faults_delete(w, below(f, FAULTS_KEYS), false);
    else if (kind == 1)
        faults_batch(w, below(f, FAULTS_KEYS), 1 + below(f, 10), size / 4 + 20, below(f, 4) == 0);
    else
        faults_put(w, below(f, FAULTS_KEYS), size, below(f, 8) == 0);
    bool done = w->book.acked[w->book.commits];
    f->refused += !done;
    return done;
}

/* Until a few writes of this size in a row find no room. */
static void fill_up(fill *f, uint32_t size_max)
{
    for (unsigned refused = 0; refused < 4 && f->world.db != NULL && room_in_book(f);)
        refused = write_one(f, 20 + below(f, size_max)) ? 0 : refused + 1;
}

static void use_full(fill *f)
{
    faults_world *w = &f->world;
    for (unsigned i = 0; i < 5; i++) {
        unsigned what = below(f, 6);
        if (what == 0)
            faults_flush(w);
        else if (what == 1)
            faults_compact(w);
        else if (what == 2)
            faults_work(w, 5);
        else if (what == 3)
            faults_sync(w);
        else if (what == 4)
            faults_delete(w, below(f, FAULTS_KEYS), false);
        else
            faults_snapshot(w);
        fill_up(f, 200);
    }
    faults_read(w);
}

/* It closes, is read by one that writes nothing, and opens again or says that it is full. */
static void reopen_full(fill *f)
{
    faults_world *w = &f->world;
    faults_close(w);
    f->full = false;
    faults_open_read_only(w);
    faults_read(w);
    faults_close(w);
    f->full = true;
    faults_open(w);
    faults_read(w);
    f->refused += w->db == NULL;
}

/* There is room: a store that is open takes writes again by itself. */
static void resume(fill *f)
{
    faults_world *w = &f->world;
    uint64_t begin = test_now_ms();
    bool done = w->db == NULL;
    (void)unlink(f->ballast);
    while (!done && room_in_book(f)) {
        faults_put(w, below(f, FAULTS_KEYS), 300, false);
        done = w->book.acked[w->book.commits];
        if (!done && test_now_ms() - begin > RESUME_MS)
            faults_wrong(w, "writes do not go on");
        if (!done)
            w->book.commits--, w->book.writes--; /* refused: nothing of it is there */
        if (!done)
            (void)!peat_work(w->db, 10, NULL);
    }
}

static void choose_options(fill *f)
{
    static const int codecs[] = {PEAT_COMPRESSION_NONE, PEAT_COMPRESSION_LZ4};
    int64_t *o = f->world.options.field;
    o[MODEL_OPTION_threads] = below(f, 20) == 0 ? 1 : -1;
    o[MODEL_OPTION_memory] = 1 << 20;
    o[MODEL_OPTION_memtable] = 65536;
    o[MODEL_OPTION_partition] = (int64_t)16384 << below(f, 4);
    o[MODEL_OPTION_table] = (int64_t)8192 << below(f, 4);
    o[MODEL_OPTION_segment] = (int64_t)8192 << below(f, 4);
    o[MODEL_OPTION_no_log] = below(f, 8) == 0;
    o[MODEL_OPTION_compression] = codecs[below(f, 2)];
}

static void run_point(fill *f, uint64_t seed)
{
    faults_world *w = &f->world;
    faults_init(w, NULL, f->dir, f->copy, seed);
    w->story = f->story;
    w->hits = fill_hits;
    w->only = PEAT_FULL;
    (void)snprintf(f->story, sizeof f->story, "SEED=%" PRIu64 " N=1 faults_test_fill --campaign",
                   seed);
    choose_options(f);
    bool from_the_first = below(f, 8) == 0;
    f->full = from_the_first;
    if (from_the_first)
        put_ballast(f, below(f, 400));
    faults_open(w);
    for (unsigned i = below(f, 12); i > 0; i--)
        (void)write_one(f, 20 + below(f, 3000));
    f->full = true;
    if (!from_the_first)
        put_ballast(f, below(f, DISK_KIB / 2));
    fill_up(f, 60000);
    fill_up(f, 3000);
    fill_up(f, 100);
    faults_read(w);
    use_full(f);
    if (w->db != NULL && below(f, 2) == 0)
        reopen_full(f);
    resume(f);
    f->full = false;
    faults_read(w);
    faults_open(w);
    faults_close(w);
    faults_expect_recovered(w, NULL, UINT32_MAX, "closed");
    if (peat_destroy(f->dir, NULL) != PEAT_OK)
        faults_wrong(w, "the store cannot be removed");
}

/* --- many --- */

typedef struct campaign {
    uint64_t seed, count;
    progress *progress; /* shared */
} campaign;

static bool own_mounts(void)
{
    return unshare(CLONE_NEWNS) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0;
}

static void run_chunk(void *arg, FILE *report)
{
    const campaign *c = arg;
    fill *f = calloc(1, sizeof *f);
    if (!own_mounts() || !mount_disk(f)) {
        (void)fprintf(report, "skip: no mount here: %s\n", strerror(errno));
        exit(77);
    }
    for (uint64_t i = 0; i < c->count; i++) {
        c->progress->at = c->seed + i;
        run_point(f, c->seed + i);
        c->progress->points++;
        c->progress->refused += f->refused;
        f->refused = 0;
    }
    unmount_disk(f);
    free(f);
}

/* Returns the violations, or -1 when there can be no mount. */
static int run_points(uint64_t seed, uint64_t count, uint64_t end_ns, progress *p)
{
    char report[2048];
    int violations = 0;
    for (uint64_t i = 0; i < count && violations < 10 && test_now_ns() < end_ns;) {
        campaign c = {seed + i, count - i < CHUNK ? count - i : CHUNK, p};
        i += c.count;
        if (model_in_child(run_chunk, &c, false, report, sizeof report))
            continue;
        if (strncmp(report, "skip", 4) == 0)
            return -1;
        (void)fprintf(stderr, "%s\nSEED=%" PRIu64 " N=1 faults_test_fill --campaign\n", report,
                      p->at);
        violations++;
        i = p->at + 1 - seed;
    }
    return violations;
}

TEST_CAMPAIGN
{
    progress *p = shared_new(sizeof *p);
    uint64_t n = test_number("N", 0);
    int violations = run_points(test_seed(1), n != 0 ? n : 10000, test_end_ns(0), p);
    if (violations < 0) {
        print_message("a tmpfs cannot be mounted here\n");
        return 77;
    }
    print_message("%" PRIu64 " trials, %d violations; fill points, %" PRIu64
                  " calls found the disk full\n",
                  p->points, violations, p->refused);
    shared_free(p, sizeof *p);
    return violations != 0;
}

TEST(a_full_disk_loses_nothing_and_is_left_again)
{
    progress *p = shared_new(sizeof *p);
    int violations = run_points(1, POINTS, UINT64_MAX, p);
    if (violations < 0)
        skip();
    assert_int_equal(violations, 0);
    assert_true(p->refused > POINTS);
    shared_free(p, sizeof *p);
}
