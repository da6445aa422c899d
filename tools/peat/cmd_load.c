/* SPDX-License-Identifier: MIT
 *
 * cmd_load.c - peat load: records in, batches out, acknowledgements behind them.
 *
 * Invariant: `acknowledged` grows only after peat_write has returned PEAT_OK for the batch, and the
 * line that says so is written after that; whoever reads the line may kill this process and find
 * all those records.
 */
#include "input.h"
#include "output.h"
#include "progress.h"
#include "records.h"
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Beyond this a batch gains nothing and only delays the next acknowledgement. */
enum { BATCH_BYTES_MAX = 1 << 20, SETTLE_STEP_MS = 200, LOADED_SIZE = 80 };

typedef struct load {
    const cli_args *args;
    peat_db *db;
    peat_batch *batch;
    int ack_fd; /* -1: none */
    cli_progress progress;
    uint64_t input_total; /* bytes of all files, 0 when one is not a regular file */
    uint64_t input_done;  /* bytes of the files before this one */
    uint64_t batch_bytes; /* keys and values in the batch */
    uint64_t bytes;       /* acknowledged keys and values */
    uint64_t acknowledged;
} load;

/* What of this load is known to be in the store when something goes wrong. */
static const char *loaded(const load *l, char text[LOADED_SIZE])
{
    if (l->acknowledged == 0)
        (void)snprintf(text, LOADED_SIZE, "nothing was loaded");
    else if (l->acknowledged == 1)
        (void)snprintf(text, LOADED_SIZE, "the 1 record before is in the store");
    else
        (void)snprintf(text, LOADED_SIZE, "the %" PRIu64 " records before are in the store",
                       l->acknowledged);
    return text;
}

static int acknowledge(load *l)
{
    char before[LOADED_SIZE];
    char line[CLI_NUMBER_SIZE];
    if (l->ack_fd < 0)
        return CLI_OK;
    size_t size = (size_t)snprintf(line, sizeof line, "%" PRIu64 "\n", l->acknowledged);
    for (size_t done = 0; done < size;) {
        ssize_t n = write(l->ack_fd, line + done, size - done);
        if (n >= 0)
            done += (size_t)n;
        else if (errno == EPIPE)
            return CLI_PIPE;
        else if (errno == EINTR && cli_interrupted())
            return CLI_INTERRUPTED;
        else if (errno != EINTR)
            return cli_fail(l->args, CLI_STORE, "cannot write to %s: %s; %s", l->args->ack,
                            strerror(errno), loaded(l, before));
    }
    return CLI_OK;
}

/* What the writer has to know then: what it need not load again. */
static int refused(load *l, peat_rc rc)
{
    char before[LOADED_SIZE], more[LOADED_SIZE + 32];
    bool synced = peat_sync(l->db) == PEAT_OK;
    (void)snprintf(more, sizeof more, "; %s%s", loaded(l, before),
                   l->acknowledged == 0 ? ""
                   : synced             ? " and on disk"
                                        : ", perhaps not all on disk");
    return cli_store_fail_with(l->args, l->db, rc, "write to", more);
}

static int write_batch(load *l)
{
    peat_write_options options = {.size = sizeof options, .sync = l->args->sync};
    size_t count = peat_batch_count(l->batch);
    if (count == 0)
        return CLI_OK;
    peat_rc rc = peat_write(l->db, &options, l->batch);
    if (rc != PEAT_OK)
        return refused(l, rc);
    l->acknowledged += count;
    l->bytes += l->batch_bytes;
    l->batch_bytes = 0;
    peat_batch_clear(l->batch);
    return acknowledge(l);
}

static int write_one(load *l, peat_slice key, peat_slice value)
{
    peat_write_options options = {.size = sizeof options, .sync = l->args->sync};
    peat_rc rc = peat_put(l->db, &options, key, value);
    if (rc != PEAT_OK)
        return refused(l, rc);
    l->acknowledged++;
    l->bytes += key.size + value.size;
    return acknowledge(l);
}

static int bad_record(load *l, const cli_records *records, const char *name, const char *why)
{
    char before[LOADED_SIZE];
    int code = write_batch(l); /* what came before it counts */
    if (code != CLI_OK)
        return code;
    return cli_fail(l->args, CLI_USAGE, "%s, record %" PRIu64 " at byte %" PRIu64 ": %s; %s", name,
                    records->number, records->offset, why, loaded(l, before));
}

static const char *too_big(peat_slice key, peat_slice value)
{
    _Static_assert(PEAT_KEY_SIZE_MAX == 65535 && PEAT_VALUE_SIZE_MAX == 1073741824, "texts");
    return key.size > PEAT_KEY_SIZE_MAX       ? "a key of more than 65535 bytes"
           : value.size > PEAT_VALUE_SIZE_MAX ? "a value of more than 1073741824 bytes"
                                              : NULL;
}

