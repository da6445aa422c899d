/* SPDX-License-Identifier: MIT
 *
 * cmd_point.c - peat get, put and del.
 */
#include "codec.h"
#include "input.h"
#include "output.h"
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* One value: its bytes and nothing else, so that `peat get ... > file` is the value. What is text
 * in any case (hex, base64, JSON), and what a person sees, ends its line. */
static void add_value(cli_output *out, const cli_args *args, peat_slice value)
{
    size_t from = out->bytes.size;
    bool text = args->value_format != CLI_TEXT || isatty(STDOUT_FILENO);
    cli_encode(&out->bytes, (cli_encoding)args->value_format, value);
    cli_output_show(out, from);
    if (text && !args->no_newline)
        cli_bytes_add_char(&out->bytes, '\n');
}

enum { NAMED_MAX = 3, NAME_WIDTH = 40 };

/* The keys that are not there; the first of them by name. */
typedef struct absentees {
    uint64_t count;
    char names[NAMED_MAX][NAME_WIDTH + 1];
} absentees;

static void note_absent(absentees *a, const cli_args *args, peat_slice key)
{
    if (a->count < NAMED_MAX)
        cli_shorten_key(args, key, NAME_WIDTH, a->names[a->count]);
    a->count++;
}

/* is: "is" or "was". Returns the exit code. */
static int tell_absent(const absentees *a, const cli_args *args, const char *is)
{
    char text[CLI_COUNTED_SIZE];
    cli_bytes names = {0};
    if (a->count == 0)
        return CLI_OK;
    for (uint64_t i = 0; i < a->count && i < NAMED_MAX; i++)
        cli_bytes_format(&names, "%s'%s'", i == 0 ? "" : ", ", a->names[i]);
    if (a->count > NAMED_MAX)
        cli_bytes_format(&names, " and %s more", cli_group(a->count - NAMED_MAX, text));
    if (args->rest_count == 1)
        cli_note(args, "the key %s not in %s", is, args->dir);
    else
        cli_note(args, "%s of %d not in %s: %.*s", cli_counted(a->count, "key", text),
                 args->rest_count, args->dir, (int)names.size, names.data);
    cli_bytes_free(&names);
    return CLI_NOT_FOUND;
}

typedef struct getting {
    const cli_args *args;
    peat_db *db;
    cli_output out;
    cli_row_format format;
    bool records; /* rather than a bare value */
    absentees absent;
} getting;

static int get_key(getting *g, peat_slice key)
{
    peat_pinned value = PEAT_PINNED_INIT;
    peat_rc rc = peat_get_pinned(g->db, NULL, key, &value);
    const char *why = NULL;
    if (rc == PEAT_NOT_FOUND) {
        note_absent(&g->absent, g->args, key);
        return CLI_OK;
    }
    if (rc != PEAT_OK)
        return cli_store_fail(g->args, g->db, rc, "read");
    peat_slice bytes = peat_bytes(value.data, value.size);
    if (g->records)
        why = cli_output_row(&g->out, &g->format, key, bytes);
    else
        add_value(&g->out, g->args, bytes);
    peat_unpin(&value);
    if (why != NULL)
        return cli_fail(g->args, CLI_USAGE, "cannot print a record: %s", why);
    return cli_output_flow(&g->out) ? CLI_OK : CLI_PIPE; /* cli_output_finish tells why */
}

/* All keys make sense, or nothing is done. */
static int check_keys(const cli_args *args, cli_bytes *scratch)
{
    peat_slice key;
    int code = CLI_OK;
    for (int i = 0; code == CLI_OK && i < args->rest_count; i++)
        code = cli_take_key(args, args->rest[i], scratch, &key);
    return code;
}

int cli_run_get(cli_args *args)
{
    peat_slice key;
    cli_bytes scratch = {0};
    getting g = {.args = args, .format = cli_row_format_of(args)};
    g.records = args->json || args->rest_count > 1;
    g.out.shown = cli_is_shown(args);
    int code = check_keys(args, &scratch);
    if (code == CLI_OK)
        code = cli_open(args, CLI_READ, &g.db);
    for (int i = 0; code == CLI_OK && i < args->rest_count; i++) {
        code = cli_take_key(args, args->rest[i], &scratch, &key);
        if (code == CLI_OK)
            code = get_key(&g, key);
    }
    cli_bytes_free(&scratch);
    if (g.db != NULL)
        code = cli_close(args, g.db, code);
    code = cli_output_finish(&g.out, args, code);
    return code == CLI_OK ? tell_absent(&g.absent, args, "is") : code;
}

/* How long a value can be as it stands in its file. */
static size_t text_size_max(cli_encoding encoding)
{
    return encoding == CLI_HEX      ? 2 * PEAT_VALUE_SIZE_MAX
           : encoding == CLI_BASE64 ? (PEAT_VALUE_SIZE_MAX + 2) / 3 * 4
                                    : PEAT_VALUE_SIZE_MAX;
}

static int value_too_long(const cli_args *args)
{
    return cli_fail(args, CLI_USAGE, "the value is longer than %zu bytes", PEAT_VALUE_SIZE_MAX);
}

