/* SPDX-License-Identifier: MIT
 *
 * snapshots.c - reads that belong together: a snapshot is one state of the store, and gets and
 * iterators that name it see that one, whatever is written meanwhile.
 *
 * It prints
 *
 *     now: Ann 70, Bob 30, together 100
 *     at the snapshot: Ann 100, Bob 0, together 100
 *     rows at the snapshot: Ann Bob
 */
#include <peat.h>

#include <stdio.h>
#include <stdlib.h>

#define STORE "snapshots.peat"

static peat_rc put_number(peat_batch *batch, const char *name, int number)
{
    char text[16];
    int size = snprintf(text, sizeof text, "%d", number);
    return peat_batch_put(batch, peat_str(name), peat_bytes(text, (size_t)size));
}

// Both accounts change in one batch, so that no reader sees the money twice, or not at all.
static peat_rc set_accounts(peat_db *db, int ann, int bob)
{
    peat_batch *batch = NULL;
    peat_rc rc = peat_batch_new(&batch);
    if (rc == PEAT_OK)
        rc = put_number(batch, "Ann", ann);
    if (rc == PEAT_OK)
        rc = put_number(batch, "Bob", bob);
    if (rc == PEAT_OK)
        rc = peat_write(db, NULL, batch);
    peat_batch_free(batch);
    return rc;
}

static peat_rc get_number(peat_db *db, const peat_snapshot *snapshot, const char *name, int *ret)
{
    peat_read_options options = PEAT_READ_OPTIONS_INIT;
    peat_buf value = PEAT_BUF_INIT;
    char text[16];
    options.snapshot = snapshot; // NULL: the latest state
    peat_rc rc = peat_get(db, &options, peat_str(name), &value);
    if (rc == PEAT_OK) {
        (void)snprintf(text, sizeof text, "%.*s", (int)value.size, (const char *)value.data);
        *ret = atoi(text);
    }
    peat_buf_free(&value);
    return rc;
}

static peat_rc print_accounts(peat_db *db, const peat_snapshot *snapshot, const char *when)
{
    int ann = 0, bob = 0;
    peat_rc rc = get_number(db, snapshot, "Ann", &ann);
    if (rc == PEAT_OK)
        rc = get_number(db, snapshot, "Bob", &bob);
    if (rc == PEAT_OK)
        printf("%s: Ann %d, Bob %d, together %d\n", when, ann, bob, ann + bob);
    return rc;
}

static peat_rc print_rows(peat_db *db, const peat_snapshot *snapshot)
{
    peat_iter_options options = PEAT_ITER_OPTIONS_INIT;
    peat_iter *it = NULL;
    options.snapshot = snapshot;
    printf("rows at the snapshot:");
    peat_rc rc = peat_iter_open(db, &options, &it);
    while (rc == PEAT_OK && (rc = peat_iter_next(it)) == PEAT_OK)
        printf(" %.*s", (int)peat_iter_key(it).size, (const char *)peat_iter_key(it).data);
    peat_iter_close(it);
    printf("\n");
    return rc == PEAT_END ? PEAT_OK : rc;
}

static peat_rc run(peat_db *db)
{
    peat_snapshot *before = NULL;
    peat_rc rc = set_accounts(db, 100, 0);
    if (rc == PEAT_OK)
        rc = peat_snapshot_open(db, &before);
    if (rc == PEAT_OK)
        rc = set_accounts(db, 70, 30);
    if (rc == PEAT_OK)
        rc = peat_put(db, NULL, peat_str("Cid"), peat_str("5"));
    if (rc == PEAT_OK)
        rc = print_accounts(db, NULL, "now");
    if (rc == PEAT_OK)
        rc = print_accounts(db, before, "at the snapshot");
    if (rc == PEAT_OK)
        rc = print_rows(db, before);
    peat_snapshot_close(before); // while it is open, old versions take space
    return rc;
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
    if (rc != PEAT_OK)
        fprintf(stderr, STORE ": %s\n", peat_rc_text(rc));
    peat_rc closed = peat_close(db);
    peat_rc removed = peat_destroy(STORE, &error);
    return rc == PEAT_OK && closed == PEAT_OK && removed == PEAT_OK ? 0 : 1;
}
