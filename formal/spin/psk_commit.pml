/* SL1, the pre-shared key's ratchet: two slots at each end, written before anything is said.
 *
 * Modelled: the records {generation, current, next} in memory and on disk at both ends; handshakes
 *   under current or next; provisional / live / previous sessions at the drone; newest / previous at
 *   the ground with its return to the previous one; EK up, CT down; promotion by a confirmed session.
 * Attacker: loses, delays, repeats and reorders every message of every session; cuts either end's
 *   power between any two steps. It cannot forge (formal/proverif) and a recorded HS1 cannot become a
 *   session (session_table.pml), so each HS1 is delivered at most once here.
 * Bounds: NS handshakes, NK ratchets begun, NV - 1 encapsulations, CRASHES power cuts, in any order.
 * Property: (1) some key in both records is the same key of the same generation: never bricked;
 *   (2) an unconfirmed next of the ground is held by the drone too: the ratchet never stalls;
 *   (3) when the ground deletes the old key the drone has deleted it; (4) no session is adopted under
 *   a deleted key; (5) from every state, the network being kind from now on, one or two handshakes
 *   give a session both ends confirm and leave both ends with that key alone.
 * Rules; each of these switched off is a negative control that must fail:
 *   SLOTS=2        the drone keeps n beside n+1 until a session under n+1 is confirmed
 *   PERSIST=1      the drone writes {n, n+1} before it sends CT
 *   GPERSIST=1     the ground writes {n, n+1} before it starts a handshake under n+1
 *   EK_CONFIRMED=1 the ground begins a ratchet only in a session it has heard the drone in
 *   EK_LIVE=1      the drone takes EK only in its live session
 *   EK_ONCE=1      the drone encapsulates once for an EK, ratchet numbers growing in a session
 *   ONE_NEXT=1     the ground begins no ratchet while it holds an unconfirmed next
 *   DROP_OLD=1     promotion and overwriting of a key drop the provisional sessions made under it
 *   PROMOTE_OWN=1  promotion writes the key the confirmed session was made with, not what the slot holds
 *                  (needed only where DROP_OLD or an EK rule is missing: a second line of defence)
 * ALL=0 checks (1) and (5) without (2) and (4): is the pair bricked, whatever else goes wrong?
 */
#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef PERSIST
#define PERSIST 1
#endif
#ifndef GPERSIST
#define GPERSIST 1
#endif
#ifndef EK_CONFIRMED
#define EK_CONFIRMED 1
#endif
#ifndef EK_LIVE
#define EK_LIVE 1
#endif
#ifndef EK_ONCE
#define EK_ONCE 1
#endif
#ifndef ONE_NEXT
#define ONE_NEXT 1
#endif
#ifndef DROP_OLD
#define DROP_OLD 1
#endif
#ifndef PROMOTE_OWN
#define PROMOTE_OWN 1
#endif
#ifndef ALL
#define ALL 1
#endif
#ifndef CRASHES
#ifdef BIG
#define CRASHES 2
#else
#define CRASHES 1
#endif
#endif
#define NS 4
#define EACH_SESSION(X) X(0) X(1) X(2) X(3)
#define NK 2
#define NV 3
#define EACH_RATCHET(X) X(0) X(1)
#define EACH_KEY(X) X(2) X(3)
#define NONE 255

/* A key is a number, 1 the one from pairing; 0 in a slot means empty. */
byte d_gen, d_cur = 1, d_next;          /* the drone's record, in memory */
byte d_disk_gen, d_disk_cur = 1, d_disk_next;
byte g_gen, g_cur = 1, g_next;          /* the ground's */
byte g_disk_gen, g_disk_cur = 1, g_disk_next;

/* Handshake attempts, each at most one session. */
byte begun;                             /* attempts begun */
byte s_gen[NS], s_key[NS];              /* what HS1 was made under */
bool hs1[NS], hs2[NS];                  /* on the air */
bool pending[NS];                       /* the ground would take its HS2 */
bool up[NS], down[NS];                  /* data frames of this session have been sent */
#define NEVER 0
#define PROVISIONAL 1
#define LIVE 2
#define PREVIOUS 3
#define DEAD 4
byte d_state[NS];
byte g_newest = NONE, g_previous = NONE;
bool g_confirmed;

