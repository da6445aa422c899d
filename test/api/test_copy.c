/* SPDX-License-Identifier: MIT */
/* test_copy.c - export and import: one state, all of it, or a refusal. */
#include "world/kit.h"
#include "world/files.h"
#include "support/memory_stream.h"

typedef struct stream {
    memory_stream bytes;
    size_t fail_at; /* 0: never */
    peat_db *db;    /* written to meanwhile */
} stream;

static peat_rc take(void *ctx, const void *data, size_t size)
{
    stream *s = ctx;
    if (s->fail_at != 0 && s->bytes.size + size > s->fail_at)
        return PEAT_CONFLICT;
    assert_ok(memory_stream_write(&s->bytes, data, size));
    return s->db ? peat_put(s->db, NULL, peat_str("key-000000"), peat_str("too late")) : PEAT_OK;
}

static peat_rc give(void *ctx, void *buf, size_t size, size_t *ret_n)
{
    stream *s = ctx;
    if (s->fail_at != 0 && s->bytes.at >= s->fail_at)
        return PEAT_CONFLICT;
    return memory_stream_read(&s->bytes, buf, size, ret_n);
}

/* 600 entries in tables and in memory. */
static stream export_all(kit *k)
{
    stream s = {0};
    reopen_tiny(k, PEAT_COMPRESSION_DEFAULT);
    put_many(k, 600, 100);
    assert_ok(peat_flush(k->db));
    put(k, "", "the empty key");
    put(k, "empty", "");
    assert_ok(peat_delete(k->db, NULL, peat_str("key-000007")));
    assert_ok(peat_export(k->db, NULL, take, &s));
    assert_true(s.bytes.size > 600 * 100);
    return s;
}

static peat_rc import(kit *k, const char *dir, stream *s)
{
    s->bytes.at = 0;
    return peat_import(dir, &k->options, give, s, &k->error);
}

static void expect_no_store(kit *k, const char *dir)
{
    peat_options never = k->options;
    peat_db *db = NULL;
    never.create = PEAT_CREATE_NEVER;
    assert_int_equal(peat_open(dir, &never, &db, NULL), PEAT_NOT_FOUND);
}

TEST_OPEN(a_copy_holds_the_same)
{
    stream s = export_all(k);
    peat_db *original = k->db, *copy = NULL;
    peat_iter *a = NULL, *b = NULL;
    s.bytes.piece_max = 13;
    assert_ok(import(k, "copy", &s));
    assert_ok(peat_open("copy", &k->options, &copy, NULL));
    assert_ok(peat_iter_open(original, NULL, &a));
    assert_ok(peat_iter_open(copy, NULL, &b));
    int n = 0;
    peat_rc rc;
    while ((rc = peat_iter_next(a)) == PEAT_OK) {
        assert_ok(peat_iter_next(b));
        assert_int_equal(peat_iter_key(a).size, peat_iter_key(b).size);
        assert_int_equal(peat_iter_value(a).size, peat_iter_value(b).size);
        if (peat_iter_key(a).size != 0)
            assert_memory_equal(peat_iter_key(a).data, peat_iter_key(b).data,
                                peat_iter_key(a).size);
        if (peat_iter_value(a).size != 0)
            assert_memory_equal(peat_iter_value(a).data, peat_iter_value(b).data,
                                peat_iter_value(a).size);
        n++;
    }
    assert_int_equal(rc, PEAT_END);
    assert_int_equal(peat_iter_next(b), PEAT_END);
    assert_int_equal(n, 601);
    peat_iter_close(a);
    peat_iter_close(b);
    assert_ok(peat_check(copy, NULL, NULL));
    assert_ok(peat_close(copy));
    free(s.bytes.data);
}

TEST_OPEN(an_empty_store_is_copied_too)
{
    stream s = {0};
    peat_db *copy = NULL;
    assert_ok(peat_export(k->db, NULL, take, &s));
    assert_ok(import(k, "copy", &s));
    assert_ok(peat_open("copy", &k->options, &copy, NULL));
    assert_int_equal(count_all(copy), 0);
    assert_ok(peat_close(copy));
    free(s.bytes.data);
}

TEST_OPEN(an_export_is_one_moment_while_writes_go_on)
{
    stream s = {.db = k->db};
    peat_db *copy = NULL;
    peat_buf buf = PEAT_BUF_INIT;
    put_many(k, 3000, 100);
    assert_ok(peat_export(k->db, NULL, take, &s));
    expect_get(k, "key-000000", "too late");
    assert_ok(import(k, "copy", &s));
    assert_ok(peat_open("copy", &k->options, &copy, NULL));
    assert_ok(peat_get(copy, NULL, peat_str("key-000000"), &buf));
    assert_int_equal(buf.size, 102);
    peat_buf_free(&buf);
    assert_ok(peat_close(copy));
    free(s.bytes.data);
}

