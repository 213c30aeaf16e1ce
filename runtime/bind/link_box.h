/* SPDX-License-Identifier: MIT
 * The userdata of core.link: a link, what it calls in Lua, and the questions that are open on it.
 * bind_link.c has its life, link_send.c what goes out, link_receive.c what comes in. */
#pragma once

#include "base/numbers.h"
#include "ipc/link.h"
#include "vm/entry.h"
#include "vm/waiting.h"

#include <lauxlib.h>

enum { BOX_ROUTES_MAX = 8 };

/* User values of the userdata. Those up to BOX_GIVEN are the arguments of new(). */
enum {
  BOX_OWNER = 1, /* first argument of what is called */
  BOX_CALLBACKS, /* table of functions: by kind, what receives packets; by name, see peer.lua */
  BOX_PENDING,   /* promises by the number of the question that we asked; false: cancelled */
  BOX_OPEN,      /* events by the number of the question that we were asked */
  BOX_GIVEN = BOX_OPEN,
  /* Set by route(): where a packet goes when nothing special is to be done with it. */
  BOX_HANDLERS,  /* list of tables: function, or table of one, by channel */
  BOX_LISTENERS, /* list of tables: list of functions by channel */
  BOX_WATCHERS,  /* table of listeners to all channels */
  BOX_EVENT,     /* metatable of events */
  BOX_SYNC_EVENT,
  BOX_CATCH,     /* message handler of handlers */
  BOX_ON_CANCEL, /* of the promises of questions */
  BOX_FAULT,     /* keeps the text that fail() got */
  BOX_AND_THEN,  /* the string: what a promise, or the like, has; as the next */
  BOX_NEXT,
  BOX_ROUTES, /* of each Route the channel, then the function */
  BOX_VALUES = BOX_ROUTES + 2 * BOX_ROUTES_MAX - 1
};

/* A function of the app's that all packets of one kind go to that have this channel: it is found
 * without a look into any table. It is right until a listener or a handler comes or goes: then all
 * routes of the state are forgotten (forget_routes). */
typedef struct Route {
  const char *channel; /* bytes of the user value */
  size_t size;
  uint8_t kind; /* a PacketKind; 0: there is none */
} Route;

/* Slots of the event of a question whose asker blocks. */
enum { SYNC_ID = 1, SYNC_CHANNEL, SYNC_BOX, SYNC_SLOTS = SYNC_BOX };

/* While the link is there, the registry keeps the userdata, as events may still come. */
typedef struct LinkBox {
  Link *link; /* NULL once closed */
  State *state;
  Numbers numbers;        /* of the questions that we ask */
  uint32_t questions_max; /* that may be open at once, each way: the largest number */
  int depth_max;          /* of the app's messages: tables inside one another */
  int values_max;         /* of one of them */
  size_t channel_max;     /* of their channels' names: bytes */
  Waiting *waiting;       /* listeners to its messages that have not returned */
  char fault[80];         /* says that they are too many */
  Route routes[BOX_ROUTES_MAX];
  List routed;          /* on the state's list while it has routes */
  const Packet *packet; /* whose task is about to begin */
  int self;             /* reference */
  bool greeted;         /* the other side may send what it likes; routes are set */
  bool decoding;        /* a packet's bytes, in the link's buffer, are being read */
  uint8_t codec;        /* PACKET_FLAG_JSON when the app's messages are in JSON, else 0 */
  CloneShare share;     /* the link's shared memory */
} LinkBox;

enum { LINK_DEPTH_MAX = 1000 };

/* The userdata at index 1, whatever it has become; raises for anything else. The calling function's
 * first upvalue is the metatable: one comparison instead of a look-up by name. */
LinkBox *link_box_check(lua_State *L);

/* What the packet's body may be: the runtime's own, and errors, have more room than the app's. */
CloneLimits link_box_limits(const LinkBox *box, const Packet *packet);

/* How many values the packet may have. */
static inline int link_box_values_max(const LinkBox *box, const Packet *packet) {
  return packet->flags & PACKET_FLAG_INTERNAL ? VALUES_MAX : box->values_max;
}

/* How long its channel may be. */
static inline size_t link_box_channel_max(const LinkBox *box, const Packet *packet) {
  return packet->flags & PACKET_FLAG_INTERNAL ? PACKET_CHANNEL_MAX : box->channel_max;
}

/* Pushes the callback of that name and the owner, for the box at absolute index `box`.
 * [-0, +2, m] */
void link_box_callback(lua_State *L, int box, const char *name);

/* Pushes the values of the packet's body and returns how many; -1, with nothing pushed, when it is
 * malformed: the link has failed then. Finalisers may run meanwhile: they may close the link, but
 * not wait for a reply, which would move the bytes. `index` is the box's. [-0, +n, m] */
int link_box_read(lua_State *L, int index, LinkBox *box, const Packet *packet);

/* Sends the `count` values from absolute index `first` on as the packet, whose channel is the
 * string at `channel`, or "" when that is 0. Returns 1, or 0 when more than the high-water mark
 * waits; -1 with the reason pushed, and nothing sent, when it cannot be sent. [-0, +0|1, m] */
int link_box_write(lua_State *L, int index, LinkBox *box, Packet *packet, int channel, int first,
                   int count);

/* (box): the task of box->packet. */
int link_box_receive(lua_State *L);

/* Whether the question `id` is in the table of open ones at absolute index `open`, and its event is
 * the value at absolute index `event`. */
bool link_box_is_open(lua_State *L, int open, lua_Integer id, int event);

/* Sends the answer to the question `id` in the table at absolute index `open`: the values from
 * absolute index `first` on. False, with the reason pushed, when they cannot be sent: it is open
 * then. [-0, +0|1, m] */
bool link_box_answer(lua_State *L, int index, LinkBox *box, int open, lua_Integer id, int first);

/* The box has no routes any more. [-0, +0, never raises] */
void link_box_forget_routes(lua_State *L, LinkBox *box);

/* return_value(event, key, value): what assigning a field of a question's event does. Its upvalues
 * are the metatable of links and "returnValue". */
int link_box_return_value(lua_State *L);

/* Methods of the userdata: link_send.c's. */
extern const luaL_Reg link_send_methods[];
