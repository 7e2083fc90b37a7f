#include "payload/item_json.h"

#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "text/json_text.h"

/** A name that the resource has. */
typedef struct known_name {
    const char *name;
    const char *quoted; /* as JSON writes it, if nothing in it needs an escape */
    apr_size_t quoted_length;
    apr_uint64_t seen; /* the last item that had it */
    int is_json;       /* its values are JSON texts, strings included */
} known_name_t;

struct batch_item_parser {
    const batch_resource_t *resource;
    apr_size_t max_size;
    apr_hash_t *names;      /* name -> known_name_t * */
    known_name_t **guesses; /* what the member at each place was in an item before; or NULL */
    int guess_count;
    apr_uint64_t turn;          /* number of the current item, from 1 */
    apr_array_header_t *values; /* of the current item, reused */
};

/** An item while it is read. */
typedef struct reading {
    batch_item_parser_t *parser;
    batch_source_item_t *item;
    apr_pool_t *p;
    char *end;           /* of the copy that is read in place */
    apr_hash_t *unknown; /* names that the resource does not have; NULL = none yet */
    int wrapped;         /* 1: "item" may be the item itself */
    int is_json;         /* the value that is read next is a JSON text */
} reading_t;

/* ---- Names ---------------------------------------------------------------------------------- */

static void name_add(batch_item_parser_t *parser, const char *name, int is_json, apr_pool_t *p)
{
    known_name_t *known;

    if (!name || apr_hash_get(parser->names, name, APR_HASH_KEY_STRING)) {
        return;
    }
    known = apr_pcalloc(p, sizeof(*known));
    known->name = name;
    known->is_json = is_json;
    known->quoted = apr_pstrcat(p, "\"", name, "\"", NULL);
    known->quoted_length = strlen(known->quoted);
    apr_hash_set(parser->names, name, APR_HASH_KEY_STRING, known);
}

batch_item_parser_t *batch_item_parser_make(const batch_resource_t *resource, apr_int64_t max_size,
                                            apr_pool_t *p)
{
    batch_item_parser_t *parser = apr_pcalloc(p, sizeof(*parser));

    parser->resource = resource;
    parser->max_size = (apr_size_t)max_size;
    parser->names = apr_hash_make(p);
    parser->values = apr_array_make(p, 16, sizeof(batch_value_t));
    name_add(parser, resource->key, 0, p);
    for (int i = 0; i < resource->columns->nelts; i++) {
        const batch_column_t *column = &APR_ARRAY_IDX(resource->columns, i, batch_column_t);

        name_add(parser, column->name, batch_type_form(column->type) == BATCH_FORM_ANY, p);
    }
    name_add(parser, resource->scope, 0, p);
    name_add(parser, resource->created_at, 0, p);
    name_add(parser, resource->updated_at, 0, p);
    name_add(parser, resource->created_by_id, 0, p);
    name_add(parser, resource->updated_by_id, 0, p);
    parser->guess_count = (int)apr_hash_count(parser->names);
    parser->guesses = apr_pcalloc(p, sizeof(*parser->guesses) * (size_t)parser->guess_count);
    return parser;
}

void batch_item_wrong(batch_source_item_t *item, const char *code, const char *field,
                      const char *message)
{
    if (!item->wrong) {
        item->wrong = code;
        item->field = field;
        item->message = message;
    }
}

/** Notes a name that the resource does not have; 0 if the item has had it before. */
static int unknown_is_new(reading_t *reading, const char *name, apr_size_t length)
{
    if (!reading->unknown) {
        reading->unknown = apr_hash_make(reading->p);
    }
    if (apr_hash_get(reading->unknown, name, (apr_ssize_t)length)) {
        return 0;
    }
    apr_hash_set(reading->unknown, name, (apr_ssize_t)length, "");
    return 1;
}

