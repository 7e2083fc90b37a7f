/* The node's shared memory and wake-up pipe, as the workers see them. See workers.h. */
#ifndef BATCH_ENGINE_NODE_H
#define BATCH_ENGINE_NODE_H

#include "engine/workers.h"

/** A worker has no slot. */
#define BATCH_NO_SLOT (-1)

/**
 * Takes a slot that is free, or whose process is gone. owner is this process.
 * Returns its number, or BATCH_NO_SLOT.
 */
int batch_node_slot_take(batch_node_t *node, const batch_owner_t *owner);

/** Gives the slot back, and wakes those that wait for one. */
void batch_node_slot_release(batch_node_t *node, int slot, const batch_owner_t *owner);

/** How many slots there are. */
int batch_node_slot_count(const batch_node_t *node);

/**
 * Says how many threads the holder of a slot works with: 0 = it has no job. Returns how many it
 * may: more than one only as long as all together are no more than there are slots.
 */
int batch_node_slot_load(batch_node_t *node, int slot, int threads);

/**
 * 1 if the node's turn to look into the queue unasked has come: true for one caller in each
 * interval, whatever the number of workers and children.
 */
int batch_node_poll_due(batch_node_t *node, apr_interval_time_t interval);

/** The same for the removal of jobs that are past their retention. */
int batch_node_cleaning_due(batch_node_t *node, apr_interval_time_t interval);

/** The end of the pipe that becomes readable when there is a job; non-blocking. */
int batch_node_wake_fd(const batch_node_t *node);

/** Takes one wake-up from the pipe, if there is one: 1 = yes. */
int batch_node_wake_take(batch_node_t *node);

/** The same for slots: readable when one has been given back since. */
int batch_node_vacancy_fd(const batch_node_t *node);

/** Takes one such notice: 1 = there was one. Others may have been quicker with the slot. */
int batch_node_vacancy_take(batch_node_t *node);

#endif
