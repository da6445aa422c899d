/* SPDX-License-Identifier: MIT
 *
 * points.c - single keys: open, put, get, delete; "not there" is an answer, an error is another.
 *
 * It prints
 *
 *     there is no store yet
 *     apple is green
 *     no banana
 *     a key of 3 bytes has a value of 0 bytes
 *     of two keys at once 1 is there
 *     peat_put: key: data is NULL, but size is not 0
 *     deleted, and still pinned: green
 *     apple is gone
 */
#include <peat.h>

#include <stdio.h>

#define STORE "points.peat"

static peat_rc write_some(peat_db *db)
{
    peat_rc rc = peat_put(db, NULL, peat_str("apple"), peat_str("red"));
    if (rc == PEAT_OK)
        rc = peat_put(db, NULL, peat_str("apple"), peat_str("green")); // the last one counts
    if (rc == PEAT_OK) // any bytes; the empty value is a value
        rc = peat_put(db, NULL, peat_bytes("a\0b", 3), peat_str(""));
    if (rc == PEAT_OK)
        rc = peat_delete(db, NULL, peat_str("cherry")); // PEAT_OK: it was not there before either
    return rc;
}

// One buffer for any number of gets: it grows when it has to, and is freed once.
static peat_rc print_values(peat_db *db)
{
    static const char *const keys[] = {"apple", "banana"};
    peat_buf value = PEAT_BUF_INIT;
    peat_rc rc = PEAT_OK;
    for (size_t i = 0; rc >= 0 && i < sizeof keys / sizeof *keys; i++) {
        rc = peat_get(db, NULL, peat_str(keys[i]), &value);
        if (rc == PEAT_OK)
            printf("%s is %.*s\n", keys[i], (int)value.size, (const char *)value.data);
        else if (rc == PEAT_NOT_FOUND)
            printf("no %s\n", keys[i]);
    }
    if (rc >= 0)
        rc = peat_get(db, NULL, peat_bytes("a\0b", 3), &value);
    if (rc == PEAT_OK)
        printf("a key of 3 bytes has a value of %u bytes\n", (unsigned)value.size);
    peat_buf_free(&value);
    return rc;
}

// Many keys in one call: each has its own answer.
static peat_rc count_of_two(peat_db *db)
{
    peat_slice keys[2] = {PEAT_SLICE("apple"), PEAT_SLICE("banana")};
    peat_buf values[2] = {PEAT_BUF_INIT, PEAT_BUF_INIT}; // reused from call to call
    peat_rc rcs[2];
    peat_rc rc = peat_multi_get(db, NULL, 2, keys, values, rcs);
    int found = 0;
    for (int i = 0; i < 2; i++) {
        if (rc == PEAT_OK && rcs[i] < 0)
            rc = rcs[i];
        found += rc == PEAT_OK && rcs[i] == PEAT_OK;
        peat_buf_free(&values[i]);
    }
    if (rc == PEAT_OK)
        printf("of two keys at once %d is there\n", found);
    return rc;
}

// A call that was refused says why, in words, to the thread that made it.
static peat_rc refused(peat_db *db)
{
    peat_error error;
    peat_rc rc = peat_put(db, NULL, peat_bytes(NULL, 5), peat_str("x"));
    if (rc != PEAT_INVALID || peat_call_error(db, &error) != PEAT_INVALID)
        return PEAT_CORRUPT;
    printf("%s\n", error.message);
    return PEAT_OK;
}

// Without a copy: pinned bytes stay as they are, whatever is written meanwhile.
static peat_rc pin_and_delete(peat_db *db)
{
    peat_pinned value = PEAT_PINNED_INIT;
    bool there = true;
    peat_rc rc = peat_get_pinned(db, NULL, peat_str("apple"), &value);
    if (rc != PEAT_OK)
        return rc;
    rc = peat_delete(db, NULL, peat_str("apple"));
    if (rc == PEAT_OK)
        printf("deleted, and still pinned: %.*s\n", (int)value.size, (const char *)value.data);
    peat_unpin(&value);
    if (rc == PEAT_OK)
        rc = peat_has(db, NULL, peat_str("apple"), &there);
    if (rc == PEAT_OK)
        printf("apple is %s\n", there ? "there" : "gone");
    return rc;
}

int main(void)
{
    peat_options options = PEAT_OPTIONS_INIT;
    peat_db *db = NULL;
    peat_error error;

    options.create = PEAT_CREATE_NEVER;
    if (peat_open(STORE, &options, &db, &error) == PEAT_NOT_FOUND)
        printf("there is no store yet\n");
    options.create = PEAT_CREATE_IF_MISSING;
    options.memory_bytes = (size_t)16 << 20; // for cache, memtables, everything
    if (peat_open(STORE, &options, &db, &error) != PEAT_OK) {
        fprintf(stderr, "%s\n", error.message); // names the path and the cause
        return 1;
    }
    peat_rc rc = write_some(db);
    if (rc == PEAT_OK)
        rc = print_values(db);
    if (rc == PEAT_OK)
        rc = count_of_two(db);
    if (rc == PEAT_OK)
        rc = refused(db);
    if (rc == PEAT_OK)
        rc = pin_and_delete(db);
    if (rc < 0)
        fprintf(stderr, STORE ": %s\n", peat_rc_text(rc));

    peat_rc closed = peat_close(db); // PEAT_OK: everything written is on disk
    peat_rc removed = peat_destroy(STORE, &error);
    return rc == PEAT_OK && closed == PEAT_OK && removed == PEAT_OK ? 0 : 1;
}
