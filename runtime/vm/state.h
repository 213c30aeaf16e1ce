/* SPDX-License-Identifier: MIT
 * A Lua state of Lunette with all that belongs to it. */
#pragma once

#include "base/log.h"
#include "base/numbers.h"
#include "ipc/loop.h"
#include "vm/clone.h"
#include "vm/memory.h"

#include <lua.h>

enum { TASK_POOL_SIZE = 128 };

/* Keys in the registry of what is looked for all the time: Lua finds a number in a third of the
 * time that an address takes. References are positive. */
enum { KEY_STATE = -1, KEY_PROMISE_CLASS = -2 };

/* Lua functions that the core calls; set by the Lua side at boot through core.task.set_hooks. */
typedef enum StateHook {
  HOOK_EMPTY,     /* () the queue of microtasks has run empty; called when it was asked for */
  HOOK_UNCAUGHT,  /* (error, traceback) an error that left a task */
  HOOK_SUSPENDED, /* (peer, id, thread) the task that answers a question has suspended */
  HOOK_FOREIGN,   /* (thread, ok, ...) a coroutine of the program yielded or ended */
  HOOK_COUNT,
} StateHook;

/* What is to run at the end of the turn: three slots each in a Lua table, (fn, a, b), or
 * (coroutine, nil, nil) for a wake-up. */
typedef struct Microtasks {
  int table;       /* reference */
  int head, tail;  /* slots before the first one and the last one that wait */
  uint32_t *waits; /* owned; by the place in the queue, of a wake-up the number of the wait */
  int capacity;    /* of that */
  bool tell_empty; /* HOOK_EMPTY is wanted */
} Microtasks;

/* A hook of Lua's that another one stands in for. */
typedef struct HookBefore {
  lua_Hook function;
  int mask, count;
} HookBefore;

/* One Lua state: main's, a renderer's, or one world of a renderer. Never touched by another thread.
 */
typedef struct State {
  lua_State *L;         /* owned; the main thread, which never runs tasks itself */
  Loop *loop;           /* borrowed */
  CloneContext *clone;  /* owned */
  struct State *worlds; /* ring of the states that share a turn; a single state is its own ring */
  lua_State *idle[TASK_POOL_SIZE]; /* pooled coroutines that wait for work */
  int idle_count;
  int anchors;           /* reference to the table that keeps tasks: vm/entry.c */
  Numbers anchor_places; /* in it */
  int depth;             /* entries into Lua that are under way */
  Microtasks microtasks;
  List routed;           /* links that remember where packets go: bind/link_box.h */
  bool sandboxed;        /* no bytecode, no C modules, nothing loaded from the disk */
  bool has_luv;          /* libuv may write for scripts */
  int hooks[HOOK_COUNT]; /* references; LUA_NOREF until they are set */
  Memory own;            /* what this state has allocated, unless it shares another one's */
  Memory *memory;        /* `own`, or that of the state that it was joined to */
  struct Waiting
      *receiving;         /* counts the tasks that start and suspend now; NULL: none is counted */
  const LogSink *log;     /* borrowed; NULL: standard error */
  bool steps;             /* its collector works in steps, ahead of the limit: vm/pacer.c */
  HookBefore hook_before; /* of the coroutine that gets it to */
  uint64_t entries;       /* into Lua, so far */
  void *data;             /* the host's, for bind_host.c; borrowed */
} State;

/* Makes a state on `loop` with Lua's standard libraries, and `import` (vm/loader.h). NULL when
 * memory is short. Free with state_free. */
State *state_new(Loop *loop);

/* The same, with Lua's memory from somebody else's allocator (NULL: malloc), which gets `data`. */
State *state_new_with(Loop *loop, MemoryHook hook, void *data);

/* Lets `state` share the turns of `other`: their microtasks are drained together. It shares the
 * memory of `other`, and its limit, too, and must be freed first. */
void state_join(State *state, State *other);

/* Closes the Lua state (finalisers run) and frees all of it. NULL is allowed. */
void state_free(State *state);

/* Pushes an object that nobody knows, which `function` is the finaliser of. [-0, +1, m] */
void state_push_finaliser(lua_State *L, lua_CFunction function);

/* The state that the thread L belongs to. [-0, +0, never raises] */
State *state_from(lua_State *L);
