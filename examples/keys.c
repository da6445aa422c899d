/* SPDX-License-Identifier: MIT
 *
 * keys.c - keys made of numbers and strings whose bytes have the order of these: integers, signed
 * ones, doubles, and tuples. How to choose keys: doc/keys.md.
 *
 * It prints
 *
 *     u64 1 9 10 256
 *     i64 -300 -1 0 12
 *     double -2.5 -0.5 0 1e+06
 *     roof at -300: 11.0
 *     roof at 10: 12.5
 *     newest first: 12.5 11.0
 *     a key that does not fit: an argument or option makes no sense
 */
#include <peat.h>
#include <peat_key.h>

#include <stdio.h>

#define STORE "keys.peat"

// Numbers of one kind behind a first element that names the kind, which ends in a zero byte.
static peat_rc put_number(peat_db *db, const char *kind, uint64_t u, int64_t i, double d)
{
    unsigned char room[64];
    peat_key key = peat_key_in(room, sizeof room);
    peat_key_add_bytes(&key, peat_str(kind));
    if (kind[0] == 'u')
        peat_key_add_u64(&key, u);
    else if (kind[0] == 'i')
        peat_key_add_i64(&key, i);
    else
        peat_key_add_double(&key, d);
    return peat_put(db, NULL, peat_key_slice(&key), peat_str(""));
}

static peat_rc fill_numbers(peat_db *db)
{
    static const uint64_t u[] = {256, 9, 10, 1};
    static const int64_t i[] = {0, 12, -300, -1};
    static const double d[] = {0.0, 1e6, -0.5, -2.5};
    peat_rc rc = PEAT_OK;
    for (size_t n = 0; rc == PEAT_OK && n < 4; n++) {
        rc = put_number(db, "u64", u[n], 0, 0);
        if (rc == PEAT_OK)
            rc = put_number(db, "i64", 0, i[n], 0);
        if (rc == PEAT_OK)
            rc = put_number(db, "double", 0, 0, d[n]);
    }
    return rc;
}

static peat_rc print_numbers(peat_db *db, const char *kind)
{
    unsigned char room[64];
    char name[16];
    peat_iter_options options = PEAT_ITER_OPTIONS_INIT;
    peat_iter *it = NULL;
    peat_key front = peat_key_in(room, sizeof room);
    peat_key_add_bytes(&front, peat_str(kind));
    options.prefix = peat_key_slice(&front);
    printf("%s", kind);
    peat_rc rc = peat_iter_open(db, &options, &it);
    while (rc == PEAT_OK && (rc = peat_iter_next(it)) == PEAT_OK) {
        peat_key_reader reader = peat_key_read(peat_iter_key(it));
        (void)peat_key_take_bytes(&reader, name, sizeof name);
        if (kind[0] == 'u')
            printf(" %u", (unsigned)peat_key_take_u64(&reader));
        else if (kind[0] == 'i')
            printf(" %d", (int)peat_key_take_i64(&reader));
        else
            printf(" %g", peat_key_take_double(&reader));
        if (!peat_key_done(&reader))
            rc = PEAT_CORRUPT; // not a key of this program
    }
    peat_iter_close(it);
    printf("\n");
    return rc == PEAT_END ? PEAT_OK : rc;
}

// Readings of a sensor: the key is its name and the time, also one before 1970.
static peat_rc note(peat_db *db, const char *sensor, int64_t at, const char *reading)
{
    unsigned char room[64];
    peat_key key = peat_key_in(room, sizeof room);
    peat_key_add_bytes(&key, peat_str(sensor));
    peat_key_add_i64(&key, at);
    return peat_put(db, NULL, peat_key_slice(&key), peat_str(reading)); // PEAT_INVALID: did not fit
}

static peat_rc print_all(peat_db *db, const char *sensor)
{
    unsigned char room[64];
    char name[64];
    peat_iter_options options = PEAT_ITER_OPTIONS_INIT;
    peat_iter *it = NULL;
    peat_key front = peat_key_in(room, sizeof room);
    peat_key_add_bytes(&front, peat_str(sensor));
    options.prefix = peat_key_slice(&front); // all keys with this first element, and no others
    peat_rc rc = peat_iter_open(db, &options, &it);
    while (rc == PEAT_OK && (rc = peat_iter_next(it)) == PEAT_OK) {
        peat_key_reader reader = peat_key_read(peat_iter_key(it));
        size_t size = peat_key_take_bytes(&reader, name, sizeof name);
        int64_t at = peat_key_take_i64(&reader);
        if (!peat_key_done(&reader))
            rc = PEAT_CORRUPT; // not a key of this program
        else
            printf("%.*s at %d: %.*s\n", (int)size, name, (int)at, (int)peat_iter_value(it).size,
                   (const char *)peat_iter_value(it).data);
    }
    if (rc == PEAT_END) {
        printf("newest first:");
        rc = peat_iter_last(it);
        for (; rc == PEAT_OK; rc = peat_iter_prev(it))
            printf(" %.*s", (int)peat_iter_value(it).size, (const char *)peat_iter_value(it).data);
        printf("\n");
    }
    peat_iter_close(it);
    return rc == PEAT_END ? PEAT_OK : rc;
}

static peat_rc run(peat_db *db)
{
    static const char *const kinds[] = {"u64", "i64", "double"};
    char name[80] =
        "a name that is longer than the room its function has for the whole key, it says";
    peat_rc rc = fill_numbers(db);
    for (size_t i = 0; rc == PEAT_OK && i < 3; i++)
        rc = print_numbers(db, kinds[i]);
    if (rc == PEAT_OK)
        rc = note(db, "roof", 10, "12.5");
    if (rc == PEAT_OK)
        rc = note(db, "roof", -300, "11.0");
    if (rc == PEAT_OK)
        rc = note(db, "roof top", 1, "9.9"); // another sensor
    if (rc == PEAT_OK)
        rc = print_all(db, "roof");
    if (rc == PEAT_OK)
        printf("a key that does not fit: %s\n", peat_rc_text(note(db, name, 0, "")));
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
