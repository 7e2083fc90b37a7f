/*
 * Points of the protocol at which the storm tests end or stop a process. Only their own builds have
 * them (-DBATCH_POINTS); in all others a point is nothing.
 */
#ifndef BATCH_ENGINE_POINTS_H
#define BATCH_ENGINE_POINTS_H

#ifdef BATCH_POINTS
/**
 * If the folder that the environment variable BATCH_POINTS names has a file NAME.KILL or NAME.STOP,
 * removes it, and sends this process that signal. Of several processes one removes it.
 */
void batch_point_reached(const char *name);
#define BATCH_POINT(name) batch_point_reached(name)

/** If that folder has a file POISON-KEY, ends this process, each time: the item is poison. */
void batch_point_item(const char *key);
#define BATCH_POINT_ITEM(key) batch_point_item(key)
#else
#define BATCH_POINT(name)     ((void)0)
#define BATCH_POINT_ITEM(key) ((void)0)
#endif

#endif
