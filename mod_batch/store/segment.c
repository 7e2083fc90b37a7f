#include "store/segment.h"

#include <string.h>

#include <apr_strings.h>

#include "text/numbers.h"
#include "text/text_buffer.h"

/* ---- Writing --------------------------------------------------------------------------------- */

struct batch_segment_writer {
    batch_segment_sink_fn *sink;
    void *baton;
    batch_segment_t
        segment; /* the one that is being filled; its data is buffer's when it is full */
    batch_text_buffer_t buffer;
    apr_status_t stopped; /* what the sink returned when it stopped us */
};

/* Big enough for most batches at once; doubles for the others. */
#define INITIAL_CAPACITY 8192

/* The longest decimal of an apr_int64_t or apr_size_t, with its separator. */
#define NUMBER_LENGTH 21

/* What stands behind an item's count, by batch_item_kind_e. */
static const char marks[] = {';', 'm', 'n', 'd', 'u'};
#define MARK_COUNT ((int)sizeof(marks))

static char *put_number(char *next, apr_uint64_t number, char separator)
{
    next = batch_number_write(next, number);
    *next++ = separator;
    return next;
}

static char *put_string(char *next, const char *bytes, apr_size_t length)
{
    if (!bytes) {
        *next++ = '~';
        return next;
    }
    next = put_number(next, length, ':');
    memcpy(next, bytes, length);
    next += length;
    *next++ = ',';
    return next;
}

static apr_size_t string_size(const char *bytes)
{
    return bytes ? strlen(bytes) + NUMBER_LENGTH + 1 : 1;
}

static apr_size_t values_size(const batch_value_t *values, int count)
{
    apr_size_t size = NUMBER_LENGTH;
    int i;

    for (i = 0; i < count; i++) {
        size += string_size(values[i].name) + string_size(values[i].value);
    }
    return size;
}

static char *put_values(char *next, const batch_value_t *values, int count)
{
    int i;

    for (i = 0; i < count; i++) {
        next = put_string(next, values[i].name, strlen(values[i].name));
        next = put_string(next, values[i].value, values[i].value ? strlen(values[i].value) : 0);
    }
    return next;
}

batch_segment_writer_t *batch_segment_writer_make(batch_segment_sink_fn *sink, void *baton,
                                                  apr_pool_t *p)
{
    batch_segment_writer_t *writer = apr_pcalloc(p, sizeof(*writer));

    writer->sink = sink;
    writer->baton = baton;
    writer->buffer.p = p;
    return writer;
}

static apr_status_t flush(batch_segment_writer_t *writer)
{
    batch_segment_t *segment = &writer->segment;

    if (!segment->count) {
        return APR_SUCCESS;
    }
    segment->data = batch_text_buffer_end(&writer->buffer);
    segment->length = writer->buffer.used;
    writer->stopped = writer->sink(writer->baton, segment);
    segment->first += segment->count;
    segment->count = 0;
    writer->buffer.used = 0;
    return writer->stopped;
}

apr_status_t batch_segment_write(batch_segment_writer_t *writer, const batch_item_t *item)
{
    const char *original = batch_item_is_live(item) ? NULL : item->original;
    apr_size_t original_length = original ? strlen(original) : 0;
    apr_size_t size = 2 * NUMBER_LENGTH + item->key_length + NUMBER_LENGTH + 1 +
                      values_size(item->values, item->value_count) + original_length +
                      NUMBER_LENGTH + 1;
    batch_segment_t *segment = &writer->segment;
    char *next;

    if (writer->stopped != APR_SUCCESS) {
        return writer->stopped;
    }
    if (item->ordinal < 0 || item->line < 0 || item->value_count < 0 || (int)item->kind < 0 ||
        (int)item->kind >= MARK_COUNT || (item->key && memchr(item->key, '\0', item->key_length))) {
        return BATCH_EINVALID;
    }
    if (writer->buffer.used + size > BATCH_SEGMENT_BYTES && flush(writer) != APR_SUCCESS) {
        return writer->stopped;
    }
    batch_text_buffer_reserve(&writer->buffer,
                              writer->buffer.size ? size : INITIAL_CAPACITY + size);
    next = writer->buffer.data + writer->buffer.used;
    next = put_number(next, (apr_uint64_t)item->ordinal, '.');
    next = put_number(next, (apr_uint64_t)item->line, '.');
    next = put_number(next, (apr_uint64_t)item->value_count, marks[item->kind]);
    next = put_string(next, item->key, item->key_length);
    next = put_values(next, item->values, item->value_count);
    if (!batch_item_is_live(item)) {
        next = put_string(next, original, original_length);
    }
    writer->buffer.used = (apr_size_t)(next - writer->buffer.data);
    segment->count++;
    return APR_SUCCESS;
}