byte ratchets;                          /* begun by the ground */
byte ek_session[NK];
byte g_ratchet = NONE;                  /* the one whose decapsulation key the ground holds */
byte d_ratchet = NONE;                  /* the last one the drone encapsulated for, in its session */
byte keys = 1;                          /* made so far */
byte ct_ratchet[NV + 1];                /* which ratchet key v answers */
bool ct[NV + 1];                        /* CT of key v is on the air */
byte d_ready;                           /* key whose CT the drone is about to send */
byte crashes;
hidden byte i;
hidden byte agreed;

#define D_HAS(gen, key) ((d_gen == (gen) && d_cur == (key)) || (d_next && d_gen + 1 == (gen) && d_next == (key)))
#define DISK_HAS(gen, key) ((d_disk_gen == (gen) && d_disk_cur == (key)) || (d_disk_next && d_disk_gen + 1 == (gen) && d_disk_next == (key)))

inline write_drone() { d_disk_gen = d_gen; d_disk_cur = d_cur; d_disk_next = d_next }
inline write_ground() { g_disk_gen = g_gen; g_disk_cur = g_cur; g_disk_next = g_next }

inline check() {
  assert(D_HAS(g_gen, g_cur) || (g_next && D_HAS(g_gen + 1, g_next)));                                     /* 1 */
  assert(DISK_HAS(g_disk_gen, g_disk_cur) || (g_disk_next && DISK_HAS(g_disk_gen + 1, g_disk_next)));
#if ALL
  assert(!g_next || D_HAS(g_gen + 1, g_next));                                                             /* 2 */
  assert(!g_disk_next || DISK_HAS(g_disk_gen + 1, g_disk_next))
#endif
}

inline drop_provisional(key) {
  i = 0;
  do
  :: i < NS && DROP_OLD -> if :: d_state[i] == PROVISIONAL && s_key[i] == key -> d_state[i] = DEAD :: else fi; i++
  :: else -> break
  od
}

/* A session under generation d_gen + 1 was confirmed: what the slot holds becomes the only key. */
inline promote_drone(s) {
  if
  :: s_gen[s] == d_gen + 1 ->
     drop_provisional(d_cur);
     d_gen++; d_cur = (PROMOTE_OWN -> s_key[s] : d_next); d_next = 0; write_drone()
  :: else
  fi
}
inline promote_ground(s) {
  if
  :: g_next && s_gen[s] == g_gen + 1 ->
     g_gen++; g_cur = g_next; g_next = 0; write_ground();
     assert(d_gen >= g_gen)                                                                                /* 3 */
  :: else
  fi
}

#define BEGIN_HANDSHAKE(gen, key) \
  s_gen[begun] = gen; s_key[begun] = key; hs1[begun] = true; pending[begun] = true; begun++

/* ------------------------------------------------------------ the drone takes something */
#define D_HS1(s) :: d_step { hs1[s] -> hs1[s] = false; \
    if :: D_HAS(s_gen[s], s_key[s]) -> d_state[s] = PROVISIONAL; hs2[s] = true :: else fi }

#define D_DATA(s) :: d_step { up[s] && d_state[s] == PROVISIONAL -> \
    assert(D_HAS(s_gen[s], s_key[s]) || !ALL);                                                          \
    i = 0; \
    do \
    :: i < NS -> \
       if \
       :: d_state[i] == PREVIOUS -> d_state[i] = DEAD \
       :: d_state[i] == LIVE -> d_state[i] = PREVIOUS \
       :: d_state[i] == PROVISIONAL && i < s -> d_state[i] = DEAD \
       :: else \
       fi; i++ \
    :: else -> break \
    od; \
    promote_drone(s); d_state[s] = LIVE; d_ratchet = NONE; down[s] = true; check() }

#define D_EXPIRE(s) :: d_step { d_state[s] == PROVISIONAL || d_state[s] == PREVIOUS -> d_state[s] = DEAD }

#if EK_LIVE
#define EK_STATE(k) (d_state[ek_session[k]] == LIVE)
#else
#define EK_STATE(k) (d_state[ek_session[k]] == LIVE || d_state[ek_session[k]] == PREVIOUS)
#endif
#if EK_ONCE
#define EK_NEW(k) (d_ratchet == NONE || k > d_ratchet)
#else
#define EK_NEW(k) true
#endif
#define D_EK(k) :: d_step { k < ratchets && EK_STATE(k) && EK_NEW(k) && keys < NV && !d_ready -> \
    keys++; ct_ratchet[keys] = k; d_ratchet = k; d_ready = keys; \
    encapsulated(); check() }

