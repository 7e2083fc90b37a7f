#include "store/party.h"

#include <apr_atomic.h>
#include <apr_time.h>

/*
 * Seconds in which nobody shares a transaction when one that was shared has failed: a client whose
 * requests end transactions must not make all others try everything twice.
 */
#define APART 2

/* Others wait for the turn meanwhile: less than they wait for a chunk. */
#define SHARED_TIME apr_time_from_msec(20)

apr_status_t batch_party_init(batch_party_t *party)
{
    party->first = NULL;
    party->last = &party->first;
    party->time = SHARED_TIME;
    party->led = 0;
    party->failed_at = 0;
    return pthread_mutex_init(&party->mutex, NULL);
}

/* The caller has the mutex. */
static void append(batch_party_t *party, batch_member_t *member)
{
    member->next = NULL;
    *party->last = member;
    party->last = &member->next;
}

static batch_member_t *remove_first(batch_party_t *party)
{
    batch_member_t *member = party->first;

    party->first = member->next;
    if (!party->first) {
        party->last = &party->first;
    }
    member->next = NULL;
    return member;
}

static void remove_one(batch_party_t *party, const batch_member_t *member)
{
    batch_member_t **at = &party->first;

    while (*at != member) {
        at = &(*at)->next;
    }
    *at = member->next;
    if (!*at) {
        party->last = at;
    }
}

/* Waits until it leads, or knows what has become of it. The caller has the mutex. */
static void wait_behind(batch_party_t *party, batch_member_t *member, apr_interval_time_t patience,
                        batch_hurry_t *hurry)
{
    apr_time_t since = batch_hurry_clock();

    while (member->state == BATCH_MEMBER_WAITS) {
        apr_interval_time_t left =
            batch_hurry_left(hurry, since, since + patience - batch_hurry_clock());

        if (left <= 0) {
            remove_one(party, member);
            member->state = BATCH_MEMBER_ALONE;
            return;
        }
        batch_hurry_wait(&member->changed, &party->mutex, left);
    }
    while (member->state == BATCH_MEMBER_TAKEN) {
        pthread_cond_wait(&member->changed, &party->mutex);
    }
}

batch_member_e batch_party_join(batch_party_t *party, batch_member_t *member, void *call,
                                apr_interval_time_t patience, batch_hurry_t *hurry)
{
    batch_member_e state;

    member->call = call;
    member->state = BATCH_MEMBER_LEADS;
    if (pthread_cond_init(&member->changed, NULL)) {
        member->state = BATCH_MEMBER_ALONE;
        return BATCH_MEMBER_ALONE;
    }
    pthread_mutex_lock(&party->mutex);
    if (party->led) {
        member->state = BATCH_MEMBER_WAITS;
        append(party, member);
        wait_behind(party, member, patience, hurry);
    }
    party->led = party->led || member->state == BATCH_MEMBER_LEADS;
    state = member->state;
    pthread_mutex_unlock(&party->mutex);
    pthread_cond_destroy(&member->changed);
    return state;
}

batch_member_t *batch_party_take(batch_party_t *party, int most)
{
    batch_member_t *taken = NULL;
    batch_member_t **end = &taken;

    pthread_mutex_lock(&party->mutex);
    for (; party->first && most > 0; most--) {
        *end = remove_first(party);
        (*end)->state = BATCH_MEMBER_TAKEN;
        end = &(*end)->next;
    }
    party->led = party->first != NULL;
    if (party->led) {
        batch_member_t *leader = remove_first(party);

        leader->state = BATCH_MEMBER_LEADS;
        pthread_cond_signal(&leader->changed);
    }
    pthread_mutex_unlock(&party->mutex);
    return taken;
}

void batch_party_tell(batch_party_t *party, batch_member_t *member, batch_member_e state)
{
    pthread_mutex_lock(&party->mutex);
    member->state = state;
    pthread_cond_signal(&member->changed); /* while it cannot go */
    pthread_mutex_unlock(&party->mutex);
}

static apr_uint32_t now_s(void)
{
    return (apr_uint32_t)apr_time_sec(batch_hurry_clock());
}

void batch_party_fail(batch_party_t *party)
{
    apr_atomic_set32(&party->failed_at, now_s());
}

int batch_party_is_open(batch_party_t *party)
{
    apr_uint32_t failed_at = apr_atomic_read32(&party->failed_at);

    return !failed_at || now_s() - failed_at >= APART;
}