apr_status_t batch_segment_writer_finish(batch_segment_writer_t *writer)
{
    return writer->stopped != APR_SUCCESS ? writer->stopped : flush(writer);
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* A decimal without sign up to what is no digit. 0 if there is none, or one beyond APR_INT64_MAX.
 */
static int get_digits(apr_int64_t *number, char **next, const char *end)
{
    const char *start = *next;
    char *at = *next;
    apr_int64_t value = 0;

    for (; at < end && *at >= '0' && *at <= '9'; at++) {
        int digit = *at - '0';
        if (value > (APR_INT64_MAX - digit) / 10) {
            return 0;
        }
        value = value * 10 + digit;
    }
    *number = value;
    *next = at;
    return at != start && at != end;
}

/* The same with a separator behind it. */
static int get_number(apr_int64_t *number, char **next, const char *end, char separator)
{
    return get_digits(number, next, end) && *(*next)++ == separator;
}

static int get_kind(batch_item_kind_e *kind, char **next)
{
    const char *mark = memchr(marks, *(*next)++, sizeof(marks));

    *kind = mark ? (batch_item_kind_e)(mark - marks) : BATCH_ITEM_KEY;
    return mark != NULL;
}

/* A string; ends it with NUL in place. 0 if it is damaged. */
static int get_string(char **bytes, apr_size_t *length, char **next, const char *end)
{
    apr_int64_t size;

    if (*next < end && **next == '~') {
        (*next)++;
        *bytes = NULL;
        *length = 0;
        return 1;
    }
    if (!get_number(&size, next, end, ':') || size >= end - *next || (*next)[size] != ',' ||
        memchr(*next, '\0', (size_t)size)) {
        return 0;
    }
    *bytes = *next;
    *length = (apr_size_t)size;
    (*next)[size] = '\0';
    *next += size + 1;
    return 1;
}

/* count pairs of name and value; *values is NULL for none. 0 if they are damaged. */
static int get_values(batch_value_t **values, apr_int64_t count, char **next, const char *end,
                      apr_pool_t *p)
{
    apr_size_t length;
    char *name, *value;
    apr_int64_t i;

    *values = NULL;
    if (!count) {
        return 1;
    }
    /* A pair takes two bytes at least: a damaged count must not lead to a huge allocation. */
    if (count > (end - *next) / 2 || count > APR_INT32_MAX) {
        return 0;
    }
    *values = apr_palloc(p, (apr_size_t)count * sizeof(**values));
    for (i = 0; i < count; i++) {
        if (!get_string(&name, &length, next, end) || !name ||
            !get_string(&value, &length, next, end)) {
            return 0;
        }
        (*values)[i].name = name;
        (*values)[i].value = value;
        (*values)[i].kind = value ? BATCH_KIND_STRING : BATCH_KIND_NULL;
    }
    return 1;
}

void batch_segment_reader_init(batch_segment_reader_t *reader, batch_segment_t *segment,
                               apr_pool_t *p)
{
    reader->next = segment->data;
    reader->end = segment->data + segment->length;
    reader->left = segment->count;
    reader->p = p;
}

apr_status_t batch_segment_read(batch_segment_reader_t *reader, batch_item_t *item)
{
    apr_size_t length;
    apr_int64_t count;
    char *key, *original = NULL;

    if (reader->left <= 0) {
        return reader->next == reader->end ? APR_EOF : APR_EGENERAL;
    }
    memset(item, 0, sizeof(*item));
    if (!get_number(&item->ordinal, &reader->next, reader->end, '.') ||
        !get_number(&item->line, &reader->next, reader->end, '.') ||
        !get_digits(&count, &reader->next, reader->end) || !get_kind(&item->kind, &reader->next) ||
        !get_string(&key, &item->key_length, &reader->next, reader->end) ||
        !get_values(&item->values, count, &reader->next, reader->end, reader->p) ||
        (!batch_item_is_live(item) &&
         !get_string(&original, &length, &reader->next, reader->end))) {
        return APR_EGENERAL;
    }
    item->key = key;
    item->original = original;
    item->value_count = (int)count;
    reader->left--;
    return APR_SUCCESS;
}

/* ---- Values alone ---------------------------------------------------------------------------- */

const char *batch_values_encode(const batch_value_t *values, int count, apr_pool_t *p)
{
    char *text = apr_palloc(p, values_size(values, count) + 1);
    char *next = put_values(put_number(text, (apr_uint64_t)count, ';'), values, count);

    *next = '\0';
    return text;
}

apr_status_t batch_values_decode(batch_value_t **values, int *count, const char *text,
                                 apr_pool_t *p)
{
    char *next = apr_pstrdup(p, text);
    const char *end = next + strlen(next);
    apr_int64_t number;

    *values = NULL;
    *count = 0;
    if (!get_number(&number, &next, end, ';') || !get_values(values, number, &next, end, p) ||
        next != end) {
        *values = NULL;
        return APR_EGENERAL;
    }
    *count = (int)number;
    return APR_SUCCESS;
}
