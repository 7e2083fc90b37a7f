#include "payload/multipart.h"

#include <string.h>

#include <apr_hash.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "payload/request_parameters.h"
#include "text/text_buffer.h"

/** CR LF "--" boundary, the longest that there may be. */
#define DELIMITER_BYTES (4 + 70)

/** What the next byte is part of. */
typedef enum {
    PART_PREAMBLE, /* before the first boundary */
    PART_BEHIND,   /* behind a boundary: "--", or blanks and CRLF */
    PART_DASH,     /* behind the first dash of these */
    PART_LF,       /* behind the CR of these */
    PART_HEADERS,
    PART_SKIPPED, /* the body of a part that is neither */
    PART_FIELD,   /* the body of a field */
    PART_FILE,    /* the body of the file */
    PART_EPILOGUE /* behind the last boundary */
} part_state_e;

struct batch_multipart {
    apr_pool_t *p;
    apr_pool_t *part_pool; /* of the part that is being read */
    batch_multipart_target_t target;
    char delimiter[DELIMITER_BYTES + 1];
    apr_size_t delimiter_length;
    apr_size_t matched; /* bytes of the delimiter that were just read */
    part_state_e state;
    apr_hash_t *fields;        /* names: each may come once, so that they cannot grow */
    const char *field;         /* the name of the field that is being read */
    batch_text_buffer_t value; /* what of it has come, behind the values of earlier ones */
    apr_size_t value_at;       /* where it begins */
    int has_file;
    int has_blank; /* behind a boundary there was one */
    char headers[BATCH_PART_HEADER_BYTES + 1];
    apr_size_t headers_used;
};

/** What a part says of itself. */
typedef struct part {
    const char *name; /* NULL = none */
    const char *file; /* NULL: it is no file */
    const char *type; /* NULL = none */
    int is_range;     /* it has a Content-Range */
} part_t;

static apr_status_t fail(batch_multipart_t *multipart, batch_error_t *err, const char *message)
{
    return batch_error_set(err, BATCH_EINVALID, NULL, multipart->p, "%s", message);
}

batch_multipart_t *batch_multipart_make(const char *boundary,
                                        const batch_multipart_target_t *target, apr_pool_t *p)
{
    batch_multipart_t *multipart = apr_pcalloc(p, sizeof(*multipart));

    multipart->p = p;
    multipart->value.p = p;
    multipart->fields = apr_hash_make(p);
    multipart->target = *target;
    apr_snprintf(multipart->delimiter, sizeof(multipart->delimiter), "\r\n--%s", boundary);
    multipart->delimiter_length = strlen(multipart->delimiter);
    /* The first boundary may stand at the very start, without a line before it. */
    multipart->matched = 2;
    return multipart;
}

/* ---- The headers of a part ------------------------------------------------------------------- */

/** 1 if a backslash stands at `at` for what follows it. */
static int is_escape(const char *at)
{
    return *at == '\\' && (at[1] == '"' || at[1] == '\\');
}

/**
 * The end of a parameter's value that begins at from. As browsers write it: in quotes, with a
 * backslash only before a quote or another one, or %22 for a quote.
 */
static const char *value_end(const char *from)
{
    if (*from != '"') {
        return from + strcspn(from, "; ");
    }
    for (from++; *from && *from != '"'; from++) {
        from += is_escape(from);
    }
    return from;
}

/** The value between from and end, in p. */
static const char *value_copy(const char *from, const char *end, apr_pool_t *p)
{
    int is_quoted = *from == '"';
    char *text = apr_palloc(p, (apr_size_t)(end - from) + 1);
    char *out = text;

    for (from += is_quoted; from < end; from++) {
        from += is_quoted && is_escape(from);
        *out++ = *from;
    }
    *out = '\0';
    return text;
}

/** The value of a parameter in a header, in p; NULL for none. */
static const char *parameter(const char *header, const char *wanted, apr_pool_t *p)
{
    apr_size_t length = strlen(wanted);
    const char *at = strchr(header, ';');

    while (at) {
        const char *value;
        const char *end;

        at += strspn(at, "; \t");
        value = at + strcspn(at, "=;");
        if (*value != '=') {
            at = *value ? value : NULL;
            continue;
        }
        end = value_end(++value);
        if (!strncasecmp(at, wanted, length) && at[length] == '=') {
            return value_copy(value, end, p);
        }
        at = strchr(end, ';');
    }
    return NULL;
}

