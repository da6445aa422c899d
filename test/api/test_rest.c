/* SPDX-License-Identifier: MIT */
/*
 * test_rest.c - what stores that rest hold: memory that is really there, counted page by page, and
 * descriptors; that what was given back is there again when it is needed; and the default budget.
 *
 * ctest: timeout=300
 */
#include "world/sim.h"
#include "world/temp_dir.h"

#include <dirent.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define KIB           ((size_t)1024)
#define REST_BYTES    (300 * KIB)
#define REST_FILES    3
#define STORES        200
#define MAPPINGS_MAX  4096
#define TOUCH_ENTRIES 200000
#define LARGE_BYTES   (64 * KIB)

/* The real environment, and what it has given out. */
typedef struct counting {
    peat_env env;
    const peat_env *real;
    pthread_mutex_t mu;
    pthread_cond_t given_back;
    struct {
        char *p;
        size_t size;
    } maps[MAPPINGS_MAX];
    size_t map_count, heap_bytes, mapped_bytes;
    long files;
    uint64_t limit;
} counting;

/* c->mu held. */
static void add_map(counting *c, void *p, size_t size)
{
    assert_true(c->map_count < MAPPINGS_MAX);
    c->maps[c->map_count].p = p;
    c->maps[c->map_count++].size = size;
    c->mapped_bytes += size;
}

static bool drop_map(counting *c, void *p)
{
    for (size_t i = 0; p != NULL && i < c->map_count; i++)
        if (c->maps[i].p == p) {
            c->mapped_bytes -= c->maps[i].size;
            c->maps[i] = c->maps[--c->map_count];
            return true;
        }
    return false;
}

/* A large block of the heap counts by its pages, as a mapping. */
static void add_heap(counting *c, void *p)
{
    size_t size = malloc_usable_size(p);
    if (size >= LARGE_BYTES)
        add_map(c, p, size);
    else
        c->heap_bytes += size;
}

static void drop_heap(counting *c, void *p)
{
    if (!drop_map(c, p))
        c->heap_bytes -= malloc_usable_size(p);
}

static void *count_alloc(void *ctx, size_t size)
{
    counting *c = ctx;
    void *p = malloc(size);
    pthread_mutex_lock(&c->mu);
    add_heap(c, p);
    pthread_mutex_unlock(&c->mu);
    return p;
}

static void count_release(void *ctx, void *p)
{
    counting *c = ctx;
    pthread_mutex_lock(&c->mu);
    drop_heap(c, p);
    pthread_mutex_unlock(&c->mu);
    free(p);
}

static void *count_resize(void *ctx, void *p, size_t size)
{
    counting *c = ctx;
    pthread_mutex_lock(&c->mu);
    drop_heap(c, p);
    void *next = realloc(p, size);
    add_heap(c, next != NULL ? next : p);
    pthread_mutex_unlock(&c->mu);
    return next;
}

static void *count_map(void *ctx, size_t size)
{
    counting *c = ctx;
    void *p = c->real->map(c->real->ctx, size);
    pthread_mutex_lock(&c->mu);
    if (p != NULL)
        add_map(c, p, size);
    pthread_mutex_unlock(&c->mu);
    return p;
}

static void count_unmap(void *ctx, void *p, size_t size)
{
    counting *c = ctx;
    pthread_mutex_lock(&c->mu);
    (void)drop_map(c, p);
    pthread_mutex_unlock(&c->mu);
    c->real->unmap(c->real->ctx, p, size);
}

static void count_unneeded(void *ctx, void *p, size_t size)
{
    counting *c = ctx;
    c->real->unneeded(c->real->ctx, p, size);
    pthread_mutex_lock(&c->mu);
    pthread_cond_broadcast(&c->given_back);
    pthread_mutex_unlock(&c->mu);
}

static int count_open(void *ctx, peat_env_dir *dir, const char *name, unsigned flags,
                      peat_env_file **ret_file)
{
    counting *c = ctx;
    int e = c->real->file_open(c->real->ctx, dir, name, flags, ret_file);
    pthread_mutex_lock(&c->mu);
    c->files += e == 0;
    pthread_mutex_unlock(&c->mu);
    return e;
}

static void count_close(void *ctx, peat_env_file *file)
{
    counting *c = ctx;
    c->real->file_close(c->real->ctx, file);
    pthread_mutex_lock(&c->mu);
    c->files--;
    pthread_cond_broadcast(&c->given_back);
    pthread_mutex_unlock(&c->mu);
}

static uint64_t count_limit(void *ctx)
{
    return ((counting *)ctx)->limit;
}

static void counting_init(counting *c)
{
    memset(c, 0, sizeof *c);
    c->real = peat_env_default();
    c->env = *c->real;
    c->env.size = sizeof c->env;
    c->env.ctx = c;
    c->env.alloc = count_alloc;
    c->env.resize = count_resize;
    c->env.release = count_release;
    c->env.map = count_map;
    c->env.unmap = count_unmap;
    c->env.unneeded = count_unneeded;
    c->env.file_open = count_open;
    c->env.file_close = count_close;
    c->env.memory_limit = count_limit;
    c->limit = UINT64_C(64) << 30;
    pthread_mutex_init(&c->mu, NULL);
    pthread_cond_init(&c->given_back, NULL);
}

