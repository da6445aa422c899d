/* SPDX-License-Identifier: MIT */
/*
 * test_fence.c - after a failed sync of the manifest every write is refused at once, with and
 * without a log, until the store is opened again; reads go on.
 */
#include "peat.h"
#include "support/sim_env.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

typedef struct site {
    sim_env *sim;
    peat_host host;
    peat_options options;
    peat_db *db;
} site;

static void site_open(site *s, bool no_log)
{
    *s = (site){.sim = sim_new(sim_seed(1))};
    s->host = (peat_host){.size = sizeof s->host, .env = sim_peat(s->sim)};
    s->options = (peat_options){.size = sizeof s->options,
                                .threads = PEAT_THREADS_NONE,
                                .no_log = no_log,
                                .host = &s->host};
    assert_int_equal(peat_open("db", &s->options, &s->db, NULL), PEAT_OK);
}

static peat_rc get(site *s, const char *key)
{
    peat_buf value = PEAT_BUF_INIT;
    peat_rc rc = peat_get(s->db, NULL, peat_str(key), &value);
    peat_buf_free(&value);
    return rc;
}

static void fail_a_flush(site *s)
{
    assert_int_equal(peat_put(s->db, NULL, peat_str("before"), peat_str("1")), PEAT_OK);
    (void)sim_fault_add(
        s->sim,
        (sim_fault){.kinds = SIM_BIT(SIM_FILE_SYNC), .at = 1, .error = EIO, .name_prefix = "m-"});
    assert_int_equal(peat_flush(s->db), PEAT_IO);
    sim_faults_clear(s->sim);
}

static void expect_refusal(site *s)
{
    peat_batch *batch = NULL;
    assert_int_equal(peat_batch_new(&batch), PEAT_OK);
    assert_int_equal(peat_batch_put(batch, peat_str("batch"), peat_str("2")), PEAT_OK);
    assert_int_equal(peat_put(s->db, NULL, peat_str("after"), peat_str("2")), PEAT_IO);
    assert_int_equal(peat_delete(s->db, NULL, peat_str("before")), PEAT_IO);
    assert_int_equal(peat_write(s->db, NULL, batch), PEAT_IO);
    assert_int_equal(peat_sync(s->db), PEAT_IO);
    peat_batch_free(batch);
    assert_int_equal(get(s, "before"), PEAT_OK);
    assert_int_equal(get(s, "after"), PEAT_NOT_FOUND);
    assert_int_equal(get(s, "batch"), PEAT_NOT_FOUND);
}

static void site_close(site *s)
{
    (void)!peat_close(s->db); /* a fenced store says so once more */
    assert_int_equal(peat_open("db", &s->options, &s->db, NULL), PEAT_OK);
    assert_int_equal(peat_put(s->db, NULL, peat_str("after"), peat_str("3")), PEAT_OK);
    assert_int_equal(get(s, "after"), PEAT_OK);
    assert_int_equal(peat_close(s->db), PEAT_OK);
    assert_true(sim_is_clean(s->sim));
    sim_free(s->sim);
}

static void a_failed_manifest_refuses_writes_until_reopen(void **state)
{
    (void)state;
    site s;
    site_open(&s, false);
    fail_a_flush(&s);
    expect_refusal(&s);
    site_close(&s);
}

static void without_a_log_too(void **state)
{
    (void)state;
    site s;
    site_open(&s, true);
    fail_a_flush(&s);
    expect_refusal(&s);
    site_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_manifest_refuses_writes_until_reopen),
        cmocka_unit_test(without_a_log_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
