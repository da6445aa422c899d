/* SPDX-License-Identifier: MIT
 *
 * batches.c - many writes as one: they are in the store together or not at all, for readers and
 * after a crash. A batch can be taken back to a mark, walked over, and written again.
 *
 * It prints
 *
 *     order 1: 3 items
 *     order 2: only 1 of 2 items are there, taken back
 *     put order/1/0 = item 0 of order 1
 *     put order/1/1 = item 1 of order 1
 *     put order/1/2 = item 2 of order 1
 *     put order/1 = sold
 *     delete order/draft
 *     5 operations written as one
 */
#include <peat.h>

#include <stdio.h>
#include <string.h>

#define STORE "batches.peat"

// The value is written where it will lie in the batch: no copy of the program's own.
static peat_rc add_item(peat_batch *batch, unsigned order, unsigned item)
{
    static const char text[] = "item %u of order %u";
    char key[32], value[64];
    void *room = NULL;
    int key_size = snprintf(key, sizeof key, "order/%u/%u", order, item);
    int size = snprintf(value, sizeof value, text, item, order);
    peat_rc rc =
        peat_batch_put_reserve(batch, peat_bytes(key, (size_t)key_size), (size_t)size, &room);
    if (rc == PEAT_OK)
        memcpy(room, value, (size_t)size); // before the next call on this batch
    return rc;
}

// An order is sold whole: when items are missing, what was added for it goes out again.
static peat_rc add_order(peat_batch *batch, unsigned order, unsigned items, unsigned in_stock)
{
    char key[32];
    size_t before = peat_batch_mark(batch);
    peat_rc rc = PEAT_OK;
    for (unsigned i = 0; rc == PEAT_OK && i < items && i < in_stock; i++)
        rc = add_item(batch, order, i);
    if (rc == PEAT_OK && in_stock < items) {
        printf("order %u: only %u of %u items are there, taken back\n", order, in_stock, items);
        return peat_batch_rollback_to(batch, before);
    }
    int key_size = snprintf(key, sizeof key, "order/%u", order);
    if (rc == PEAT_OK)
        rc = peat_batch_put(batch, peat_bytes(key, (size_t)key_size), peat_str("sold"));
    if (rc == PEAT_OK)
        printf("order %u: %u items\n", order, items);
    return rc;
}

static peat_rc print_operation(void *ctx, const peat_batch_op *op)
{
    (void)ctx;
    if (op->kind == PEAT_BATCH_DELETE)
        printf("delete %.*s\n", (int)op->key.size, (const char *)op->key.data);
    else
        printf("put %.*s = %.*s\n", (int)op->key.size, (const char *)op->key.data,
               (int)op->value.size, (const char *)op->value.data);
    return PEAT_OK; // anything else would end the walk
}

static peat_rc fill(peat_batch *batch)
{
    peat_batch *last = NULL;
    peat_rc rc = add_order(batch, 1, 3, 10);
    if (rc == PEAT_OK)
        rc = add_order(batch, 2, 2, 1);
    if (rc == PEAT_OK)
        rc = peat_batch_new(&last);
    if (rc == PEAT_OK)
        rc = peat_batch_delete(last, peat_str("order/draft"));
    if (rc == PEAT_OK)
        rc = peat_batch_append(batch, last); // batches made apart become one
    peat_batch_free(last);
    return rc;
}

static peat_rc sell(peat_db *db)
{
    peat_write_options durable = PEAT_WRITE_OPTIONS_INIT;
    peat_batch *batch = NULL;
    durable.sync = true; // on disk when the call returns
    peat_rc rc = peat_batch_new(&batch);
    if (rc == PEAT_OK)
        rc = fill(batch);
    if (rc == PEAT_OK)
        rc = peat_batch_each(batch, print_operation, NULL);
    if (rc == PEAT_OK)
        rc = peat_write(db, &durable, batch);
    if (rc == PEAT_OK)
        printf("%u operations written as one\n", (unsigned)peat_batch_count(batch));
    peat_batch_free(batch);
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
    peat_rc rc = sell(db);
    if (rc < 0 && peat_call_error(db, &error) < 0)
        fprintf(stderr, STORE ": %s\n", error.message);
    peat_rc closed = peat_close(db);
    peat_rc removed = peat_destroy(STORE, &error);
    return rc == PEAT_OK && closed == PEAT_OK && removed == PEAT_OK ? 0 : 1;
}