/* Pages of it that are there. */
static size_t pages_of(char *p, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = 0;
    char *begin = p - (uintptr_t)p % page;
    size_t n = ((size_t)(p - begin) + size + page - 1) / page;
    unsigned char *there = malloc(n);
    assert_int_equal(mincore(begin, n * page, there), 0);
    for (size_t k = 0; k < n; k++)
        pages += there[k] & 1;
    free(there);
    return pages * page;
}

/* c->mu held. */
static size_t resident_now(counting *c)
{
    size_t bytes = c->heap_bytes;
    for (size_t i = 0; i < c->map_count; i++)
        bytes += pages_of(c->maps[i].p, c->maps[i].size);
    return bytes;
}

static size_t resident(counting *c)
{
    pthread_mutex_lock(&c->mu);
    size_t bytes = resident_now(c);
    pthread_mutex_unlock(&c->mu);
    return bytes;
}

static long descriptors(void)
{
    long n = 0;
    DIR *d = opendir("/proc/self/fd");
    assert_non_null(d);
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n;
}

static peat_db *open_at(counting *c, const char *dir, unsigned i, int threads)
{
    char path[256];
    peat_error error;
    peat_db *db = NULL;
    peat_host host = {.size = sizeof host, .env = &c->env};
    peat_options options = {.size = sizeof options, .threads = threads, .host = &host};
    (void)snprintf(path, sizeof path, "%s/%u", dir, i);
    if (peat_open(path, &options, &db, &error) != PEAT_OK)
        fail_msg("%s", error.message);
    return db;
}

static void put_some(peat_db *db, unsigned n, size_t size)
{
    char key[16];
    char *value = calloc(1, size);
    for (unsigned i = 0; i < n; i++) {
        (void)snprintf(key, sizeof key, "%08u", i * 7919 % n);
        memset(value, 'a' + (int)(i % 26), size);
        assert_ok(peat_put(db, NULL, peat_str(key), peat_bytes(value, size)));
    }
    free(value);
}

static void expect_rest(counting *c, long fds_before, long stores, size_t more, const char *when)
{
    size_t bytes = resident(c) / (size_t)stores;
    long files = (descriptors() - fds_before) / stores;
    print_message("%s: %zu KiB, %ld descriptors a store\n", when, bytes / KIB, files);
    if (bytes > REST_BYTES + more || files > REST_FILES)
        fail_msg("%s: a store of %ld holds %zu bytes and %ld descriptors", when, stores, bytes,
                 files);
}

TEST_IN_DIR(two_hundred_stores_at_rest_hold_little)
{
    counting *c = malloc(sizeof *c);
    static peat_db *dbs[STORES];
    struct rlimit limit = {2048, 4096};
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* where it may not, 1024 suffice at rest */
    counting_init(c);
    long before = descriptors();
    for (unsigned i = 0; i < STORES; i++) {
        dbs[i] = open_at(c, root, i, PEAT_THREADS_NONE);
        assert_ok(peat_settle(dbs[i], PEAT_WAIT_FOREVER));
    }
    expect_rest(c, before, STORES, 0, "empty");
    for (unsigned i = 0; i < STORES; i++) {
        put_some(dbs[i], 100, 100);
        assert_ok(peat_settle(dbs[i], PEAT_WAIT_FOREVER));
        assert_ok(peat_settle(dbs[i], PEAT_WAIT_FOREVER));
    }
    expect_rest(c, before, STORES, 0, "after a hundred entries");
    for (unsigned i = 0; i < STORES; i++)
        assert_ok(peat_close(dbs[i]));
    assert_int_equal(c->heap_bytes + c->mapped_bytes, 0);
    assert_int_equal(c->files, 0);
    free(c);
}

/* Much was written, read and deleted: memtables, frames and tables have been full. What describes
 * frames that were in use once stays, a hundredth of them. */
TEST_IN_DIR(a_store_that_was_full_and_is_empty_holds_little)
{
    counting *c = malloc(sizeof *c);
    counting_init(c);
    long before = descriptors();
    peat_db *db = open_at(c, root, 0, PEAT_THREADS_NONE);
    peat_iter *it = NULL;
    char key[16];
    peat_buf buf = PEAT_BUF_INIT;
    put_some(db, TOUCH_ENTRIES, 150);
    assert_ok(peat_settle(db, PEAT_WAIT_FOREVER));
    for (unsigned i = 0; i < TOUCH_ENTRIES; i += 7) {
        (void)snprintf(key, sizeof key, "%08u", i);
        assert_ok(peat_get(db, NULL, peat_str(key), &buf));
    }
    peat_buf_free(&buf);
    size_t full = resident(c);
    assert_true(full > 8192 * KIB);
    for (unsigned i = 0; i < TOUCH_ENTRIES; i++) {
        (void)snprintf(key, sizeof key, "%08u", i);
        assert_ok(peat_delete(db, NULL, peat_str(key)));
    }
    assert_ok(peat_settle(db, PEAT_WAIT_FOREVER));
    assert_ok(peat_iter_open(db, NULL, &it));
    assert_int_equal(peat_iter_next(it), PEAT_END);
    peat_iter_close(it);
    assert_ok(peat_settle(db, PEAT_WAIT_FOREVER));
    assert_ok(peat_settle(db, PEAT_WAIT_FOREVER));
    expect_rest(c, before, 1, full / 100, "full, then empty");
    put_some(db, 1000, 100); /* and it is as good as new */
    assert_ok(peat_compact(db, peat_unbounded(), peat_unbounded(), NULL));
    assert_ok(peat_close(db));
    free(c);
}