/** Reads one header line, which is NUL-terminated. NULL, or what is wrong with it. */
static const char *header_read(part_t *part, char *line, apr_pool_t *p)
{
    char *value = strchr(line, ':');

    if (!value || value == line) {
        return "a part of the multipart body has a header line without a name and a colon";
    }
    *value++ = '\0';
    value += strspn(value, " \t");
    if (!strcasecmp(line, "Content-Type")) {
        part->type = value;
    } else if (!strcasecmp(line, "Content-Range")) {
        part->is_range = 1;
    } else if (!strcasecmp(line, "Content-Disposition")) {
        part->name = parameter(value, "name", p);
        part->file = parameter(value, "filename", p);
        if (!part->file) {
            part->file = parameter(value, "filename*", p); /* its ending is all that counts */
        }
    } else if ((!strcasecmp(line, "Content-Transfer-Encoding") && strcasecmp(value, "binary") &&
                strcasecmp(value, "8bit") && strcasecmp(value, "7bit")) ||
               (!strcasecmp(line, "Content-Encoding") && strcasecmp(value, "identity"))) {
        return "a part of the multipart body is encoded: send it as it is, or encode the whole "
               "body";
    }
    return NULL;
}

/** Reads the headers of a part, which end with an empty line. NULL, or what is wrong with them. */
static const char *headers_read(part_t *part, char *headers, apr_pool_t *p)
{
    char *end = headers;

    /* RFC 5322, section 2.2.3: a line that begins with a blank goes on with the one before. */
    while ((end = strstr(end, "\r\n"))) {
        if (end[2] == ' ' || end[2] == '\t') {
            end[0] = end[1] = ' ';
        }
        end += 2;
    }
    for (; (end = strstr(headers, "\r\n")) && end != headers; headers = end + 2) {
        const char *wrong;

        *end = '\0';
        wrong = header_read(part, headers, p);
        if (wrong) {
            return wrong;
        }
    }
    return NULL;
}

/** A part with the name of a parameter begins. */
static apr_status_t field_begin(batch_multipart_t *multipart, const char *name, batch_error_t *err)
{
    if (apr_hash_get(multipart->fields, name, APR_HASH_KEY_STRING)) {
        return batch_error_set(err, BATCH_EINVALID, NULL, multipart->p,
                               "the multipart body has the field %s twice", name);
    }
    multipart->state = PART_FIELD;
    multipart->field = apr_pstrdup(multipart->p, name);
    multipart->value_at = multipart->value.used;
    apr_hash_set(multipart->fields, multipart->field, APR_HASH_KEY_STRING, "");
    return APR_SUCCESS;
}

/** The field is complete. */
static apr_status_t field_end(batch_multipart_t *multipart, batch_error_t *err)
{
    apr_size_t length = multipart->value.used - multipart->value_at;
    const char *value =
        length ? apr_pstrmemdup(multipart->p, multipart->value.data + multipart->value_at, length)
               : "";

    if (strlen(value) != length) {
        return batch_error_set(err, BATCH_EINVALID, NULL, multipart->p,
                               "the field %s of the multipart body has a byte NUL",
                               multipart->field);
    }
    return multipart->target.field(multipart->target.baton, multipart->field, value, err);
}

/** The headers of a part are complete. */
static apr_status_t part_begin(batch_multipart_t *multipart, batch_error_t *err)
{
    part_t part = {NULL, NULL, NULL, 0};
    apr_pool_t *p = multipart->part_pool;
    const char *wrong;

    multipart->headers[multipart->headers_used] = '\0';
    if (strlen(multipart->headers) != multipart->headers_used) {
        return fail(multipart, err, "a part of the multipart body has a header with a byte NUL");
    }
    wrong = headers_read(&part, multipart->headers, p);
    if (wrong) {
        return fail(multipart, err, wrong);
    }
    if (part.is_range) {
        return batch_error_set(err, BATCH_EPART, NULL, multipart->p,
                               "a part of the multipart body has the header Content-Range, which "
                               "says that it is a piece of something: only a whole is taken");
    }
    multipart->matched = 0;
    multipart->state = PART_SKIPPED;
    if (part.file && *part.file) {
        if (multipart->has_file++) {
            return fail(multipart, err, "the multipart body has more than one file");
        }
        multipart->state = PART_FILE;
        return multipart->target.begin(multipart->target.baton, part.type, part.file, err);
    }
    if (!part.file && batch_request_parameter_is_known(part.name)) {
        return field_begin(multipart, part.name, err);
    }
    wrong = part.file ? NULL : batch_request_parameter_wrong(part.name, p);
    return wrong ? batch_error_set(err, BATCH_EINVALID, NULL, multipart->p,
                                   "the multipart body has the part %s, which %s", part.name, wrong)
                 : APR_SUCCESS;
}

/** Takes bytes of headers; returns behind what it took. */
static const char *headers_take(batch_multipart_t *multipart, const char *at, const char *end,
                                apr_status_t *status, batch_error_t *err)
{
    for (; at < end; at++) {
        char *headers = multipart->headers;
        apr_size_t used;

        if (multipart->headers_used == BATCH_PART_HEADER_BYTES) {
            *status = fail(multipart, err,
                           "a part of the multipart body has more than " APR_STRINGIFY(
                               BATCH_PART_HEADER_BYTES) " bytes of headers");
            return at;
        }
        headers[multipart->headers_used++] = *at;
        used = multipart->headers_used;
        /* No header at all is one empty line. */
        if (*at == '\n' && ((used == 2 && headers[0] == '\r') ||
                            (used >= 4 && !memcmp(headers + used - 4, "\r\n\r\n", 4)))) {
            *status = part_begin(multipart, err);
            return at + 1;
        }
    }
    return at;
}