static void expect_says_both(const kit *k)
{
    const char *expected = strstr(k->error.message, "expected ");
    if (expected == NULL || strstr(expected, "found") == NULL)
        fail_msg("%s", k->error.message);
}

/* At every length for a while, and then at many. */
TEST_OPEN(a_torn_stream_is_refused_and_leaves_no_store)
{
    stream s = export_all(k);
    size_t whole = s.bytes.size;
    for (size_t size = 0; size < whole; size += size < 200 || whole - size < 100 ? 1 : 1009) {
        s.bytes.size = size;
        peat_rc rc = import(k, "copy", &s);
        if (rc != PEAT_CORRUPT)
            fail_msg("%zu bytes of %zu: %s", size, whole, peat_rc_name(rc));
        assert_int_equal(k->error.rc, PEAT_CORRUPT);
        expect_says_both(k);
    }
    expect_no_store(k, "copy");
    s.bytes.size = whole;
    assert_ok(import(k, "copy", &s));
    free(s.bytes.data);
}

TEST_OPEN(a_damaged_stream_is_refused_and_leaves_no_store)
{
    stream s = export_all(k);
    for (size_t at = 0; at < s.bytes.size; at += at < 200 || s.bytes.size - at < 100 ? 1 : 1009) {
        s.bytes.data[at] ^= 0x20;
        peat_rc rc = import(k, "copy", &s);
        if (rc != PEAT_CORRUPT && rc != PEAT_VERSION)
            fail_msg("a flipped bit at %zu of %zu: %s", at, s.bytes.size, peat_rc_name(rc));
        if (rc == PEAT_CORRUPT)
            expect_says_both(k);
        s.bytes.data[at] ^= 0x20;
    }
    expect_no_store(k, "copy");
    free(s.bytes.data);
}

TEST_OPEN(an_import_never_touches_what_is_there)
{
    stream s = export_all(k);
    s.bytes.at = 0;
    put(k, "mine", "stays");
    kit_close(k);
    assert_int_equal(import(k, "store", &s), PEAT_EXISTS);
    assert_non_null(strstr(k->error.message, "store"));
    sim_file_put(k->sim, "other", "letter.txt", "Dear Anna,", 10);
    assert_int_equal(import(k, "other", &s), PEAT_NOT_STORE);
    assert_true(sim_file_exists(k->sim, "other", "letter.txt"));
    kit_must_open(k);
    expect_get(k, "mine", "stays");
    assert_int_equal(count_all(k->db), 602);
    free(s.bytes.data);
}

TEST_OPEN(the_callbacks_result_is_returned)
{
    stream whole = export_all(k), cut = {.fail_at = 20000};
    assert_int_equal(peat_export(k->db, NULL, take, &cut), PEAT_CONFLICT);
    whole.fail_at = 20000;
    assert_int_equal(import(k, "copy", &whole), PEAT_CONFLICT);
    expect_no_store(k, "copy");
    assert_int_equal(peat_export(k->db, NULL, NULL, NULL), PEAT_INVALID);
    assert_int_equal(peat_export(NULL, NULL, take, &cut), PEAT_INVALID);
    assert_int_equal(peat_import("copy", NULL, NULL, NULL, &k->error), PEAT_INVALID);
    assert_int_equal(k->error.rc, PEAT_INVALID);
    assert_non_null(strstr(k->error.message, "fn is NULL"));
    assert_int_equal(peat_import(NULL, NULL, give, &whole, NULL), PEAT_INVALID);
    free(cut.bytes.data);
    free(whole.bytes.data);
}

static bool stop(void *ctx, const char *phase, uint64_t done, uint64_t total)
{
    (void)phase;
    (void)done;
    (void)total;
    ++*(int *)ctx;
    return false;
}

TEST_OPEN(an_export_can_be_cancelled)
{
    int calls = 0;
    stream s = {0};
    peat_progress progress = {.size = sizeof progress, .fn = stop, .ctx = &calls};
    peat_export_options options = {.size = sizeof options, .progress = &progress};
    put_many(k, 20000, 300);
    assert_int_equal(peat_export(k->db, &options, take, &s), PEAT_CANCELLED);
    assert_int_equal(calls, 1);
    assert_int_equal(import(k, "copy", &s), PEAT_CORRUPT);
    free(s.bytes.data);
}

