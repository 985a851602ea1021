/* SL1, command age without clocks: an uplink frame acknowledges the highest downlink counter seen.
 *
 * Modelled: one drone, one ground, two sessions (a rekey may happen at any time); the drone sends one
 *   downlink frame a tick under its live session and remembers when each left; the ground seals
 *   commands under its newest session with the ack of that session.
 * Attacker: delays, drops, repeats and reorders every frame, both ways, without limit; it cannot forge.
 * Bounds: T ticks, COMMANDS commands, one rekey, MAX_AGE ticks.
 * Property: a command executes at most once, never more than MAX_AGE ticks after it was sealed, and
 *   never after one that was sealed later.
 * Switches; each is a negative control that must fail:
 *   RULE=2     strictly newer and young by its ack (0: replay window only; 1: strictly newer only)
 *   OWN_ACK=1  the ack is of the session's own counters (0: carried over from the session before)
 *   TICKS=0    the ack is a counter (4: an echo of the drone's clock modulo 4 ticks, which wraps)
 *   SENT=1     the age is taken from when the counter left (0: from when the frame before it was heard)
 *   GENERATION_ORDER=1  "newer" is by (session, counter) (0: by counter within a session)
 */
#ifndef RULE
#define RULE 2
#endif
#ifndef OWN_ACK
#define OWN_ACK 1
#endif
#ifndef TICKS
#define TICKS 0
#endif
#ifndef SENT
#define SENT 1
#endif
#ifndef GENERATION_ORDER
#define GENERATION_ORDER 1
#endif
#define MAX_AGE 2
#ifdef BIG
#define T 8
#define COMMANDS 3
#define EACH_COMMAND(X) X(0) X(1) X(2)
#else
#define T 6
#define COMMANDS 2
#define EACH_COMMAND(X) X(0) X(1)
#endif
/* Downlink frames: counter n of session s is one of at most T. Frame 0 stands for HS2. */
#define EACH_DOWN(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8)
#define NOT_YET 255

byte now;
byte sent[2 * (T + 2)];                 /* when counter n of session s left: sent[s * (T + 2) + n] */
byte count[2];                          /* downlink frames so far, by session */
bool d_second, g_second;                /* the drone's live, the ground's newest session is the second */
bool began;                             /* the second handshake has been answered (HS2 sent) */
byte ack[2];                            /* the ground: highest counter authenticated, by session */
byte commands;
byte c_sealed[COMMANDS], c_ack[COMMANDS];
bool c_second[COMMANDS], executed[COMMANDS];
byte newest = 0;                        /* 1 + the last one executed */
byte newest_in[2];                      /* the same by session, for GENERATION_ORDER=0 */
byte heard;                             /* when the drone last heard the ground, for SENT=0 */

#define AT(s, n) sent[(s) * (T + 2) + (n)]
#if TICKS
#define BOUND(c) ((now + TICKS - c_ack[c] % TICKS) % TICKS)
#elif SENT
#define BOUND(c) (now - AT(c_second[c], c_ack[c]))
#else
#define BOUND(c) (now - heard)
#endif
#define KNOWN(c) (TICKS || c_ack[c] < count[c_second[c]])
#if RULE == 0
#define PASSES(c) (!executed[c])
#elif RULE == 1
#define PASSES(c) (c + 1 > newest)
#elif GENERATION_ORDER
#define PASSES(c) (c + 1 > newest && KNOWN(c) && BOUND(c) <= MAX_AGE)
#else
#define PASSES(c) (c + 1 > newest_in[c_second[c]] && KNOWN(c) && BOUND(c) <= MAX_AGE)
#endif

/* Any frame of the second session that arrives is its confirmation: the drone adopts it. */
#define UP(c) :: d_step { c < commands -> \
    d_second = (d_second || c_second[c]); \
    if \
    :: PASSES(c) -> \
       assert(!executed[c]); \
       assert(now - c_sealed[c] <= MAX_AGE); \
       assert(c + 1 > newest || RULE == 0); \
       executed[c] = true; newest = c + 1; newest_in[c_second[c]] = c + 1 \
    :: else \
    fi; heard = now }

/* The ground authenticates counter n of its newest session, or of the one before. */
#define DOWN(n) :: d_step { n < count[0] && n > ack[0] -> ack[0] = n } \
  :: d_step { g_second && n < count[1] && n > ack[1] && d_second -> ack[1] = n }

active proctype world() {
  count[0] = 1;                         /* HS2 of the first session, at tick 0, and the ground has it */
  do
  :: d_step { now < T -> now++;         /* a tick: one frame leaves under the live session */
       if
       :: d_second -> AT(1, count[1]) = now; count[1]++
       :: else -> AT(0, count[0]) = now; count[0]++
       fi }
  :: d_step { commands < COMMANDS ->
       c_sealed[commands] = now; c_second[commands] = g_second;
#if TICKS
       c_ack[commands] = AT(g_second, ack[g_second]) % TICKS;
#elif OWN_ACK
       c_ack[commands] = ack[g_second];
#else
       c_ack[commands] = (g_second && ack[0] > ack[1] -> ack[0] : ack[g_second]);
#endif
       commands++ }
  :: d_step { !began -> began = true; AT(1, 0) = now; count[1] = 1 }      /* HS1 answered: HS2 leaves */
  :: d_step { began && !g_second -> g_second = true }                     /* HS2 arrives, whenever */
  EACH_DOWN(DOWN)
  EACH_COMMAND(UP)
  :: now == T -> break
  od
}