/** A name that the item has had before: nobody knows which of its values counts. */
static void refuse_repeated(reading_t *reading, const char *name)
{
    apr_array_header_t *values = reading->parser->values;

    batch_item_wrong(reading->item, "repeated_member", name, "is given twice");
    for (int i = 0; i < values->nelts; i++) {
        batch_value_t *value = &APR_ARRAY_IDX(values, i, batch_value_t);

        if (!strcmp(value->name, name)) {
            value->kind = BATCH_KIND_BROKEN;
        }
    }
}

/**
 * The name that begins at *at, which moves behind it; NULL if the item has had it before. place:
 * of the member in the item.
 */
static const char *name_read(reading_t *reading, char **at, int place)
{
    batch_item_parser_t *parser = reading->parser;
    known_name_t *known = place < parser->guess_count ? parser->guesses[place] : NULL;
    const char *name;
    const char *from = *at;
    apr_size_t length;

    reading->is_json = 0;
    if (known && (apr_size_t)(reading->end - from) > known->quoted_length &&
        !memcmp(from, known->quoted, known->quoted_length)) {
        *at += known->quoted_length;
    } else {
        *at = (char *)batch_json_skip(from, reading->end);
        name = batch_json_string_decode(&length, from, (apr_size_t)(*at - from), reading->p);
        known = apr_hash_get(parser->names, name, (apr_ssize_t)length);
        if (place < parser->guess_count) {
            parser->guesses[place] = known;
        }
        if (!known) {
            if (unknown_is_new(reading, name, length)) {
                return name;
            }
            refuse_repeated(reading, name);
            return NULL;
        }
    }
    if (known->seen == parser->turn) {
        refuse_repeated(reading, known->name);
        return NULL;
    }
    known->seen = parser->turn;
    reading->is_json = known->is_json;
    return known->name;
}

/* ---- Values --------------------------------------------------------------------------------- */

static void string_read(reading_t *reading, batch_value_t *value, char *from, char *end)
{
    apr_size_t length = (apr_size_t)(end - from);

    value->kind = BATCH_KIND_STRING;
    if (!memchr(from, '\\', length)) {
        end[-1] = '\0'; /* the closing quote */
        value->value = from + 1;
        return;
    }
    value->value = batch_json_string_decode(&length, from, length, reading->p);
    if (strlen(value->value) != length) {
        value->kind = BATCH_KIND_BROKEN;
        batch_item_wrong(reading->item, "nul_byte", value->name, "must not contain U+0000");
    }
}

/**
 * Reads the value that begins at into value, in place: what follows it becomes its NUL. Returns
 * where the item goes on behind the comma, or its end.
 */
static char *value_read(reading_t *reading, batch_value_t *value, char *at)
{
    char *end = (char *)batch_json_skip(at, reading->end);
    char *next = (char *)batch_json_skip_space(end, reading->end);
    char first = *at;

    /* A comma or the bracket at the end, which the NUL may take the place of. */
    next += next < reading->end;
    if (first == '"' && !reading->is_json) {
        string_read(reading, value, at, end);
        return next;
    }
    *end = '\0';
    value->value = first == 'n' ? NULL : at;
    value->kind = first == 'n'                   ? BATCH_KIND_NULL
                  : first == 't' || first == 'f' ? BATCH_KIND_BOOLEAN
                  : strchr("{[\"", first)        ? BATCH_KIND_JSON
                                                 : BATCH_KIND_NUMBER;
    return next;
}

/* ---- The wrapping of error files ------------------------------------------------------------ */

/** Finds the item in an entry of an error file; 0 if the text is none. */
static int unwrap(batch_json_slice_t *inner, const char *text, apr_size_t length)
{
    static const char *const around[] = {"index", "line", "id", "field", "code", "message"};
    batch_json_slice_t all = {text, length};
    batch_json_slice_t name;
    batch_json_slice_t value;
    batch_json_cursor_t cursor;
    int found = 0;

    batch_json_walk(&cursor, &all);
    while (batch_json_next_member(&name, &value, &cursor)) {
        size_t i = 0;

        if (batch_json_string_equals(name.text, name.length, "item", 4)) {
            *inner = value;
            found++;
            continue;
        }
        while (i < sizeof(around) / sizeof(*around) &&
               !batch_json_string_equals(name.text, name.length, around[i], strlen(around[i]))) {
            i++;
        }
        if (i == sizeof(around) / sizeof(*around)) {
            return 0;
        }
    }
    return found == 1;
}