static int add_record(load *l, peat_slice key, peat_slice value)
{
    /* Large values must not add up past the limit of a batch, and the largest fit into none. */
    if (l->batch_bytes + key.size + value.size > BATCH_BYTES_MAX) {
        int code = write_batch(l);
        if (code != CLI_OK)
            return code;
    }
    if (value.size > BATCH_BYTES_MAX)
        return write_one(l, key, value);
    peat_rc rc = peat_batch_put(l->batch, key, value);
    if (rc != PEAT_OK)
        return cli_store_fail(l->args, l->db, rc, "gather a batch for");
    l->batch_bytes += key.size + value.size;
    return peat_batch_count(l->batch) >= l->args->batch ? write_batch(l) : CLI_OK;
}

static void show_progress(load *l, const cli_records *records)
{
    cli_progress_step(&l->progress, (cli_step){.done = l->input_done + records->in->bytes_read,
                                               .total = l->input_total,
                                               .records = l->acknowledged});
}

/* The store is opened, and perhaps made, when there is a record for it or the input was empty: a
 * load of nothing but mistakes leaves no store behind. */
static int open_store(load *l)
{
    return l->db != NULL ? CLI_OK : cli_open(l->args, CLI_WRITE_CREATE, &l->db);
}

static int load_records(load *l, cli_records *records, const char *name)
{
    peat_slice key, value;
    char before[LOADED_SIZE];
    int code = CLI_OK;
    while (code == CLI_OK && !cli_interrupted() && cli_records_next(records, &key, &value)) {
        const char *why = too_big(key, value);
        code = why != NULL ? bad_record(l, records, name, why) : open_store(l);
        if (code == CLI_OK)
            code = add_record(l, key, value);
        if (peat_batch_count(l->batch) == 0) /* once per batch: reading the clock has a price */
            show_progress(l, records);
    }
    if (code != CLI_OK)
        return code;
    if (cli_interrupted())
        return CLI_INTERRUPTED;
    if (records->error != NULL)
        return bad_record(l, records, name, records->error);
    code = write_batch(l);
    if (code == CLI_OK && records->in->os_errno != 0)
        return cli_fail(l->args, CLI_USAGE, "cannot read %s: %s; %s", name,
                        strerror(records->in->os_errno), loaded(l, before));
    return code;
}

static int load_file(load *l, const char *name)
{
    char before[LOADED_SIZE];
    bool standard = strcmp(name, "-") == 0;
    int fd = standard ? STDIN_FILENO : cli_open_file(name, O_RDONLY);
    if (fd < 0 && cli_interrupted())
        return CLI_INTERRUPTED;
    if (fd < 0)
        return cli_fail(l->args, CLI_USAGE, "cannot open %s: %s; %s", name, strerror(errno),
                        loaded(l, before));
    cli_input in;
    cli_records records;
    cli_input_init(&in, fd);
    cli_records_init(&records, l->args, &in);
    int code = load_records(l, &records, standard ? "standard input" : name);
    l->input_done += in.bytes_read;
    cli_records_done(&records);
    cli_input_done(&in);
    if (!standard)
        (void)close(fd); /* it was only read */
    return code;
}

/* Before anything is loaded: a name that was mistyped should not be met half-way. Nothing is
 * opened, for that may be felt at the other end of a pipe. */
static int check_files(const cli_args *args)
{
    struct stat st;
    for (int i = 0; i < args->rest_count; i++) {
        const char *name = args->rest[i];
        if (strcmp(name, "-") == 0)
            continue;
        int failed =
            stat(name, &st) == 0 && faccessat(AT_FDCWD, name, R_OK, AT_EACCESS) == 0 ? 0 : errno;
        if (failed == 0 && S_ISDIR(st.st_mode))
            failed = EISDIR;
        if (failed != 0)
            return cli_fail(args, CLI_USAGE, "cannot read %s: %s; nothing was loaded", name,
                            strerror(failed));
    }
    return CLI_OK;
}

static bool reads_standard(const cli_args *args)
{
    bool reads = args->rest_count == 0;
    for (int i = 0; i < args->rest_count; i++)
        reads |= strcmp(args->rest[i], "-") == 0;
    return reads;
}

/* Bytes of all inputs when they are regular files. */
static uint64_t total_input(const cli_args *args)
{
    struct stat st;
    uint64_t total = 0;
    for (int i = 0; i < args->rest_count || i == 0; i++) {
        bool standard = args->rest_count == 0 || strcmp(args->rest[i], "-") == 0;
        int failed = standard ? fstat(STDIN_FILENO, &st) : stat(args->rest[i], &st);
        if (failed || !S_ISREG(st.st_mode))
            return 0;
        total += (uint64_t)st.st_size;
    }
    return total;
}

/* The name of the input that is the same regular file as fd, or NULL: what is written there would
 * be lost, or read again without an end. */
