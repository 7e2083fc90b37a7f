/* The JSON reader: the structure of a document, and the path to the diverted array. */
#include "payload/json_scan.h"

#include <string.h>

#include <apr_strings.h>

#include "text/json_text.h"

/* ---- The path ------------------------------------------------------------------------------ */

/** Splits "batch.operations[0].ids" into its segments. */
static void path_parse(batch_json_reader_t *reader, const char *path)
{
    reader->segment_count = path ? 0 : -1;
    while (path && *path && reader->segment_count < BATCH_JSON_PATH_SEGMENTS) {
        batch_json_segment_t *segment = &reader->segments[reader->segment_count++];

        path += *path == '.';
        if (*path == '[') {
            segment->index = apr_strtoi64(path + 1, (char **)&path, 10);
            path += *path == ']';
        } else {
            segment->name = path;
            segment->length = strcspn(path, ".[");
            path += segment->length;
        }
    }
}

/** The segment that a child of the level must match for the path to go on, or NULL. */
static batch_json_segment_t *path_next(batch_json_reader_t *reader, const batch_json_level_t *level)
{
    if (level->matched < 0 || level->matched >= reader->segment_count) {
        return NULL;
    }
    return &reader->segments[level->matched];
}

/** How many segments the element that begins now matches, -1 = it is elsewhere. */
static int path_match_element(batch_json_reader_t *reader, const batch_json_level_t *level)
{
    const batch_json_segment_t *segment = path_next(reader, level);

    return segment && !segment->name && segment->index == level->index ? level->matched + 1 : -1;
}

void batch_json_name_done(batch_json_reader_t *reader, const char *end)
{
    const batch_json_level_t *level = &reader->levels[reader->depth];
    batch_json_segment_t *segment = reader->in_element ? NULL : path_next(reader, level);

    reader->state = SCAN_COLON;
    reader->next_matched = -1;
    if (!segment || !segment->name) {
        return;
    }
    batch_json_flush(reader, end);
    if (reader->error.status != APR_SUCCESS ||
        !batch_json_string_equals(reader->skeleton.data + reader->name_start,
                                  reader->skeleton.used - reader->name_start, segment->name,
                                  segment->length)) {
        return;
    }
    if (segment->seen) {
        /* Which of the two counts is anybody's guess: RFC 8259, section 4. */
        batch_json_fail(reader, end, "\"%.*s\" is given twice", (int)segment->length,
                        segment->name);
        reader->error.line = reader->name_line;
        reader->error.column = reader->name_column;
    }
    segment->seen = 1;
    reader->next_matched = level->matched + 1;
}

/* ---- Structure ----------------------------------------------------------------------------- */

void batch_json_value_done(batch_json_reader_t *reader, const char *end)
{
    reader->state = reader->depth ? SCAN_AFTER : SCAN_DONE;
    if (reader->in_element && reader->depth == reader->divert_depth) {
        batch_json_element_end(reader, end);
    }
}

/** An array or object begins; matched as in batch_json_level_t. */
static void level_open(batch_json_reader_t *reader, const char *at, int matched)
{
    batch_json_level_t *level;

    if (reader->depth == BATCH_JSON_DEPTH) {
        batch_json_fail(reader, at, "nested deeper than %d levels", BATCH_JSON_DEPTH);
        return;
    }
    level = &reader->levels[++reader->depth];
    level->kind = *at;
    level->matched = matched;
    level->index = 0;
    reader->state = *at == '[' ? SCAN_VALUE_OR_END : SCAN_NAME_OR_END;
    if (*at == '[' && matched >= 0 && matched == reader->segment_count) {
        reader->divert_depth = reader->depth;
    }
}

/** The innermost array or object ends. */
static void level_close(batch_json_reader_t *reader, const char *at)
{
    batch_json_keep(reader, at);
    if (!reader->in_element && reader->divert_depth == reader->depth) {
        reader->divert_depth = 0;
    }
    reader->depth--;
    batch_json_value_done(reader, at + 1);
}

