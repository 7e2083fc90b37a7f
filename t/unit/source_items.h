/* Items as a source gives them, written as words. */
#ifndef BATCH_SOURCE_ITEMS_H
#define BATCH_SOURCE_ITEMS_H

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "engine/intake.h"

/* An item of "name=value" words; digits alone are a number; a word without "=" is a member that is
 * null. */
__attribute__((unused)) static batch_source_item_t item(const char *text, apr_pool_t *p)
{
    batch_source_item_t made = {0};
    char *words = apr_pstrdup(p, *text == '!' ? "" : text);
    char *state = NULL;
    char *word;

    if (*text == '!') {
        made.wrong = "too_large";
        made.message = "is too large";
        made.unreadable = 1;
        return made;
    }
    made.original = apr_pstrcat(p, "\"", text, "\"", NULL);
    made.values = apr_pcalloc(p, 8 * sizeof(batch_value_t));
    while ((word = apr_strtok(words, " ", &state))) {
        char *equals = strchr(word, '=');
        batch_value_t *value = &made.values[made.value_count++];

        words = NULL;
        value->name = word;
        value->kind = BATCH_KIND_NULL;
        if (equals) {
            *equals = '\0';
            value->value = equals + 1;
            value->kind = value->value[strspn(value->value, "0123456789")] || !*value->value
                              ? BATCH_KIND_STRING
                              : BATCH_KIND_NUMBER;
        }
    }
    return made;
}

#endif