static const char *same_input(const cli_args *args, int fd)
{
    struct stat to, from;
    if (fstat(fd, &to) != 0 || !S_ISREG(to.st_mode))
        return NULL;
    for (int i = 0; i < args->rest_count || i == 0; i++) {
        const char *name = args->rest_count == 0 ? "-" : args->rest[i];
        bool standard = strcmp(name, "-") == 0;
        int failed = standard ? fstat(STDIN_FILENO, &from) : stat(name, &from);
        if (failed == 0 && from.st_dev == to.st_dev && from.st_ino == to.st_ino)
            return standard ? "standard input" : name;
    }
    return NULL;
}

/* Emptied only when it is known to be nobody else's. */
static int empty_ack(load *l, bool standard)
{
    const char *name = l->args->ack;
    const char *input = same_input(l->args, l->ack_fd);
    struct stat st;
    if (input != NULL)
        return cli_fail(l->args, CLI_USAGE,
                        "--ack %s and the input %s are the same file; nothing was loaded", name,
                        input);
    if (!standard && fstat(l->ack_fd, &st) == 0 && S_ISREG(st.st_mode) &&
        ftruncate(l->ack_fd, 0) != 0)
        return cli_fail(l->args, CLI_USAGE, "cannot empty %s: %s", name, strerror(errno));
    return CLI_OK;
}

static int open_ack(load *l)
{
    const char *name = l->args->ack;
    if (name == NULL)
        return CLI_OK;
    bool standard = strcmp(name, "-") == 0;
    if (!standard && cli_lies_in_store(name, l->args->dir))
        return cli_fail(l->args, CLI_USAGE, "--ack %s lies in the store %s; name another place",
                        name, l->args->dir);
    l->ack_fd = standard ? STDOUT_FILENO : cli_open_file(name, O_WRONLY | O_CREAT | O_APPEND);
    if (l->ack_fd < 0 && cli_interrupted())
        return CLI_INTERRUPTED;
    if (l->ack_fd < 0)
        return cli_fail(l->args, CLI_USAGE, "cannot open %s: %s", name, strerror(errno));
    return empty_ack(l, standard);
}

static int settle(load *l)
{
    peat_rc rc = PEAT_TIMEOUT;
    l->progress.label = "settle";
    while (rc == PEAT_TIMEOUT && !cli_interrupted()) {
        rc = peat_settle(l->db, SETTLE_STEP_MS);
        cli_progress_step(&l->progress, (cli_step){.records = l->acknowledged});
    }
    if (cli_interrupted())
        return CLI_INTERRUPTED;
    return rc == PEAT_OK ? CLI_OK : cli_store_fail(l->args, l->db, rc, "settle");
}

static int load_all(load *l)
{
    const cli_args *args = l->args;
    peat_rc rc = peat_batch_new(&l->batch);
    int code = rc == PEAT_OK ? CLI_OK : cli_store_fail(args, l->db, rc, "gather a batch for");
    if (code == CLI_OK && args->rest_count == 0)
        code = load_file(l, "-");
    for (int i = 0; code == CLI_OK && i < args->rest_count; i++)
        code = load_file(l, args->rest[i]);
    if (code == CLI_OK)
        code = open_store(l); /* an empty load makes an empty store */
    if (code == CLI_OK && args->settle)
        code = settle(l);
    peat_batch_free(l->batch);
    return code;
}

static int summarize(const load *l, double seconds, int code)
{
    char count[CLI_COUNTED_SIZE], size[CLI_NUMBER_SIZE], rate[CLI_NUMBER_SIZE];
    cli_bytes text = {0};
    if (code == CLI_INTERRUPTED)
        (void)cli_fail(l->args, code, "interrupted; %s loaded",
                       cli_counted(l->acknowledged, "record", count));
    if (code != CLI_OK)
        return code;
    cli_note(l->args, "%s, %s in %.2f s, %s/s", cli_counted(l->acknowledged, "record", count),
             cli_human(l->bytes, size), seconds,
             cli_group((uint64_t)((double)l->acknowledged / seconds), rate));
    if (!l->args->json)
        return code;
    cli_bytes_format(&text, "{\"records\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"seconds\":%.6f}\n",
                     l->acknowledged, l->bytes, seconds);
    return cli_print(l->args, &text);
}

int cli_run_load(cli_args *args)
{
    load l = {.args = args, .ack_fd = -1};
    int code = check_files(args);
    if (code == CLI_OK)
        code = open_ack(&l);
    if (code != CLI_OK)
        return code;
    cli_traffic traffic = l.ack_fd == STDOUT_FILENO ? CLI_WRITES_OUTPUT
                          : reads_standard(args)    ? CLI_READS_INPUT
                                                    : CLI_NO_TRAFFIC;
    l.input_total = total_input(args);
    cli_progress_begin(&l.progress, args, "load", traffic);
    args->bar = &l.progress;
    code = load_all(&l);
    if (l.db != NULL)
        code = cli_close(args, l.db, code);
    double seconds = cli_progress_end(&l.progress);
    if (l.ack_fd > STDERR_FILENO && close(l.ack_fd) != 0 && code == CLI_OK)
        code = cli_fail(args, CLI_STORE, "cannot write to %s: %s", args->ack, strerror(errno));
    return summarize(&l, seconds, code);
}
