#include "actions.h"

#include <apr_strings.h>

#include "batch.h"

#define IN_RECORDS   (1u << BATCH_API_RECORDS)
#define IN_RESOURCES (1u << BATCH_API_RESOURCES)
#define IN_BOTH      (IN_RECORDS | IN_RESOURCES)

#define ROW(symbol, word, done, apis, traits)                                                      \
    [BATCH_ACTION_##symbol] = {word, done, IN_##apis, traits},

const batch_action_row_t batch_action_rows[BATCH_ACTION_COUNT] = {BATCH_ACTION_LIST(ROW)};

const char *batch_action_words(unsigned actions, const char *conjunction, apr_pool_t *p)
{
    const char *words = NULL;
    const char *last = NULL;
    int action;

    for (action = 0; action < BATCH_ACTION_COUNT; action++) {
        if (!(actions & (1u << action))) {
            continue;
        }
        if (last) {
            words = words ? apr_pstrcat(p, words, ", ", last, NULL) : last;
        }
        last = batch_action_rows[action].word;
    }
    return words ? apr_pstrcat(p, words, " ", conjunction, " ", last, NULL) : last;
}

unsigned batch_actions_like(unsigned traits)
{
    unsigned actions = 0;
    int action;

    for (action = 0; action < BATCH_ACTION_COUNT; action++) {
        actions |= batch_action_is((batch_action_e)action, traits) ? 1u << action : 0;
    }
    return actions;
}

unsigned batch_actions_of(batch_api_e api)
{
    unsigned actions = 0;
    int action;

    for (action = 0; action < BATCH_ACTION_COUNT; action++) {
        actions |= batch_action_rows[action].apis & (1u << api) ? 1u << action : 0;
    }
    return actions;
}