/* ---- Items ---------------------------------------------------------------------------------- */

/**
 * Reads the members of the object that begins at. 0: it is the wrapping of an item, and what was
 * read does not count.
 */
static int members_read(reading_t *reading, char *at)
{
    apr_array_header_t *values = reading->parser->values;
    int place = 0;

    at = (char *)batch_json_skip_space(at + 1, reading->end);
    while (at < reading->end && *at == '"') {
        batch_value_t value;

        if (place == BATCH_ITEM_MEMBERS) {
            reading->item->unreadable = 1;
            batch_item_wrong(reading->item, "too_large", NULL,
                             "has more than " APR_STRINGIFY(BATCH_ITEM_MEMBERS) " members");
            break;
        }
        value.name = name_read(reading, &at, place++);
        if (reading->wrapped && value.name && !strcmp(value.name, "item")) {
            return 0;
        }
        at = (char *)batch_json_skip_space(at, reading->end);
        at = (char *)batch_json_skip_space(at + 1, reading->end); /* behind the colon */
        at = value_read(reading, &value, at);
        if (value.name) {
            APR_ARRAY_PUSH(values, batch_value_t) = value;
        }
        at = (char *)batch_json_skip_space(at, reading->end);
    }
    return 1;
}

/** The length of a JSON text as a person would measure it, for a message. */
static const char *size_message(const batch_item_parser_t *parser, apr_pool_t *p)
{
    return apr_psprintf(p, "the item has more than %" APR_SIZE_T_FMT " bytes", parser->max_size);
}

/** Reads text, whose wrapping has been looked for or taken off unless may_wrap is 1. */
static int item_read(batch_source_item_t *item, batch_item_parser_t *parser, const char *text,
                     apr_size_t length, int may_wrap, apr_pool_t *p)
{
    reading_t reading = {parser, item, p, NULL, NULL, may_wrap, 0};
    char *original;
    char *copy;

    item->value_count = 0;
    item->values = NULL;
    item->wrong = item->message = item->field = NULL;
    item->make_original = NULL;
    item->unreadable = 0;
    item->size = length;
    parser->turn++;
    parser->values->nelts = 0;
    /* One copy stays as it is; the other is read in place. */
    original = apr_palloc(p, 2 * (length + 1));
    memcpy(original, text, length);
    original[length] = '\0';
    item->original = original;
    if (*text != '{') {
        item->unreadable = 1;
        batch_item_wrong(item, "not_an_object", NULL, "the item is not an object");
        return 1;
    }
    copy = original + length + 1;
    memcpy(copy, original, length + 1);
    reading.end = copy + length;
    if (!members_read(&reading, copy)) {
        return 0;
    }
    item->value_count = parser->values->nelts;
    if (item->value_count) {
        item->values =
            apr_pmemdup(p, parser->values->elts, sizeof(batch_value_t) * (size_t)item->value_count);
    }
    return 1;
}

void batch_item_parse(batch_source_item_t *item, batch_item_parser_t *parser, const char *text,
                      apr_size_t length, apr_pool_t *p)
{
    int may_wrap = !apr_hash_get(parser->names, "item", APR_HASH_KEY_STRING);
    batch_json_slice_t inner;

    if (!text) {
        item->value_count = 0;
        item->values = NULL;
        item->original = item->wrong = item->field = NULL;
        item->make_original = NULL;
        item->size = 0;
        item->unreadable = 1;
        batch_item_wrong(item, "too_large", NULL, size_message(parser, p));
        return;
    }
    if (!item_read(item, parser, text, length, may_wrap, p)) {
        if (unwrap(&inner, text, length)) {
            text = inner.text;
            length = inner.length;
        }
        item_read(item, parser, text, length, 0, p);
    }
    if (length > parser->max_size) {
        item->wrong = NULL;
        batch_item_wrong(item, "too_large", NULL, size_message(parser, p));
    }
}
