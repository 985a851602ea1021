/* SL1, the drone's sessions with one ground station: provisional, live, previous; and the ground's.
 *
 * Modelled: HS1, HS2 and data frames; the drone's table by 6-bit index (here INDICES values), its ring of
 *   HS1 already answered, lifetimes, restarts; the ground's pending attempts, its newest and previous
 *   session and the return to the previous one when the newest is not confirmed.
 * Attacker: replays every HS1, HS2 and data frame it ever saw, at any time, any number of times, late or
 *   never, to either end; restarts the drone. It cannot forge or open (formal/proverif): a frame opens
 *   only under the session it was sealed in, an HS2 only for the HS1 it answers.
 * Bounds: ATTEMPTS handshakes begun, ANSWERS given (each a session), RESTARTS, at most CAP provisional.
 * Property: (1) only a session whose handshake the ground completed is adopted or sent under; (2) an
 *   index never names two sessions; (3) a session is replaced only by one made later; (4) no more
 *   than CAP are provisional, so the indices suffice; (5) a recorded HS1 costs one answer per restart; (6) no end ever begins
 *   counters again in a session: no nonce is used twice; (7) from every state, with a kind network, one
 *   more handshake makes both ends meet in one session.
 * Rules; each of these switched off is a negative control that must fail:
 *   ADOPT=1         adopted by the first authenticated frame (0: as HS1 is answered)
 *   SILENT=1        nothing is sent under a provisional session
 *   FREE_INDEX=1    a new session takes an index not in use (REUSE_SLOT: the lowest not named by live)
 *   FORGET_OLDER=1  adoption drops provisional sessions made before
 *   EVICT=1         at most CAP provisional, the oldest goes
 *   RING=1          an HS1 already answered is not answered again
 *   CLEAR_PENDING=1 the ground takes one HS2 per attempt
 */
#ifndef ADOPT
#define ADOPT 1
#endif
#ifndef SILENT
#define SILENT 1
#endif
#ifndef FREE_INDEX
#define FREE_INDEX 1
#endif
#ifndef FORGET_OLDER
#define FORGET_OLDER 1
#endif
#ifndef EVICT
#define EVICT 1
#endif
#ifndef RING
#define RING 1
#endif
#ifndef CLEAR_PENDING
#define CLEAR_PENDING 1
#endif
#define CAP 2
#define INDICES 4       /* CAP + live + previous */
#ifdef BIG
#define ATTEMPTS 4
#define ANSWERS 5
#define RESTARTS 2
#define EACH_ATTEMPT(X) X(0) X(1) X(2) X(3)
#define EACH_SESSION(X) X(0) X(1) X(2) X(3) X(4)
#else
#define ATTEMPTS 3
#define ANSWERS 4
#define RESTARTS 1
#define EACH_ATTEMPT(X) X(0) X(1) X(2)
#define EACH_SESSION(X) X(0) X(1) X(2) X(3)
#endif
#define SESSIONS (ANSWERS + 1)          /* one more for the kind network */
#define NONE 255

byte attempts;
bool pending[ATTEMPTS];
bool answered[ATTEMPTS];                /* the drone's ring */
byte answers[ATTEMPTS];                 /* how often the drone answered this HS1 */

#define GONE 0
#define PROVISIONAL 1
#define LIVE 2
#define PREVIOUS 3
byte sessions;                          /* made by the drone: one for each HS2; their order is their age */
byte s_state[SESSIONS], s_attempt[SESSIONS], s_index[SESSIONS];
bool completed[SESSIONS];               /* the ground took its HS2: both ends have its keys */
bool adopted[SESSIONS];                 /* the drone opened a frame under it */
bool spoken[SESSIONS];                  /* the drone sent a frame under it */
byte g_newest = NONE, g_previous = NONE;
bool g_confirmed;
byte restarts;
byte i, n, low;

inline reset() { i = 0; n = 0; low = 0 }

/* low = an index for a new session */
inline choose_index() {
  low = 0;
  do
  :: low < INDICES ->
     n = 0; i = 0;
     do
     :: i < sessions ->
        if
#if FREE_INDEX
        :: s_state[i] != GONE && s_index[i] == low -> n++
#else
        :: s_state[i] == LIVE && s_index[i] == low -> n++
#endif
        :: else
        fi; i++
     :: else -> break
     od;
     if :: n == 0 -> break :: else -> low++ fi
  :: else -> break
  od
}

inline evict() {                        /* the oldest provisional, when there are CAP */
  n = 0; low = NONE; i = 0;
  do
  :: i < sessions ->
     if :: s_state[i] == PROVISIONAL -> n++; if :: low == NONE -> low = i :: else fi :: else fi; i++
  :: else -> break
  od;
  if :: n >= CAP && EVICT -> s_state[low] = GONE :: else fi
}