/** How many segments of the path the value that begins now matches, -1 = it is elsewhere. */
static int value_match(batch_json_reader_t *reader)
{
    const batch_json_level_t *level = &reader->levels[reader->depth];

    if (reader->in_element) {
        return -1;
    }
    if (!reader->depth) {
        if (reader->config.or_document && reader->root == '[') {
            reader->segment_count = 0;
        }
        return reader->segment_count < 0 ? -1 : 0;
    }
    return level->kind == '{' ? reader->next_matched : path_match_element(reader, level);
}

static void value_begin(batch_json_reader_t *reader, const char *at)
{
    if (!reader->in_element && reader->divert_depth) {
        batch_json_element_begin(reader, at);
    } else {
        batch_json_keep(reader, at);
    }
    if (!reader->depth) {
        reader->root = *at;
    }
    switch (*at) {
    case '{':
    case '[':
        level_open(reader, at, value_match(reader));
        return;
    case '"':
        reader->state = SCAN_STRING;
        reader->is_name = 0;
        return;
    case 't':
    case 'f':
    case 'n':
        reader->state = SCAN_WORD;
        reader->word = *at == 't' ? "true" : *at == 'f' ? "false" : "null";
        reader->word_used = 1;
        return;
    case '-':
        reader->state = SCAN_MINUS;
        return;
    case '0':
        reader->state = SCAN_ZERO;
        return;
    default:
        if (*at >= '1' && *at <= '9') {
            reader->state = SCAN_INTEGER;
        } else {
            batch_json_fail_unexpected(reader, at, 0);
        }
    }
}

static void name_begin(batch_json_reader_t *reader, const char *at)
{
    if (*at != '"') {
        batch_json_fail_unexpected(reader, at, 0);
        return;
    }
    batch_json_keep(reader, at);
    reader->state = SCAN_STRING;
    reader->is_name = 1;
    reader->name_start = reader->skeleton.used + (apr_size_t)(at - reader->keep);
    reader->name_line = reader->line;
    reader->name_column = batch_json_column(reader, at);
}

/** Behind a value: a comma, or the end of its array or object. */
static void after_value(batch_json_reader_t *reader, const char *at)
{
    batch_json_level_t *level = &reader->levels[reader->depth];

    if (*at == (level->kind == '[' ? ']' : '}')) {
        level_close(reader, at);
        return;
    }
    if (*at != ',') {
        batch_json_fail_unexpected(reader, at, 0);
        return;
    }
    /* The commas between diverted elements go with them. */
    if (reader->in_element || !reader->divert_depth) {
        batch_json_keep(reader, at);
    }
    level->index++;
    reader->state = level->kind == '[' ? SCAN_VALUE : SCAN_NAME;
}

/** A byte order mark is skipped, and does not count in columns. */
static const char *skip_bom(batch_json_reader_t *reader, const char *at)
{
    static const char bom[] = "\xef\xbb\xbf";

    if (*at == bom[reader->bom_used]) {
        if (!bom[++reader->bom_used]) {
            reader->line_start = 3;
            reader->state = SCAN_VALUE;
        }
        return at + 1;
    }
    if (reader->bom_used) {
        batch_json_fail_unexpected(reader, at, 0);
    }
    reader->state = SCAN_VALUE;
    return at;
}

/** White space between tokens: kept in elements only, which are handed out as they came. */
static void white_space(batch_json_reader_t *reader, const char *at)
{
    if (!reader->in_element) {
        batch_json_flush(reader, at);
    }
    if (*at == '\n') {
        reader->line++;
        reader->line_start = reader->offset + (at - reader->slice) + 1;
    }
}

static const char *scan_structure(batch_json_reader_t *reader, const char *at)
{
    if (reader->state == SCAN_BOM) {
        return skip_bom(reader, at);
    }
    if (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t') {
        white_space(reader, at);
        return at + 1;
    }
    switch (reader->state) {
    case SCAN_VALUE_OR_END:
        if (*at == ']') {
            level_close(reader, at);
            break;
        }
        /* fall through */
    case SCAN_VALUE:
        value_begin(reader, at);
        break;
    case SCAN_NAME_OR_END:
        if (*at == '}') {
            level_close(reader, at);
            break;
        }
        /* fall through */
    case SCAN_NAME:
        name_begin(reader, at);
        break;
    case SCAN_AFTER:
        after_value(reader, at);
        break;
    default:
        if (reader->state != SCAN_COLON || *at != ':') {
            batch_json_fail_unexpected(reader, at, 0);
            break;
        }
        batch_json_keep(reader, at);
        reader->state = SCAN_VALUE;
    }
    return at + 1;
}

