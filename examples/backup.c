/* SPDX-License-Identifier: MIT
 *
 * backup.c - a copy of a store while it is in use: exported as a stream to a function of the
 * program's, here into a file, and imported from one as a new store. What was cut short is refused.
 *
 * It prints
 *
 *     exporting, 1000 entries, a writer goes on meanwhile
 *     the torn copy: damaged data was found
 *     the copy holds 1000 entries, check: done
 */
#include <peat.h>

#include <stdio.h>

#define STORE  "backup.peat"
#define COPY   "backup-copy.peat"
#define STREAM "backup.stream"

typedef struct stream {
    FILE *file;
    size_t left; // a read gives no more than this in all
} stream;

// Takes the bytes of the stream in order. Anything but PEAT_OK ends the export with that code.
static peat_rc write_stream(void *ctx, const void *data, size_t size)
{
    stream *s = (stream *)ctx;
    return fwrite(data, 1, size, s->file) == size ? PEAT_OK : PEAT_IO;
}

// Gives up to `size` bytes, and PEAT_END when there are no more.
static peat_rc read_stream(void *ctx, void *buf, size_t size, size_t *ret_n)
{
    stream *s = (stream *)ctx;
    *ret_n = fread(buf, 1, size < s->left ? size : s->left, s->file);
    s->left -= *ret_n;
    if (*ret_n != 0)
        return PEAT_OK;
    return ferror(s->file) ? PEAT_IO : PEAT_END;
}

// Called now and then; false would cancel. Calls on the same store are allowed inside.
static bool write_meanwhile(void *ctx, const char *phase, uint64_t done, uint64_t total)
{
    peat_db *db = (peat_db *)ctx;
    if (done == 0 || done > total || total == 0)
        return true;
    printf("%s, 1000 entries, a writer goes on meanwhile\n", phase);
    return peat_put(db, NULL, peat_str("later"), peat_str("not in the copy")) == PEAT_OK;
}

static peat_rc fill(peat_db *db)
{
    static char value[1000];
    char key[32];
    peat_rc rc = PEAT_OK;
    for (int i = 0; rc == PEAT_OK && i < 1000; i++) {
        int size = snprintf(key, sizeof key, "%06d", i);
        rc = peat_put(db, NULL, peat_bytes(key, (size_t)size), peat_bytes(value, 300));
    }
    return rc;
}

// The copy is the state of one moment, that of the beginning of the call.
static peat_rc export_to_file(peat_db *db)
{
    peat_export_options options = PEAT_INIT(peat_export_options);
    peat_progress progress = PEAT_INIT(peat_progress);
    stream s = {fopen(STREAM, "wb"), 0};
    if (s.file == NULL)
        return PEAT_IO;
    progress.fn = write_meanwhile;
    progress.ctx = db;
    options.progress = &progress;
    peat_rc rc = peat_export(db, &options, write_stream, &s);
    if (fclose(s.file) != 0 && rc == PEAT_OK)
        rc = PEAT_IO;
    return rc;
}

static peat_rc import_from_file(size_t bytes, peat_error *ret_error)
{
    stream s = {fopen(STREAM, "rb"), bytes};
    if (s.file == NULL)
        return PEAT_IO;
    peat_rc rc = peat_import(COPY, NULL, read_stream, &s, ret_error);
    (void)fclose(s.file); // it was only read
    return rc;
}

static peat_rc look_at_copy(void)
{
    peat_check_report report = PEAT_INIT(peat_check_report);
    peat_db *db = NULL;
    uint64_t entries = 0;
    peat_rc rc = peat_open(COPY, NULL, &db, NULL);
    if (rc != PEAT_OK)
        return rc;
    rc = peat_approximate_count(db, peat_unbounded(), peat_unbounded(), &entries);
    if (rc == PEAT_OK)
        rc = peat_check(db, NULL, &report); // reads and verifies every byte
    printf("the copy holds %u entries, check: %s\n", (unsigned)entries, peat_rc_text(rc));
    peat_rc closed = peat_close(db);
    return rc == PEAT_OK ? closed : rc;
}

static peat_rc run(peat_db *db)
{
    peat_error error;
    peat_rc rc = fill(db);
    if (rc == PEAT_OK)
        rc = export_to_file(db);
    if (rc == PEAT_OK) { // all or nothing: of half a stream no store is made
        peat_rc torn = import_from_file(100000, &error);
        printf("the torn copy: %s\n", peat_rc_text(torn));
        rc = torn == PEAT_CORRUPT ? PEAT_OK : PEAT_IO;
    }
    if (rc == PEAT_OK)
        rc = import_from_file((size_t)-1, &error);
    return rc == PEAT_OK ? look_at_copy() : rc;
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
    if (removed == PEAT_OK)
        removed = peat_destroy(COPY, &error);
    (void)remove(STREAM);
    return rc == PEAT_OK && closed == PEAT_OK && removed == PEAT_OK ? 0 : 1;
}
