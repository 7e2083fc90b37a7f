#include "payload/header_words.h"

#include <string.h>

#include <apr_strings.h>

#include "engine/unknown_name.h"

/** What stands between cells in files that are called CSV, but commas. */
static const struct separator {
    char byte;
    const char *name;
} separators[] = {{';', "semicolons"}, {'\t', "tabs"}, {'|', "pipes (|)"}};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

int batch_header_names_separator(const char *cell, apr_size_t length)
{
    return length >= 4 && length <= 5 && !strncasecmp(cell, "sep=", 4);
}

const char *batch_header_separator_name(const char *text, apr_size_t length)
{
    for (size_t i = 0; i < COUNT(separators); i++) {
        if (length && separators[i].byte == *text) {
            return separators[i].name;
        }
    }
    return NULL;
}

/** The names of what a batch can set, for a message. */
static const char *known_names(const batch_resource_t *resource, apr_pool_t *p)
{
    const char *names = resource->key;

    for (int i = 0; i < resource->columns->nelts; i++) {
        const batch_column_t *column = &APR_ARRAY_IDX(resource->columns, i, batch_column_t);

        if (!column->readonly) {
            names = apr_pstrcat(p, names, ", ", column->name, NULL);
        }
    }
    return names;
}

/** Words about the first cell, which may not be a name at all; NULL where there is nothing to say.
 */
static const char *first_words(const char *name, apr_size_t length, apr_pool_t *p)
{
    for (size_t i = 0; i < COUNT(separators); i++) {
        if (memchr(name, separators[i].byte, length)) {
            return apr_psprintf(p, ": cells are separated by commas, not by %s",
                                separators[i].name);
        }
    }
    if (length && (*name == '{' || *name == '[')) {
        return ": this looks like JSON: send it with the Content-Type application/json, or "
               "application/x-ndjson for an object a line";
    }
    return NULL;
}

/** 1 if it begins with a name that is known: what stood in the next line may have come behind it.
 */
static int is_run_together(const batch_resource_t *resource, const char *name)
{
    for (int i = 0; i < resource->columns->nelts; i++) {
        const char *known = APR_ARRAY_IDX(resource->columns, i, batch_column_t).name;

        if (!strncasecmp(name, known, strlen(known))) {
            return 1;
        }
    }
    return !strncasecmp(name, resource->key, strlen(resource->key));
}

const char *batch_header_unknown_words(const batch_resource_t *resource, const char *name,
                                       apr_size_t length, int where, apr_pool_t *p)
{
    const char *words = where & BATCH_HEADER_FIRST && !(where & BATCH_HEADER_TOLD)
                            ? first_words(name, length, p)
                            : NULL;

    if (!words) {
        words = batch_unknown_name_words(resource, name, length, p);
        if (!(where & BATCH_HEADER_TOLD)) {
            words = apr_pstrcat(p, ", which has ", known_names(resource, p), words, NULL);
        }
        if ((where & BATCH_HEADER_ALL) && is_run_together(resource, name)) {
            words =
                apr_pstrcat(p, words,
                            "; the file is one line: curl -d takes line ends out, --data-binary "
                            "does not",
                            NULL);
        }
    }
    return apr_psprintf(p, "is not a column of the resource %s%s", resource->name, words);
}