/* ---- Bodies ---------------------------------------------------------------------------------- */

static apr_status_t data(batch_multipart_t *multipart, const char *bytes, apr_size_t length,
                         batch_error_t *err)
{
    if (multipart->state == PART_FILE && length) {
        return multipart->target.data(multipart->target.baton, bytes, length, err);
    }
    if (multipart->state == PART_FIELD) {
        if (length > BATCH_FORM_FIELD_BYTES - multipart->value.used) {
            return batch_error_set(err, BATCH_ETOOLARGE, NULL, multipart->p,
                                   "the fields of the multipart body have more than 1 MiB");
        }
        batch_text_buffer_add(&multipart->value, bytes, length);
    }
    return APR_SUCCESS;
}

/** A boundary was read. */
static apr_status_t boundary_found(batch_multipart_t *multipart, batch_error_t *err)
{
    int was_field = multipart->state == PART_FIELD;

    multipart->state = PART_BEHIND;
    multipart->matched = 0;
    multipart->has_blank = 0;
    return was_field ? field_end(multipart, err) : APR_SUCCESS;
}

/**
 * Takes bytes up to a delimiter; returns behind what it took. CR is only the first byte of a
 * delimiter: where one breaks off, none of its bytes but the next can be the start of another.
 */
static const char *body_take(batch_multipart_t *multipart, const char *at, const char *end,
                             apr_status_t *status, batch_error_t *err)
{
    const char *from = at; /* data that was not yet handed on, less what is matched before at */

    while (at < end && *status == APR_SUCCESS) {
        if (!multipart->matched) {
            const char *cr = memchr(at, '\r', (apr_size_t)(end - at));

            at = cr ? cr : end;
            *status = data(multipart, from, (apr_size_t)(at - from), err);
            from = at;
            if (!cr) {
                return end;
            }
        }
        if (*at == multipart->delimiter[multipart->matched]) {
            at++;
            if (++multipart->matched == multipart->delimiter_length) {
                *status = boundary_found(multipart, err);
                return at;
            }
        } else {
            *status = data(multipart, multipart->delimiter, multipart->matched, err);
            multipart->matched = 0;
            from = at;
        }
    }
    return at;
}

/** Takes the byte behind a boundary. */
static apr_status_t behind_take(batch_multipart_t *multipart, char byte, batch_error_t *err)
{
    if (multipart->state == PART_DASH && byte == '-') {
        multipart->state = PART_EPILOGUE;
    } else if (multipart->state == PART_LF && byte == '\n') {
        multipart->state = PART_HEADERS;
        multipart->headers_used = 0;
        apr_pool_clear(multipart->part_pool);
    } else if (multipart->state == PART_BEHIND && (byte == ' ' || byte == '\t')) {
        multipart->has_blank = 1;
    } else if (multipart->state == PART_BEHIND && byte == '\r') {
        multipart->state = PART_LF;
    } else if (multipart->state == PART_BEHIND && byte == '-' && !multipart->has_blank) {
        multipart->state = PART_DASH;
    } else {
        return fail(multipart, err, "the multipart body has a boundary without a line end (CRLF)");
    }
    return APR_SUCCESS;
}

/* ---- The calls ------------------------------------------------------------------------------- */

apr_status_t batch_multipart_feed(batch_multipart_t *multipart, const char *bytes,
                                  apr_size_t length, batch_error_t *err)
{
    const char *at = bytes;
    const char *end = bytes + length;
    apr_status_t status = APR_SUCCESS;

    if (!multipart->part_pool) {
        status = apr_pool_create(&multipart->part_pool, multipart->p);
    }
    while (at < end && status == APR_SUCCESS) {
        switch (multipart->state) {
        case PART_PREAMBLE:
        case PART_SKIPPED:
        case PART_FIELD:
        case PART_FILE:
            at = body_take(multipart, at, end, &status, err);
            break;
        case PART_HEADERS:
            at = headers_take(multipart, at, end, &status, err);
            break;
        case PART_EPILOGUE:
            return APR_SUCCESS;
        default:
            status = behind_take(multipart, *at++, err);
        }
    }
    return status;
}

apr_status_t batch_multipart_finish(batch_multipart_t *multipart, batch_error_t *err)
{
    if (multipart->state == PART_PREAMBLE) {
        return fail(multipart, err, "the multipart body has no part: its boundary is not in it");
    }
    if (multipart->state != PART_EPILOGUE) {
        return fail(multipart, err,
                    "the multipart body is cut short: its last boundary is not in "
                    "it");
    }
    return multipart->has_file
               ? APR_SUCCESS
               : fail(multipart, err,
                      "the multipart body has no file: exactly one part must have a filename");
}