/* ---- The calls ----------------------------------------------------------------------------- */

static void reader_init(batch_json_reader_t *reader, const batch_json_reader_config_t *config,
                        apr_pool_t *p)
{
    memset(reader, 0, sizeof(*reader));
    reader->config = *config;
    reader->p = p;
    reader->skeleton.p = reader->partial.p = p;
    reader->state = SCAN_BOM;
    reader->line = 1;
    path_parse(reader, config->path);
}

batch_json_reader_t *batch_json_reader_make(const batch_json_reader_config_t *config, apr_pool_t *p)
{
    batch_json_reader_t *reader = apr_palloc(p, sizeof(*reader));

    reader_init(reader, config, p);
    return reader;
}

int batch_json_reader_is_second(const batch_json_reader_t *reader)
{
    return reader->is_second;
}

char batch_json_reader_root(const batch_json_reader_t *reader)
{
    return reader->root;
}

void batch_json_reader_reset(batch_json_reader_t *reader)
{
    batch_json_reader_config_t config = reader->config;
    batch_text_buffer_t skeleton = reader->skeleton;
    batch_text_buffer_t partial = reader->partial;

    reader_init(reader, &config, reader->p);
    reader->skeleton = skeleton;
    reader->partial = partial;
    reader->skeleton.used = reader->partial.used = 0;
}

/** Tells the caller what has become of the reader. */
static apr_status_t reader_status(const batch_json_reader_t *reader, batch_error_t *err)
{
    if (err && reader->error.status != APR_SUCCESS) {
        *err = reader->error;
    }
    return reader->error.status;
}

apr_status_t batch_json_reader_feed(batch_json_reader_t *reader, const char *bytes,
                                    apr_size_t length, batch_error_t *err)
{
    const char *at = bytes;
    const char *end = bytes + length;

    if (!length) {
        return reader_status(reader, err);
    }
    reader->slice = bytes;
    reader->keep = reader->in_element || reader->state >= SCAN_STRING ? bytes : NULL;
    while (at < end && reader->error.status == APR_SUCCESS) {
        if (reader->state < SCAN_STRING) {
            at = scan_structure(reader, at);
        } else if (reader->state < SCAN_WORD) {
            at = batch_json_scan_string(reader, at, end);
        } else if (reader->state == SCAN_WORD) {
            at = batch_json_scan_word(reader, at, end);
        } else {
            at = batch_json_scan_number(reader, at, end);
        }
    }
    batch_json_flush(reader, end);
    reader->offset += (apr_int64_t)length;
    return reader_status(reader, err);
}

apr_status_t batch_json_reader_finish(const char **skeleton, apr_size_t *length,
                                      batch_json_reader_t *reader, batch_error_t *err)
{
    static const char nothing[] = "";

    if (reader->error.status != APR_SUCCESS) {
        return reader_status(reader, err);
    }
    reader->slice = nothing;
    reader->keep = NULL;
    if (batch_json_number_is_whole(reader->state)) {
        reader->state = reader->depth ? SCAN_AFTER : SCAN_DONE;
    }
    if (!reader->offset) {
        batch_json_fail(reader, nothing, "the document is empty");
    } else if (reader->state != SCAN_DONE) {
        batch_json_fail_unexpected(reader, nothing, 1);
    } else {
        batch_text_buffer_end(&reader->skeleton);
    }
    if (skeleton) {
        *skeleton = reader->skeleton.data;
    }
    if (length) {
        *length = reader->skeleton.used;
    }
    return reader_status(reader, err);
}

int batch_json_is_valid(const char *text, apr_size_t length, apr_pool_t *ptemp)
{
    batch_json_reader_config_t config = {.max_skeleton = APR_SIZE_MAX};
    batch_json_reader_t *reader = batch_json_reader_make(&config, ptemp);

    return batch_json_reader_feed(reader, text, length, NULL) == APR_SUCCESS &&
           batch_json_reader_finish(NULL, NULL, reader, NULL) == APR_SUCCESS;
}
