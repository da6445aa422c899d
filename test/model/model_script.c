/* SPDX-License-Identifier: MIT */
/* model_script.c - operations as text, both ways, and pieces of scripts. */
#include "model/model.h"

#include <stdlib.h>
#include <string.h>

typedef struct op_info {
    const char *name, *fields;
} op_info;

static const op_info infos[MODEL_KIND_COUNT] = {
#define MODEL_OP_INFO(name, fields, weight, class) {#name, fields},
    MODEL_OP_LIST(MODEL_OP_INFO)
#undef MODEL_OP_INFO
};

const char *model_kind_name(model_kind kind)
{
    return infos[kind].name;
}

static int64_t *field_of(model_op *op, char letter)
{
    switch (letter) {
    case 'k':
        return &op->key;
    case 'K':
        return &op->key2;
    case 'p':
        return &op->prefix;
    case 'n':
        return &op->n;
    case 's':
        return &op->slot;
    case '@':
        return &op->snapshot;
    case 'f':
        return &op->flag;
    default:
        return NULL;
    }
}

/* --- out --- */

static void print_items(const model_op *op, FILE *out)
{
    static const char letters[] = "PDR";
    for (size_t i = 0; i < op->item_count; i++) {
        const model_item *item = &op->items[i];
        (void)fprintf(out, " %c%u", letters[item->kind], item->key);
        if (item->kind != MODEL_ITEM_DELETE)
            (void)fprintf(out, ".%u.%u", item->value.size, item->value.seed);
    }
}

void model_op_print(const model_op *op, FILE *out)
{
    model_op copy = *op;
    (void)fputs(infos[op->kind].name, out);
    for (const char *f = infos[op->kind].fields; *f; f++)
        if (*f == 'b')
            print_items(op, out);
        else if (*f == 'o')
            model_options_print(op->options, out);
        else if (*f == 'v')
            (void)fprintf(out, " v%u.%u", op->value.size, op->value.seed);
        else
            (void)fprintf(out, " %c%lld", *f, (long long)*field_of(&copy, *f));
    (void)fputc('\n', out);
}

void model_script_print(const model_script *s, FILE *out)
{
    for (size_t i = 0; i < s->count; i++)
        model_op_print(&s->ops[i], out);
}

/* --- in --- */

static bool parse_value(const char *text, model_value *ret_value)
{
    return sscanf(text, "%u.%u", &ret_value->size, &ret_value->seed) == 2;
}

static bool parse_item(const char *word, model_op *io_op)
{
    static const char letters[] = "PDR";
    const char *letter = strchr(letters, word[0]);
    if (letter == NULL || io_op->item_count == MODEL_BATCH_MAX)
        return false;
    if (io_op->items == NULL)
        io_op->items = calloc(MODEL_BATCH_MAX, sizeof *io_op->items);
    model_item *item = &io_op->items[io_op->item_count++];
    item->kind = (model_item_kind)(letter - letters);
    if (item->kind == MODEL_ITEM_DELETE)
        return sscanf(word + 1, "%u", &item->key) == 1;
    return sscanf(word + 1, "%u.%u.%u", &item->key, &item->value.size, &item->value.seed) == 3;
}

static bool parse_word(const char *word, const char *fields, model_op *io_op)
{
    if (strchr(fields, 'b') != NULL && strchr("PDR", word[0]) != NULL)
        return parse_item(word, io_op);
    if (strchr(fields, word[0]) == NULL)
        return false;
    if (word[0] == 'v')
        return parse_value(word + 1, &io_op->value);
    int64_t *field = field_of(io_op, word[0]);
    if (field == NULL)
        return false;
    *field = strtoll(word + 1, NULL, 10);
    return true;
}

static bool parse_line(char *line, model_op *ret_op)
{
    char *save = NULL;
    char *word = strtok_r(line, " \n", &save);
    int kind = 0;
    *ret_op = (model_op){.snapshot = -1, .prefix = -1, .key2 = -1};
    while (kind < MODEL_KIND_COUNT && strcmp(infos[kind].name, word) != 0)
        kind++;
    if (kind == MODEL_KIND_COUNT)
        return false;
    ret_op->kind = (model_kind)kind;
    const char *fields = infos[kind].fields;
    if (strchr(fields, 'o') != NULL) {
        ret_op->options = calloc(1, sizeof *ret_op->options);
        char *flag = strstr(save, " f"); /* the one field behind options */
        if (flag != NULL) {
            ret_op->flag = strtoll(flag + 2, NULL, 10);
            *flag = '\0';
        }
        return model_options_parse(save, ret_op->options);
    }
    while ((word = strtok_r(NULL, " \n", &save)) != NULL)
        if (!parse_word(word, fields, ret_op))
            return false;
    return true;
}

bool model_script_parse(FILE *in, model_script *ret_script)
{
    char *line = NULL;
    size_t capacity = 0, number = 0;
    bool ok = true;
    *ret_script = (model_script){0};
    while (ok && getline(&line, &capacity, in) > 0) {
        model_op op;
        number++;
        if (line[0] == '#' || line[0] == '\n')
            continue;
        ok = parse_line(line, &op);
        if (ok)
            model_script_add(ret_script, &op);
        else
            (void)fprintf(stderr, "line %zu is no operation\n", number);
    }
    free(line);
    return ok;
}

/* --- pieces --- */

void model_script_add(model_script *s, const model_op *op)
{
    if (s->count == s->capacity) {
        s->capacity = s->capacity ? 2 * s->capacity : 64;
        s->ops = realloc(s->ops, s->capacity * sizeof *s->ops);
    }
    s->ops[s->count++] = *op;
}

void model_script_pick(const model_script *s, const bool *keep, model_script *ret_script)
{
    *ret_script = (model_script){.seed = s->seed};
    for (size_t i = 0; i < s->count; i++) {
        model_op op = s->ops[i];
        if (!keep[i])
            continue;
        if (op.items != NULL) {
            op.items = calloc(MODEL_BATCH_MAX, sizeof *op.items);
            memcpy(op.items, s->ops[i].items, op.item_count * sizeof *op.items);
        }
        if (op.options != NULL) {
            op.options = malloc(sizeof *op.options);
            *op.options = *s->ops[i].options;
        }
        model_script_add(ret_script, &op);
    }
}

void model_script_done(model_script *s)
{
    for (size_t i = 0; i < s->count; i++) {
        free(s->ops[i].items);
        free(s->ops[i].options);
    }
    free(s->ops);
    *s = (model_script){0};
}
