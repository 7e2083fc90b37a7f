#include "payload/content_type.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

const char batch_gzip_words[] = "this is a gzip file: unpack it, or send it as the body, with the "
                                "type of what is in it and the "
                                "header Content-Encoding: gzip";

/** A media type of ours. */
static const struct type {
    const char *name;
    batch_format_e format;
} types[] = {
    {"text/csv", BATCH_FORMAT_CSV},
    {"application/csv", BATCH_FORMAT_CSV},
    {"application/x-ndjson", BATCH_FORMAT_NDJSON},
    {"application/ndjson", BATCH_FORMAT_NDJSON},
    {"application/jsonl", BATCH_FORMAT_NDJSON},
    {"application/json", BATCH_FORMAT_ARRAY},
};

/** Endings of a file's name. */
static const struct type endings[] = {
    {".csv", BATCH_FORMAT_CSV},
    {".ndjson", BATCH_FORMAT_NDJSON},
    {".jsonl", BATCH_FORMAT_NDJSON},
    {".json", BATCH_FORMAT_ARRAY},
};

/** What says nothing about a file's format; the last one is what Windows calls CSV. */
static const char *const vague[] = {"application/octet-stream", "text/plain",
                                    "application/vnd.ms-excel"};

/** What is compressed as a file, which says nothing about what is in it. */
static const char *const gzip_types[] = {"application/gzip", "application/x-gzip",
                                         "application/x-gunzip"};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* ---- The header ------------------------------------------------------------------------------ */

/** The end of a text that begins with a quote, the one behind it not included. */
static const char *quoted_end(const char *from)
{
    for (from++; *from && *from != '"'; from++) {
        from += *from == '\\' && from[1];
    }
    return from;
}

/** A parameter's value as it stands at *at, quotes taken off, in p; *at moves behind it. */
static char *value_read(const char **at, apr_pool_t *p)
{
    const char *from = *at;
    const char *end;
    char *value;
    char *out;

    if (*from != '"') {
        *at += strcspn(from, "; \t");
        return apr_pstrmemdup(p, from, (apr_size_t)(*at - from));
    }
    end = quoted_end(from);
    out = value = apr_palloc(p, (apr_size_t)(end - from));
    for (from++; from < end; from++) {
        from += *from == '\\' && from[1];
        *out++ = *from;
    }
    *out = '\0';
    *at = end + (*end == '"');
    return value;
}

/** The next parameter behind *at, which moves on; 0 if there is none, or what is there is none. */
static int parameter_read(char **name, char **value, const char **at, apr_pool_t *p)
{
    const char *from = *at + strspn(*at, "; \t");
    apr_size_t length = strcspn(from, "=; \t");

    if (!length || from[length] != '=') {
        return 0;
    }
    *name = apr_pstrmemdup(p, from, length);
    *at = from + length + 1;
    *value = value_read(at, p);
    return 1;
}

/** The parameter of that name in what stands behind a media type, or NULL. */
static const char *parameter(const char *rest, const char *wanted, apr_pool_t *p)
{
    char *name;
    char *value;

    while (parameter_read(&name, &value, &rest, p)) {
        if (!strcasecmp(name, wanted)) {
            return value;
        }
    }
    return NULL;
}

/** The media type without its parameters, which *rest is set to. */
static const char *type_read(const char **rest, const char *header, apr_pool_t *p)
{
    apr_size_t length;

    header += strspn(header, " \t");
    length = strcspn(header, "; \t");
    *rest = header + length;
    return apr_pstrmemdup(p, header, length);
}

/** What is wrong with the parameters of a type of ours, or NULL. */
static const char *parameters_check(const char *rest, apr_pool_t *p)
{
    const char *charset = parameter(rest, "charset", p);
    const char *header = parameter(rest, "header", p);

    if (charset && strcasecmp(charset, "utf-8") != 0 && strcasecmp(charset, "utf8") != 0 &&
        strcasecmp(charset, "us-ascii") != 0) {
        return "must be in UTF-8";
    }
    /* RFC 4180, section 3. */
    if (header && !strcasecmp(header, "absent")) {
        return "must have a header row with the names of the columns";
    }
    return NULL;
}

