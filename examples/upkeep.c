/* SPDX-License-Identifier: MIT
 *
 * upkeep.c - what a running store is asked now and then: how much a range holds, what the store
 * takes, whether every byte verifies; how to make it dense, and how to stop that. None of it is
 * needed.
 *
 * It prints
 *
 *     about 5000 entries from 0000 to 5000, within a tenth: yes
 *     compacted, cancelled: a callback asked to stop
 *     compacted: done
 *     settled: done, runs above the bottom one: 0
 *     5000 entries of 5000 are left in the files, in 1 partition
 *     JSON: {"puts":10000,"deletes":5000,
 *     check: done, 5000 entries, 0 damages
 */
#include <peat.h>

#include <stdio.h>

#define STORE   "upkeep.peat"
#define ENTRIES 10000

static peat_rc fill(peat_db *db)
{
    static char value[100];
    char key[32];
    peat_rc rc = PEAT_OK;
    for (int i = 0; rc == PEAT_OK && i < ENTRIES; i++) {
        int size = snprintf(key, sizeof key, "%04d", i);
        rc = peat_put(db, NULL, peat_bytes(key, (size_t)size), peat_bytes(value, sizeof value));
    }
    return rc == PEAT_OK ? peat_flush(db) : rc; // from memory into tables, durable
}

static peat_rc delete_every_other(peat_db *db)
{
    char key[32];
    peat_rc rc = PEAT_OK;
    for (int i = 0; rc == PEAT_OK && i < ENTRIES; i += 2) {
        int size = snprintf(key, sizeof key, "%04d", i);
        rc = peat_delete(db, NULL, peat_bytes(key, (size_t)size));
    }
    return rc;
}

// From indexes, without reading the range.
static peat_rc estimate(peat_db *db)
{
    uint64_t count = 0;
    peat_rc rc = peat_approximate_count(db, peat_str("0000"), peat_str("5000"), &count);
    if (rc == PEAT_OK)
        printf("about 5000 entries from 0000 to 5000, within a tenth: %s\n",
               count >= 4500 && count <= 5500 ? "yes" : "no");
    return rc;
}

// Long calls tell how far they are, and can be told to stop: the store is as valid as before.
static bool stop_at_once(void *ctx, const char *phase, uint64_t done, uint64_t total)
{
    (void)ctx, (void)phase, (void)done, (void)total;
    return false;
}

static peat_rc make_dense(peat_db *db)
{
    peat_progress progress = PEAT_INIT(peat_progress);
    progress.fn = stop_at_once;
    peat_rc rc = peat_compact(db, peat_unbounded(), peat_unbounded(), &progress);
    printf("compacted, cancelled: %s\n", peat_rc_text(rc));
    if (rc != PEAT_CANCELLED)
        return rc < 0 ? rc : PEAT_IO;
    rc = peat_compact(db, peat_unbounded(), peat_unbounded(), NULL);
    printf("compacted: %s\n", peat_rc_text(rc));
    return rc;
}

static peat_rc count_partition(void *ctx, const peat_partition_info *partition)
{
    *(uint64_t *)ctx = partition->count;
    return PEAT_OK;
}

static peat_rc look_inside(peat_db *db)
{
    peat_statistics stats = PEAT_INIT(peat_statistics);
    peat_buf json = PEAT_BUF_INIT;
    uint64_t partitions = 0;
    peat_rc rc = peat_settle(db, 60 * 1000); // at most a minute
    if (rc == PEAT_OK)
        rc = peat_stats(db, &stats);
    if (rc == PEAT_OK)
        rc = peat_shape(db, count_partition, &partitions);
    if (rc == PEAT_OK) {
        printf("settled: done, runs above the bottom one: %u\n", (unsigned)stats.slices);
        printf("%u entries of %u are left in the files, in %u partition\n", (unsigned)stats.entries,
               ENTRIES / 2, (unsigned)partitions);
        rc = peat_stats_json(db, &json); // the same figures for a program that reads JSON
    }
    if (rc == PEAT_OK)
        printf("JSON: %.29s\n", (const char *)json.data);
    peat_buf_free(&json);
    return rc;
}

static bool print_damage(void *ctx, const peat_damage *damage)
{
    (void)ctx;
    printf("%s @%llu: %s\n", damage->file, (unsigned long long)damage->offset, damage->message);
    return true; // go on
}

static peat_rc check(peat_db *db)
{
    peat_check_options options = PEAT_INIT(peat_check_options);
    peat_check_report report = PEAT_INIT(peat_check_report);
    options.damage_fn = print_damage;
    peat_rc rc = peat_check(db, &options, &report);
    printf("check: %s, %u entries, %u damages\n", peat_rc_text(rc), (unsigned)report.entries,
           (unsigned)report.damages);
    return rc;
}

static peat_rc run(peat_db *db)
{
    peat_rc rc = fill(db);
    if (rc == PEAT_OK)
        rc = estimate(db);
    if (rc == PEAT_OK)
        rc = delete_every_other(db);
    if (rc == PEAT_OK)
        rc = make_dense(db);
    if (rc == PEAT_OK)
        rc = look_inside(db);
    return rc == PEAT_OK ? check(db) : rc;
}

int main(void)
{
    peat_db *db = NULL;
    peat_error error;
    if (peat_open(STORE, NULL, &db, &error) != PEAT_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    peat_rc rc = run(db);
    if (rc != PEAT_OK && peat_db_error(db, &error) != PEAT_OK) // what went wrong first
        fprintf(stderr, STORE ": %s\n", error.message);
    peat_rc closed = peat_close(db);
    peat_rc removed = peat_destroy(STORE, &error);
    return rc == PEAT_OK && closed == PEAT_OK && removed == PEAT_OK ? 0 : 1;
}
