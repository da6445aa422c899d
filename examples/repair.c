/* SPDX-License-Identifier: MIT
 *
 * repair.c - a damaged store. Damage is an error that names file and offset, never "not there" and
 * never wrong data; the rest of the store stays readable; a new store is made of what verifies.
 *
 * It prints
 *
 *     a get: damaged data was found
 *     another one: found
 *     check: damage in t-000001
 *     repaired: what was lost and what is there make 10000: yes
 *     the new store: done
 */
#include <peat.h>

#include <stdio.h>

#define STORE    "repair.peat"
#define REPAIRED "repair-new.peat"
#define TABLE    STORE "/t-000001" // the first table
#define ENTRIES  10000

static peat_rc put_all(peat_db *db)
{
    char text[32];
    peat_rc rc = PEAT_OK;
    for (int i = 0; rc == PEAT_OK && i < ENTRIES; i++) {
        int size = snprintf(text, sizeof text, "%08d", i);
        peat_slice both = peat_bytes(text, (size_t)size);
        rc = peat_put(db, NULL, both, both);
    }
    return rc == PEAT_OK ? peat_flush(db) : rc;
}

static peat_rc make_store(void)
{
    peat_db *db = NULL;
    peat_rc rc = peat_open(STORE, NULL, &db, NULL);
    if (rc != PEAT_OK)
        return rc;
    rc = put_all(db);
    peat_rc closed = peat_close(db);
    return rc == PEAT_OK ? closed : rc;
}

// What a bad disk does: one byte of the first block is another one.
static peat_rc damage_table(void)
{
    FILE *file = fopen(TABLE, "r+b");
    int byte = -1;
    if (file == NULL)
        return PEAT_IO;
    if (fseek(file, 100, SEEK_SET) == 0)
        byte = fgetc(file);
    if (byte >= 0 && fseek(file, 100, SEEK_SET) == 0)
        byte = fputc(byte ^ 1, file);
    return fclose(file) == 0 && byte >= 0 ? PEAT_OK : PEAT_IO;
}

static bool print_damage(void *ctx, const peat_damage *damage)
{
    (void)ctx; // damage->offset and ->message say where and what
    printf("check: damage in %s\n", damage->file);
    return true;
}

static peat_rc meet_damage(void)
{
    peat_options options = PEAT_OPTIONS_INIT;
    peat_check_options checking = PEAT_INIT(peat_check_options);
    peat_db *db = NULL;
    peat_buf value = PEAT_BUF_INIT;
    options.read_only = true; // changes nothing
    peat_rc rc = peat_open(STORE, &options, &db, NULL);
    if (rc != PEAT_OK)
        return rc;
    peat_rc first = peat_get(db, NULL, peat_str("00000000"), &value);
    printf("a get: %s\n", peat_rc_text(first));
    peat_rc last = peat_get(db, NULL, peat_str("00009999"), &value);
    printf("another one: %s\n", last == PEAT_OK ? "found" : peat_rc_text(last));
    peat_buf_free(&value);
    checking.damage_fn = print_damage;
    peat_rc found = peat_check(db, &checking, NULL);
    rc = peat_close(db);
    return first == PEAT_CORRUPT && last == PEAT_OK && found == PEAT_CORRUPT ? rc : PEAT_INVALID;
}

// Into a new store: the damaged one is not changed, and nothing is made up.
static peat_rc repair(void)
{
    peat_repair_report report = PEAT_INIT(peat_repair_report);
    peat_error error;
    peat_db *db = NULL;
    peat_rc rc = peat_repair(STORE, REPAIRED, NULL, &report, &error);
    if (rc != PEAT_OK) {
        fprintf(stderr, "%s\n", error.message);
        return rc;
    }
    printf("repaired: what was lost and what is there make 10000: %s\n",
           report.lost_table_entries > 0 && report.lost_table_entries + report.entries == ENTRIES
               ? "yes"
               : "no");
    rc = peat_open(REPAIRED, NULL, &db, &error);
    if (rc == PEAT_OK) {
        rc = peat_check(db, NULL, NULL);
        printf("the new store: %s\n", peat_rc_text(rc));
        peat_rc closed = peat_close(db);
        rc = rc == PEAT_OK ? closed : rc;
    }
    return rc;
}

int main(void)
{
    peat_error error;
    peat_rc rc = make_store();
    if (rc == PEAT_OK)
        rc = damage_table();
    if (rc == PEAT_OK)
        rc = meet_damage();
    if (rc == PEAT_OK)
        rc = repair();
    if (rc != PEAT_OK)
        fprintf(stderr, STORE ": %s\n", peat_rc_text(rc));
    peat_rc removed = peat_destroy(STORE, &error);
    if (removed == PEAT_OK)
        removed = peat_destroy(REPAIRED, &error);
    return rc == PEAT_OK && removed == PEAT_OK ? 0 : 1;
}
