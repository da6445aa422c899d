/* SPDX-License-Identifier: MIT */
/* test_fail.c - an error is described once, and the first stays. */
#include "base/fail.h"

#include "peat_env.h"
#include "world/test.h"

static int set_up(void **state)
{
    pt_sink *sink = malloc(sizeof *sink);
    pt_sink_init(sink);
    *state = sink;
    return 0;
}

static int tear_down(void **state)
{
    pt_sink_done(*state);
    free(*state);
    return 0;
}

#define TEST_F(name) TEST_WITH(name, pt_sink *sink, set_up, tear_down)

TEST_F(a_fresh_sink_says_nothing)
{
    peat_error e;
    pt_sink_get(sink, &e);
    assert_ok(e.rc);
    assert_int_equal(e.os_errno, 0);
    assert_string_equal(e.message, "");
    assert_ok(pt_sink_write_failure(sink));
}

TEST_F(an_error_keeps_code_and_text)
{
    peat_error e;
    assert_int_equal(pt_fail(sink, PEAT_CORRUPT, "table %06d block @%d", 7, 4096), PEAT_CORRUPT);
    pt_sink_get(sink, &e);
    assert_int_equal(e.rc, PEAT_CORRUPT);
    assert_int_equal(e.os_errno, 0);
    assert_string_equal(e.message, "table 000007 block @4096");
    assert_ok(pt_sink_write_failure(sink)); /* an error alone stops no writes */
}

TEST_F(the_code_follows_from_the_errno)
{
    static const struct {
        int os_errno;
        peat_rc rc;
    } cases[] = {{ENOSPC, PEAT_FULL}, {EDQUOT, PEAT_FULL}, {ENOMEM, PEAT_NOMEM}, {EIO, PEAT_IO},
                 {EACCES, PEAT_IO},   {EROFS, PEAT_IO},    {EMFILE, PEAT_IO}};
    for (size_t i = 0; i < PT_COUNT_OF(cases); i++) {
        char expected[200];
        peat_error e;
        assert_int_equal(pt_fail_os(sink, cases[i].os_errno, "write w-%d", 1), cases[i].rc);
        pt_sink_get(sink, &e);
        assert_int_equal(e.rc, cases[i].rc);
        assert_int_equal(e.os_errno, cases[i].os_errno);
        (void)snprintf(expected, sizeof expected, "write w-1: %s", strerror(cases[i].os_errno));
        assert_string_equal(e.message, expected);
    }
}

TEST_F(a_long_text_is_cut_and_terminated_and_keeps_its_cause)
{
    char text[2000], cause[100];
    (void)snprintf(cause, sizeof cause, ": %s", strerror(EIO));
    for (size_t size = 400; size < 530; size++) { /* around the message's 512 */
        peat_error e;
        memset(text, 'x', size);
        text[size] = '\0';
        assert_int_equal(pt_fail_os(sink, EIO, "%s", text), PEAT_IO);
        memset(&e, 1, sizeof e);
        pt_sink_get(sink, &e);
        size_t n = strnlen(e.message, sizeof e.message), kept = n - strlen(cause);
        assert_true(n < sizeof e.message && (kept == size || n == sizeof e.message - 1));
        assert_memory_equal(e.message, text, kept);
        assert_string_equal(e.message + kept, cause);
    }
}

/* Names come from outside: an error stays one line, and drives no terminal. */
TEST_F(control_bytes_stand_escaped)
{
    peat_error e;
    char path[3] = {0};
    for (int c = 1; c < 256; c++) {
        path[0] = (char)c;
        path[1] = 'z';
        (void)pt_fail(sink, PEAT_IO, "[%s]", path);
        pt_sink_describe(sink, PEAT_IO, path, &e);
        for (const char *p = e.message; *p != '\0'; p++)
            assert_true((unsigned char)*p >= 0x20 && *p != 0x7f);
        assert_non_null(strstr(e.message, c < 0x20 || c == 0x7f ? "z: [\\x" : path));
    }
}

/* Whatever the path: cause, file and offset are there, and of the path its beginning and its end.
 */