/** The format of a media type; -1 if it is none of ours. */
static int format_find(const char *type)
{
    for (size_t i = 0; i < COUNT(types); i++) {
        if (!strcasecmp(types[i].name, type)) {
            return (int)types[i].format;
        }
    }
    return -1;
}

/** 1 if the media type is one of these. */
static int is_one_of(const char *type, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!strcasecmp(type, names[i])) {
            return 1;
        }
    }
    return 0;
}

static int ends_with(const char *name, const char *ending)
{
    apr_size_t length = strlen(name);
    apr_size_t last = strlen(ending);

    return length >= last && !strcasecmp(name + length - last, ending);
}

/** What is wrong with a body whose type is none of ours. */
static const char *refuse_type(const char *type)
{
    if (is_one_of(type, gzip_types, COUNT(gzip_types))) {
        return batch_gzip_words;
    }
    if (!strcasecmp(type, "application/x-www-form-urlencoded")) {
        return "the Content-Type of the body must be one of " BATCH_CONTENT_TYPES
               ": curl says application/x-www-form-urlencoded unless it is told another one, as in "
               "curl -H 'Content-Type: text/csv' --data-binary @FILE";
    }
    return "the Content-Type of the body must be one of " BATCH_CONTENT_TYPES;
}

/* ---- multipart/form-data --------------------------------------------------------------------- */

/** RFC 2046, section 5.1.1. */
static int boundary_is_valid(const char *boundary)
{
    apr_size_t length = boundary ? strlen(boundary) : 0;

    if (!length || length > BATCH_BOUNDARY_BYTES || boundary[length - 1] == ' ') {
        return 0;
    }
    for (; *boundary; boundary++) {
        if (!apr_isalnum(*boundary) && !strchr("'()+_,-./:=? ", *boundary)) {
            return 0;
        }
    }
    return 1;
}

/* ---- The calls ------------------------------------------------------------------------------- */

const char *batch_content_type_read(batch_content_t *content, const char *header, int how,
                                    apr_pool_t *p)
{
    const char *rest;
    const char *type = type_read(&rest, header ? header : vague[0], p);
    const char *wrong;
    int format;

    content->boundary = NULL;
    content->format = BATCH_FORMAT_ARRAY;
    if (!strcasecmp(type, "multipart/form-data")) {
        content->boundary = parameter(rest, "boundary", p);
        return boundary_is_valid(content->boundary)
                   ? NULL
                   : "the Content-Type multipart/form-data must have a boundary of 1 to 70 "
                     "characters, as RFC 2046 allows them";
    }
    format = format_find(type);
    if (format < 0 && is_one_of(type, vague, COUNT(vague)) &&
        ((how & BATCH_CONTENT_PLAIN) || strcasecmp(type, "text/plain") != 0)) {
        format = BATCH_FORMAT_UNKNOWN;
    }
    if (format < 0) {
        return refuse_type(type);
    }
    content->format = format == BATCH_FORMAT_ARRAY && !(how & BATCH_CONTENT_ARRAY)
                          ? BATCH_FORMAT_JSON
                          : (batch_format_e)format;
    wrong = parameters_check(rest, p);
    return wrong ? apr_pstrcat(p, "a body of the Content-Type ", type, " ", wrong, NULL) : NULL;
}

const char *batch_content_type_of_file(batch_format_e *format, const char *header, const char *name,
                                       apr_pool_t *p)
{
    const char *rest;
    const char *type = type_read(&rest, header ? header : vague[0], p);
    int found = format_find(type);

    if (is_one_of(type, gzip_types, COUNT(gzip_types)) || (found < 0 && ends_with(name, ".gz"))) {
        return batch_gzip_words;
    }
    if (is_one_of(type, vague, COUNT(vague))) {
        for (size_t i = 0; found < 0 && i < COUNT(endings); i++) {
            found = ends_with(name, endings[i].name) ? (int)endings[i].format : -1;
        }
    }
    if (found < 0) {
        return "must be of the type text/csv, application/x-ndjson or application/json, or have a "
               "name that ends with .csv, .ndjson or .json";
    }
    *format = (batch_format_e)found;
    return parameters_check(rest, p);
}