/* The library's thread does it too: the test waits for what is given back. */
TEST_IN_DIR(a_store_with_a_thread_comes_to_rest_by_itself)
{
    counting *c = malloc(sizeof *c);
    counting_init(c);
    long before = descriptors();
    peat_db *db = open_at(c, root, 0, 1);
    put_some(db, 1000, 100);
    pthread_mutex_lock(&c->mu);
    while (c->files > 1 || resident_now(c) > REST_BYTES)
        pthread_cond_wait(&c->given_back, &c->mu);
    pthread_mutex_unlock(&c->mu);
    assert_true(descriptors() - before <= REST_FILES);
    put_some(db, 3000, 100);
    assert_ok(peat_flush(db));
    assert_ok(peat_close(db));
    free(c);
}

/* The files of the manifest cannot be opened again: nothing is lost, and nothing is refused later.
 */
TEST(a_store_that_wakes_without_descriptors_goes_on_later)
{
    sim_env *sim = sim_new(sim_seed(9));
    peat_host host = {.size = sizeof host, .env = sim_peat(sim)};
    peat_options options = {.size = sizeof options, .threads = PEAT_THREADS_NONE, .host = &host};
    peat_db *db = NULL;
    peat_buf buf = PEAT_BUF_INIT;
    static const char *const names[] = {"PEAT", "m-"};
    for (unsigned i = 0; i < 2; i++) {
        assert_ok(peat_open("db", &options, &db, NULL));
        put_some(db, 10, 10);
        assert_ok(peat_settle(db, PEAT_WAIT_FOREVER));
        assert_true(sim_get_held(sim).files <= 1);
        put_some(db, 20, 10);
        sim_fail(sim, .kinds = SIM_BIT(SIM_FILE_OPEN), .error = EMFILE, .sticky = true,
                 .name_prefix = names[i]);
        assert_int_equal(peat_flush(db), PEAT_IO);
        assert_ok(peat_put(db, NULL, peat_str("a"), peat_str("b")));
        sim_faults_clear(sim);
        assert_ok(peat_flush(db));
        assert_ok(peat_get(db, NULL, peat_str("00000019"), &buf));
        assert_ok(peat_close(db));
        assert_ok(peat_open("db", &options, &db, NULL));
        assert_ok(peat_get(db, NULL, peat_str("a"), &buf));
        assert_ok(peat_close(db));
    }
    peat_buf_free(&buf);
    sim_end(sim);
}

/* Of the memory there is an eighth, in bounds: told by the statistics, and seen by what is mapped
 * at the beginning, which is the larger part of any budget. */
TEST_IN_DIR(the_default_budget_is_an_eighth_of_what_there_is)
{
    counting *c = malloc(sizeof *c);
    counting_init(c);
    static const struct {
        uint64_t mib;
        size_t budget;
    } cases[] = {{0, 256},    {65536, 4096}, {32769, 4096}, {32760, 4095}, {24576, 3072},
                 {2048, 256}, {520, 65},     {512, 64},     {400, 64},     {256, 64},
                 {255, 63},   {64, 16},      {4, 1},        {2, 1}};
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        c->limit = cases[i].mib << 20;
        peat_db *db = open_at(c, root, i, PEAT_THREADS_NONE);
        size_t budget = cases[i].budget << 20;
        peat_statistics s = {.size = sizeof s};
        assert_ok(peat_stats(db, &s));
        assert_true(s.memory_budget_bytes >> 20 == cases[i].budget);
        assert_true(c->mapped_bytes < budget + budget / 4 + 512 * KIB &&
                    c->mapped_bytes > budget / 4);
        assert_true(resident(c) <= REST_BYTES);
        assert_ok(peat_close(db));
    }
    /* of an environment that was made before there were such members */
    c->limit = UINT64_C(64) << 20;
    c->env.size = offsetof(peat_env, unneeded);
    peat_db *db = open_at(c, root, 100, PEAT_THREADS_NONE);
    assert_true(c->mapped_bytes > 64 << 20);
    assert_ok(peat_settle(db, PEAT_WAIT_FOREVER));
    assert_ok(peat_close(db));
    free(c);
}