TEST_F(a_long_path_is_cut_and_not_what_happened)
{
    static const char what[] = "t-000001.tab @4096: checksum 1 instead of 2";
    for (size_t size = 1; size < 1500; size++) {
        char path[1500];
        peat_error e;
        memset(path, 'p', size);
        path[size] = '\0';
        if (size % 3 == 0) /* escapes and characters of two bytes are not cut through */
            for (size_t i = 8; i + 20 < size; i += 2)
                memcpy(path + i, size % 2 == 0 ? "\xc3\xa4" : "\n\n", 2);
        memcpy(path, "/disk/", size < 6 ? size : 6);
        if (size > 16)
            memcpy(path + size - 6, "/store", 6);
        (void)pt_fail_at(sink, PEAT_CORRUPT, "t-000001.tab", 4096, "checksum 1 instead of 2");
        memset(&e, 1, sizeof e);
        pt_sink_describe(sink, PEAT_CORRUPT, path, &e);
        size_t n = strnlen(e.message, sizeof e.message);
        assert_true(n < sizeof e.message && n > strlen(what));
        assert_string_equal(e.message + n - strlen(what), what);
        assert_memory_equal(e.message, path, size < 6 ? size : 6);
        if (size > 16)
            assert_non_null(strstr(e.message, "/store: "));
        if (size < 400 && size % 3 != 0)
            assert_memory_equal(e.message, path, size);
        for (const char *p = e.message; *p != '\0'; p++)
            if (*p == '\xc3')
                assert_true(*++p == '\xa4');
            else
                assert_true((unsigned char)*p >= 0x20 && (unsigned char)*p < 0x7f);
    }
}

/* A text of full length leaves room for some of the path. */
TEST_F(a_long_text_leaves_the_path)
{
    char text[600];
    peat_error e;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    (void)pt_fail(sink, PEAT_IO, "%s", text);
    pt_sink_describe(sink, PEAT_IO, "/disk/store", &e);
    assert_memory_equal(e.message, "/disk/store: xxx", 16);
    assert_int_equal(strnlen(e.message, sizeof e.message), sizeof e.message - 1);
    pt_sink_describe(sink, PEAT_IO, text, &e); /* and of a path something of the text */
    assert_non_null(strstr(e.message, "...xxx"));
    assert_non_null(strstr(e.message, ": xxx"));
}

TEST_F(the_first_write_failure_stays)
{
    peat_error e;
    (void)pt_fail_os(sink, EIO, "sync w-1");
    pt_sink_stop_writes(sink, PEAT_IO);
    (void)pt_fail(sink, PEAT_CORRUPT, "something later");
    pt_sink_stop_writes(sink, PEAT_CORRUPT);
    assert_int_equal(pt_sink_write_failure(sink), PEAT_IO);
    pt_sink_get(sink, &e);
    assert_int_equal(e.rc, PEAT_IO);
    assert_int_equal(e.os_errno, EIO);
    assert_non_null(strstr(e.message, "sync w-1"));
}

typedef struct writer {
    pt_sink *sink;
    int number;
} writer;

static void fail_often(void *arg)
{
    const writer *w = arg;
    for (int i = 0; i < 500; i++) {
        (void)pt_fail(w->sink, PEAT_IO, "%d%d%d%d", w->number, w->number, w->number, w->number);
        if (i == 250)
            pt_sink_stop_writes(w->sink, PEAT_IO);
        (void)pt_sink_write_failure(w->sink);
    }
}

TEST_F(errors_of_threads_do_not_mix)
{
    const peat_env *env = peat_env_default();
    writer writers[3];
    peat_env_thread *threads[3];
    peat_error e;
    for (int i = 0; i < 3; i++) {
        writers[i] = (writer){.sink = sink, .number = i};
        assert_int_equal(env->thread_start(env->ctx, fail_often, &writers[i], &threads[i]), 0);
    }
    for (int i = 0; i < 3; i++)
        env->thread_join(env->ctx, threads[i]);
    pt_sink_get(sink, &e);
    assert_int_equal(pt_sink_write_failure(sink), PEAT_IO);
    assert_int_equal(strlen(e.message), 4);
    for (int i = 1; i < 4; i++)
        assert_int_equal(e.message[i], e.message[0]);
}