inline encapsulated() {
#if SLOTS == 1
  d_gen++; d_cur = keys; write_drone()
#else
  if :: d_next -> drop_provisional(d_next) :: else fi;
  d_next = keys;
#if PERSIST
  write_drone()
#endif
#endif
}

/* ------------------------------------------------------------ the ground takes something */
#define G_HS2(s) :: d_step { hs2[s] -> hs2[s] = false; \
    if :: pending[s] -> \
       i = 0; do :: i < NS -> pending[i] = false; i++ :: else -> break od; \
       if :: g_newest != NONE && g_confirmed -> g_previous = g_newest :: else fi; \
       g_newest = s; g_confirmed = false; up[s] = true; g_ratchet = NONE \
    :: else fi }

#define G_DATA(s) :: d_step { down[s] && g_newest == s && !g_confirmed -> \
    g_confirmed = true; promote_ground(s); check() }

#define G_CT(v) :: d_step { ct[v] && g_ratchet == ct_ratchet[v] && g_newest == ek_session[ct_ratchet[v]] && !g_next && s_gen[g_newest] == g_gen -> \
    g_next = v; g_ratchet = NONE; accepted(); check() }

inline accepted() {
#if GPERSIST
  write_ground()
#else
  skip
#endif
}

#define EK_MAY_BEGIN ((!g_next || !ONE_NEXT) && (g_confirmed || !EK_CONFIRMED))

active proctype world() {
  check();
  do
  /* The ground begins a handshake, for whatever reason, under either key. */
  :: d_step { begun < NS -> BEGIN_HANDSHAKE(g_gen, g_cur) }
  :: d_step { begun < NS && g_next -> BEGIN_HANDSHAKE(g_gen + 1, g_next) }
  EACH_SESSION(D_HS1)
  EACH_SESSION(D_DATA)
  EACH_SESSION(D_EXPIRE)
  EACH_SESSION(G_HS2)
  EACH_SESSION(G_DATA)
  /* Not confirmed in 2 s: back to the session before. */
  :: d_step { g_newest != NONE && !g_confirmed ->
       g_newest = g_previous; g_confirmed = (g_previous != NONE); g_previous = NONE; g_ratchet = NONE }
  /* A ratchet begins; the one before, if it did not finish, is given up. */
  :: d_step { ratchets < NK && g_newest != NONE && s_gen[g_newest] == g_gen && EK_MAY_BEGIN -> ek_session[ratchets] = g_newest; g_ratchet = ratchets; g_next = 0; ratchets++ }
  EACH_RATCHET(D_EK)
  :: d_step { d_ready -> ct[d_ready] = true; d_ready = 0 }
  EACH_KEY(G_CT)
#if !PERSIST
  :: d_step { d_next != d_disk_next && !d_ready -> write_drone() }
#endif
#if !GPERSIST
  :: d_step { g_next != g_disk_next && g_newest != NONE && s_gen[g_newest] == g_gen + 1 && g_confirmed -> write_ground() }
#endif
  :: d_step { crashes < CRASHES -> crashes++;
       d_gen = d_disk_gen; d_cur = d_disk_cur; d_next = d_disk_next; d_ready = 0; d_ratchet = NONE;
       i = 0; do :: i < NS -> if :: d_state[i] != NEVER -> d_state[i] = DEAD :: else fi; i++ :: else -> break od;
       check() }
  :: d_step { crashes < CRASHES -> crashes++;
       g_gen = g_disk_gen; g_cur = g_disk_cur; g_next = g_disk_next; g_ratchet = NONE;
       g_newest = NONE; g_previous = NONE; g_confirmed = false;
       i = 0; do :: i < NS -> pending[i] = false; i++ :: else -> break od;
       check() }
  /* From here on the network is kind: new handshakes, alternating, with nothing old delivered. */
  :: d_step { true ->
       agreed = false;
       if
       :: g_next && D_HAS(g_gen + 1, g_next) ->
          if :: d_gen == g_gen -> d_gen++; d_cur = d_next; d_next = 0 :: else fi;
          g_gen++; g_cur = g_next; g_next = 0; agreed = true
       :: else ->
          if :: D_HAS(g_gen, g_cur) ->
             if :: d_gen + 1 == g_gen -> d_gen++; d_cur = d_next; d_next = 0 :: else fi; agreed = true
          :: else fi
       fi;
       assert(agreed && d_gen == g_gen && d_cur == g_cur);                                                   /* 5 */
       assert(!g_next || !ALL) };
     break
  od
}