/* --- file descriptors --- */

/* What the progress says of the whole is near to it, whatever part of the store that is. */
typedef struct seen_progress {
    uint64_t calls, done, total;
} seen_progress;

static bool see_progress(void *ctx, const char *phase, uint64_t done, uint64_t total)
{
    seen_progress *p = ctx;
    assert_string_equal(phase, "exporting");
    assert_true(done >= p->done && total >= done);
    *p = (seen_progress){p->calls + 1, done, total};
    return true;
}

TEST_OPEN(a_range_is_exported)
{
    static const struct {
        const char *lower, *upper; /* NULL: unbounded */
        int entries;
    } cases[] = {{NULL, NULL, 6000},
                 {"key-001000", "key-005000", 4000},
                 {"key-001000", NULL, 5000},
                 {NULL, "key-000001", 1},
                 {"key-000001", "key-000001", 0},
                 {"key-000002", "key-000001", 0}};
    put_many(k, 6000, 200);
    assert_ok(peat_flush(k->db));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        seen_progress seen = {0};
        peat_progress progress = {.size = sizeof progress, .fn = see_progress, .ctx = &seen};
        peat_export_options options = {.size = sizeof options,
                                       .progress = &progress,
                                       .lower = peat_str(cases[i].lower),
                                       .upper = peat_str(cases[i].upper)};
        stream s = {0};
        peat_db *copy = NULL;
        char dir[16];
        (void)snprintf(dir, sizeof dir, "copy%zu", i);
        assert_ok(peat_export(k->db, &options, take, &s));
        assert_ok(import(k, dir, &s));
        assert_ok(peat_open(dir, &k->options, &copy, NULL));
        assert_int_equal(count_all(copy), cases[i].entries);
        assert_ok(peat_close(copy));
        if (cases[i].entries >= 4000) {
            uint64_t bytes = (uint64_t)cases[i].entries * 219; /* keys with their keyspace */
            assert_true(seen.calls > 0 && seen.total > bytes / 10 * 9 &&
                        seen.total < bytes / 10 * 11);
        }
        free(s.bytes.data);
    }
    peat_export_options bad = {.size = sizeof bad, .lower = peat_bytes(NULL, 1)};
    stream s = {0};
    assert_int_equal(peat_export(k->db, &bad, take, &s), PEAT_INVALID);
    /* what was built before there were bounds */
    peat_export_options old = {.size = offsetof(peat_export_options, lower)};
    assert_ok(peat_export(k->db, &old, take, &s));
    free(s.bytes.data);
}

TEST(a_pipe_between_two_stores)
{
    char from[256], to[256], path[300];
    peat_db *db = NULL;
    peat_error error;
    files_new_dir(from);
    files_new_dir(to);
    (void)snprintf(path, sizeof path, "%s.stream", to);
    assert_ok(peat_open(from, NULL, &db, NULL));
    for (uint32_t i = 0; i < 1000; i++)
        assert_ok(peat_put(db, NULL, peat_bytes(&i, sizeof i), peat_bytes(&i, sizeof i)));
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_ok(peat_export_fd(db, NULL, fd));
    assert_int_equal(write(fd, "behind", 6), 6); /* it stays open */
    assert_ok(peat_close(db));
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_ok(peat_import_fd(to, NULL, fd, &error));
    char rest[16] = "";
    assert_int_equal(read(fd, rest, sizeof rest), 6); /* not read beyond its end */
    assert_memory_equal(rest, "behind", 6);
    assert_ok(peat_open(to, NULL, &db, NULL));
    assert_int_equal(count_all(db), 1000);
    assert_ok(peat_close(db));
    assert_int_equal(peat_import_fd(to, NULL, -1, &error), PEAT_INVALID);
    assert_int_equal(error.rc, PEAT_INVALID);
    assert_non_null(strstr(error.message, "fd below 0"));
    assert_ok(peat_destroy(from, NULL));
    assert_ok(peat_destroy(to, NULL));
    assert_int_equal(close(fd), 0);
    assert_int_equal(unlink(path), 0);
}

TEST(a_full_device_is_said_to_be_full)
{
    char dir[256];
    peat_db *db = NULL;
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        skip();
    files_new_dir(dir);
    assert_ok(peat_open(dir, NULL, &db, NULL));
    assert_int_equal(peat_export_fd(db, NULL, fd), PEAT_FULL);
    assert_true(peat_export_fd(db, NULL, -1) < 0);
    assert_ok(peat_close(db));
    assert_ok(peat_destroy(dir, NULL));
    assert_int_equal(close(fd), 0);
}
