/* SPDX-License-Identifier: MIT
 *
 * iterators.c - entries in the order of their keys: forward, backward, from a place on, of one
 * prefix or range, and many rows per call.
 *
 * It prints
 *
 *     all: bird/owl bird/tit fish/cod fish/eel fish/ide tree/elm tree/oak
 *     fish/, backward: fish/ide fish/eel fish/cod
 *     from bird/p up to fish/e: bird/tit fish/cod
 *     at or after fish/d: fish/eel, at or before: fish/cod
 *     filled, backward: tree/oak tree/elm fish/ide fish/eel fish/cod bird/tit bird/owl
 *     7 rows of 3 at a time
 *     ant/red was written later: not seen, and after a refresh: ant/red
 */
#include <peat.h>

#include <stdio.h>

#define STORE "iterators.peat"

static void print_key(peat_slice key)
{
    printf(" %.*s", (int)key.size, (const char *)key.data);
}

// A scan that ends in anything but PEAT_END is not complete.
static peat_rc ended(peat_rc rc)
{
    if (rc == PEAT_END)
        printf("\n");
    return rc == PEAT_END ? PEAT_OK : rc;
}

static peat_rc fill_store(peat_db *db)
{
    static const char *const keys[] = {"tree/oak", "fish/eel", "bird/tit", "fish/cod",
                                       "tree/elm", "bird/owl", "fish/ide"};
    peat_rc rc = PEAT_OK;
    for (size_t i = 0; rc == PEAT_OK && i < sizeof keys / sizeof *keys; i++)
        rc = peat_put(db, NULL, peat_str(keys[i]), peat_str(""));
    return rc;
}

// The first step of a new iterator goes to the first entry, or backward to the last.
static peat_rc print_range(peat_db *db, const peat_iter_options *options, bool backward)
{
    peat_iter *it = NULL;
    peat_rc rc = peat_iter_open(db, options, &it);
    while (rc == PEAT_OK && (rc = backward ? peat_iter_prev(it) : peat_iter_next(it)) == PEAT_OK)
        print_key(peat_iter_key(it));
    peat_iter_close(it);
    return ended(rc);
}

static peat_rc print_ranges(peat_db *db)
{
    peat_iter_options fish = PEAT_ITER_OPTIONS_INIT, range = PEAT_ITER_OPTIONS_INIT;
    fish.prefix = peat_str("fish/");
    range.lower = peat_str("bird/p"); // included
    range.upper = peat_str("fish/e"); // excluded
    printf("all:");
    peat_rc rc = print_range(db, NULL, false);
    if (rc == PEAT_OK) {
        printf("fish/, backward:");
        rc = print_range(db, &fish, true);
    }
    if (rc == PEAT_OK) {
        printf("from bird/p up to fish/e:");
        rc = print_range(db, &range, false);
    }
    return rc;
}

static peat_rc seek(peat_db *db)
{
    peat_iter *it = NULL;
    peat_rc rc = peat_iter_open(db, NULL, &it);
    if (rc == PEAT_OK)
        rc = peat_iter_seek(it, peat_str("fish/d"));
    if (rc == PEAT_OK) {
        printf("at or after fish/d:");
        print_key(peat_iter_key(it));
        rc = peat_iter_seek_for_prev(it, peat_str("fish/d"));
    }
    if (rc == PEAT_OK) {
        printf(", at or before:");
        print_key(peat_iter_key(it));
        printf("\n");
    }
    peat_iter_close(it);
    return rc;
}

// Many rows per call: rows[0 .. n-1] are good until the next call on the iterator.
static peat_rc fill_rows(peat_db *db)
{
    peat_iter_options keys_only = PEAT_ITER_OPTIONS_INIT;
    peat_iter *it = NULL;
    peat_row rows[3];
    size_t n = 0, seen = 0;
    keys_only.keys_only = true; // values are not read
    printf("filled, backward:");
    peat_rc rc = peat_iter_open(db, &keys_only, &it);
    while (rc == PEAT_OK && (rc = peat_iter_fill_back(it, rows, 3, &n)) == PEAT_OK)
        for (size_t i = 0; i < n; i++, seen++)
            print_key(rows[i].key);
    peat_iter_close(it);
    rc = ended(rc);
    if (rc == PEAT_OK)
        printf("%u rows of 3 at a time\n", (unsigned)seen);
    return rc;
}

// An iterator sees the store as it was when it was opened, until it is told to look again.
static peat_rc refresh(peat_db *db)
{
    peat_iter *it = NULL;
    peat_rc rc = peat_iter_open(db, NULL, &it);
    if (rc == PEAT_OK)
        rc = peat_put(db, NULL, peat_str("ant/red"), peat_str(""));
    if (rc == PEAT_OK)
        rc = peat_iter_first(it);
    if (rc == PEAT_OK && peat_iter_key(it).size == 8) // bird/owl
        printf("ant/red was written later: not seen, and after a refresh:");
    if (rc == PEAT_OK)
        rc = peat_iter_refresh(it);
    if (rc == PEAT_OK)
        rc = peat_iter_first(it);
    if (rc == PEAT_OK) {
        print_key(peat_iter_key(it));
        printf("\n");
    }
    peat_iter_close(it);
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
    peat_rc rc = fill_store(db);
    if (rc == PEAT_OK)
        rc = print_ranges(db);
    if (rc == PEAT_OK)
        rc = seek(db);
    if (rc == PEAT_OK)
        rc = fill_rows(db);
    if (rc == PEAT_OK)
        rc = refresh(db);
    if (rc < 0 && peat_call_error(db, &error) < 0)
        fprintf(stderr, STORE ": %s\n", error.message);
    peat_rc closed = peat_close(db);
    peat_rc removed = peat_destroy(STORE, &error);
    return rc == PEAT_OK && closed == PEAT_OK && removed == PEAT_OK ? 0 : 1;
}