/* All of a file, as far as a value may go. */
static int read_value_file(const cli_args *args, cli_input *in, peat_slice *ret_text)
{
    size_t max = text_size_max((cli_encoding)args->value_format);
    bool standard = strcmp(args->value_file, "-") == 0;
    int fd = standard ? STDIN_FILENO : cli_open_file(args->value_file, O_RDONLY);
    if (fd < 0 && cli_interrupted())
        return CLI_INTERRUPTED;
    if (fd < 0)
        return cli_fail(args, CLI_USAGE, "cannot open %s: %s", args->value_file, strerror(errno));
    cli_input_init(in, fd);
    bool read_all = cli_input_fill(in, max + 1);
    if (!standard)
        (void)close(fd); /* it was only read */
    if (cli_interrupted())
        return CLI_INTERRUPTED;
    if (!read_all)
        return cli_fail(args, CLI_USAGE, "cannot read %s: %s", args->value_file,
                        strerror(in->os_errno));
    if (cli_input_size(in) > max)
        return value_too_long(args);
    *ret_text = peat_bytes(cli_input_data(in), cli_input_size(in));
    return CLI_OK;
}

typedef struct putting {
    const cli_args *args;
    peat_batch *batch; /* NULL: one pair, which may be as large as no batch can */
    peat_slice key, value;
    cli_bytes key_scratch, value_scratch;
    cli_input in;
} putting;

static int take_pair(putting *p, const char *key_text, peat_slice value_text)
{
    int code = cli_take_key(p->args, key_text, &p->key_scratch, &p->key);
    if (code != CLI_OK)
        return code;
    const char *why =
        cli_decode((cli_encoding)p->args->value_format, value_text, &p->value_scratch, &p->value);
    if (why != NULL)
        return cli_fail(p->args, CLI_USAGE, "the value of '%s' has %s", key_text, why);
    if (p->value.size > PEAT_VALUE_SIZE_MAX)
        return value_too_long(p->args);
    peat_rc rc = p->batch != NULL ? peat_batch_put(p->batch, p->key, p->value) : PEAT_OK;
    if (rc == PEAT_OK)
        return CLI_OK;
    return cli_fail(p->args, CLI_STORE, "cannot gather the records: %s", peat_rc_text(rc));
}

/* All of them, before the store is opened: a pair that makes no sense leaves none behind. */
static int take_pairs(putting *p)
{
    const cli_args *args = p->args;
    peat_slice text = peat_unbounded();
    int code = CLI_OK;
    if (args->value_file != NULL) {
        code = read_value_file(args, &p->in, &text);
        return code == CLI_OK ? take_pair(p, args->rest[0], text) : code;
    }
    if (args->rest_count > 2 && peat_batch_new(&p->batch) != PEAT_OK)
        return cli_fail(args, CLI_STORE, "cannot gather the records: out of memory");
    for (int i = 0; code == CLI_OK && i < args->rest_count; i += 2)
        code = take_pair(p, args->rest[i], peat_str(args->rest[i + 1]));
    return code;
}

int cli_run_put(cli_args *args)
{
    peat_db *db = NULL;
    putting p = {.args = args, .in = {.fd = -1}};
    int code = take_pairs(&p);
    if (code == CLI_OK && (code = cli_open(args, CLI_WRITE_CREATE, &db)) == CLI_OK) {
        peat_rc rc =
            p.batch != NULL ? peat_write(db, NULL, p.batch) : peat_put(db, NULL, p.key, p.value);
        if (rc != PEAT_OK) /* the close makes it durable */
            code = cli_store_fail(args, db, rc, "write to");
        code = cli_close(args, db, code);
    }
    peat_batch_free(p.batch);
    cli_bytes_free(&p.key_scratch);
    cli_bytes_free(&p.value_scratch);
    cli_input_done(&p.in);
    return code;
}

/* Returns CLI_OK, CLI_NOT_FOUND when it was not there, or an error after a line. */
static int delete_key(const cli_args *args, peat_db *db, peat_slice key)
{
    peat_rc rc = peat_exists(db, NULL, key);
    if (rc == PEAT_NOT_FOUND)
        return CLI_NOT_FOUND;
    if (rc != PEAT_OK)
        return cli_store_fail(args, db, rc, "read");
    rc = peat_delete(db, NULL, key);
    return rc == PEAT_OK ? CLI_OK : cli_store_fail(args, db, rc, "write to");
}

int cli_run_del(cli_args *args)
{
    peat_db *db = NULL;
    peat_slice key;
    cli_bytes scratch = {0};
    absentees absent = {0};
    int code = check_keys(args, &scratch);
    if (code == CLI_OK)
        code = cli_open(args, CLI_WRITE, &db);
    for (int i = 0; code == CLI_OK && i < args->rest_count; i++) {
        code = cli_take_key(args, args->rest[i], &scratch, &key);
        if (code == CLI_OK)
            code = delete_key(args, db, key);
        if (code == CLI_NOT_FOUND) {
            note_absent(&absent, args, key);
            code = CLI_OK;
        }
    }
    cli_bytes_free(&scratch);
    if (db != NULL)
        code = cli_close(args, db, code);
    return code == CLI_OK ? tell_absent(&absent, args, "was") : code;
}