inline adopt(s) {
  assert(completed[s]);                                                                    /* 1 */
  assert(!adopted[s]);                                                                     /* 6 */
  i = 0;
  do
  :: i < sessions ->
     if
     :: s_state[i] == PREVIOUS -> s_state[i] = GONE
     :: s_state[i] == LIVE -> assert(i < s); s_state[i] = PREVIOUS                         /* 3 */
     :: s_state[i] == PROVISIONAL && i < s && FORGET_OLDER -> s_state[i] = GONE
     :: else
     fi; i++
  :: else -> break
  od;
  s_state[s] = LIVE; adopted[s] = true
}

inline speak(s) { spoken[s] = true; assert(completed[s]) }                                 /* 1 */

inline check() {
  n = 0; i = 0;
  do
  :: i < sessions ->
     if :: s_state[i] == PROVISIONAL -> n++ :: else fi;
     assert(s_state[i] == GONE || s_index[i] < INDICES);
     low = 0;
     do
     :: low < i -> assert(s_state[i] == GONE || s_state[low] == GONE || s_index[i] != s_index[low]); low++   /* 2 */
     :: else -> break
     od; i++
  :: else -> break
  od;
  assert(n <= CAP);                                                                        /* 4 */
  reset()
}

/* An HS1 arrives, for the first time or the hundredth. */
inline answer(a) {
  answered[a] = true; answers[a]++;
  assert(answers[a] <= 1 + restarts);                                                      /* 5 */
  evict();
  choose_index();
  s_index[sessions] = low; s_attempt[sessions] = a; s_state[sessions] = PROVISIONAL; sessions++;
  if :: !ADOPT -> adopt(sessions - 1) :: else fi;
  if :: !SILENT -> speak(sessions - 1) :: else fi;
  check()
}
inline complete(s) {
  assert(!completed[s]);                                                                   /* 6 */
  completed[s] = true;
  if :: CLEAR_PENDING -> i = 0; do :: i < ATTEMPTS -> pending[i] = false; i++ :: else -> break od :: else fi;
  if :: g_newest != NONE && g_confirmed -> g_previous = g_newest :: else fi;
  g_newest = s; g_confirmed = false;
  reset()
}
#define D_HS1(a) :: d_step { a < attempts && !(answered[a] && RING) && sessions < ANSWERS -> answer(a) }
#define G_HS2(s) :: d_step { s < sessions && pending[s_attempt[s]] -> complete(s) }
/* A data frame of session s arrives: the table is asked for its index, the key decides. */
#define D_DATA(s) :: d_step { s < sessions && completed[s] && s_state[s] == PROVISIONAL -> adopt(s); check() }
#define D_SPEAK(s) :: d_step { s < sessions && s_state[s] == LIVE && !spoken[s] -> speak(s) }
#define G_DATA(s) :: d_step { s < sessions && spoken[s] && g_newest == s && !g_confirmed -> assert(adopted[s]); g_confirmed = true }
#define D_EXPIRE(s) :: d_step { s < sessions && (s_state[s] == PROVISIONAL || s_state[s] == PREVIOUS) -> s_state[s] = GONE }

active proctype world() {
  do
  :: d_step { attempts < ATTEMPTS -> pending[attempts] = true; attempts++ }
  EACH_ATTEMPT(D_HS1)
  EACH_SESSION(G_HS2)
  EACH_SESSION(D_DATA)
  EACH_SESSION(D_SPEAK)
  EACH_SESSION(G_DATA)
  EACH_SESSION(D_EXPIRE)
  :: d_step { g_newest != NONE && !g_confirmed -> g_newest = g_previous; g_confirmed = (g_previous != NONE); g_previous = NONE }
  :: d_step { g_previous != NONE -> g_previous = NONE }
  :: d_step { restarts < RESTARTS -> restarts++;
       i = 0; do :: i < sessions -> s_state[i] = GONE; i++ :: else -> break od;
       i = 0; do :: i < ATTEMPTS -> answered[i] = false; i++ :: else -> break od; reset() }
  /* From here on the network is kind: one more handshake, delivered at once, and a frame each way. */
  :: d_step { true ->
       evict(); choose_index(); assert(low < INDICES);
       n = sessions;
       s_index[n] = low; s_state[n] = PROVISIONAL; sessions++; completed[n] = true; g_newest = n; g_confirmed = false;
       low = n; adopt(low); speak(low); g_confirmed = true;
       assert(s_state[g_newest] == LIVE && adopted[g_newest]) };                           /* 7 */
     break
  od
}
